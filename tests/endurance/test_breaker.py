"""An endpoint that cannot be used stops the run with one message and leaves the rest pending."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.process import launched
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.soak import about_samples
from tests.endurance.status import ids_on_disk, partitions_by_status

WORKERS = "image_grounding.workflow.max_workers=8"


def project_for(folder: Path, settings: str, pictures: Pictures, **openai: Any) -> Project:
    tree = json.loads(settings)
    tree["openai"] |= openai
    project = make_project(folder, json.dumps(tree), image_root=pictures.folder)
    project.write_input(pictures.rows)
    return project


@pytest.mark.parametrize(
    ("openai", "words"),
    [
        (
            {"model_name": "Qwen/Qwen3-VL-other"},
            ["does not serve the model 'Qwen/Qwen3-VL-other'", "model_name"],
        ),
        ({"base_url": "http://no-such-host.invalid/v1"}, ["No such host: http://no-such-host.invalid/v1"]),
    ],
)
def test_what_can_never_work_ends_at_once(
    tmp_path: Path, pictures: Pictures, openai: dict[str, str], words: list[str]
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_for(tmp_path, endpoint_settings(endpoint), pictures, **openai)
        ended = generate(project, WORKERS)
        assert about_samples(endpoint.requests) == []
    assert ended.code == 1
    assert ended.stdout.startswith("0 of 160 samples have a result; 160 are still pending.\n")
    [line] = ended.stderr.splitlines()
    assert line.startswith("auto_label: ") and all(word in line for word in words)
    assert not any(partitions_by_status(project, "expressions").values())


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.FORBIDDEN])
def test_a_key_that_is_revoked_during_the_run_fails_no_sample(
    tmp_path: Path, pictures: Pictures, fault: Fault
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = project_for(tmp_path, endpoint_settings(endpoint), pictures)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 10, "ten results")
            endpoint.faults = Faults((Rule(fault),))
            ended = run.ended()
        assert len([r for r in endpoint.requests if r.fault]) <= 8, "no more than were in flight"
        endpoint.faults = Faults()
        done = ids_on_disk(project, "1")
        assert ended.code == 1
        assert [line for line in ended.stderr.splitlines() if "refuses the API key" in line] == [
            ended.stderr.splitlines()[-1]
        ]
        assert (
            f"{len(done)} of 160 samples have a result; {160 - len(done)} are still pending." in ended.stdout
        )
        assert partitions_by_status(project, "groundings") == {
            "materialized": done,
            "failed": set(),
            "materializing": set(),
        }
        assert generate(project, WORKERS).code == 0
        good = [(r.step, r.caption) for r in about_samples(endpoint.requests) if not r.fault]
        assert len(good) == len(set(good)) == 320


def test_the_same_in_a_run_over_a_range_of_partitions(tmp_path: Path, pictures: Pictures) -> None:
    both = "tested/expressions,tested/groundings"
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = project_for(tmp_path, endpoint_settings(endpoint), pictures)
        assert generate(project, "image_grounding.vlm.openai.model_name=other").code == 1
        ids = [line["sample_id"] for line in project.lines("samples.jsonl")]
        endpoint.faults = Faults((Rule(Fault.UNAUTHORIZED, 0.1),), seed=5)
        ended = project.run(
            "dagster", "asset", "materialize", "-m", "grounding_assets.definitions", "--select", both,
            "--partition-range", f"{ids[0]}...{ids[-1]}",
        )  # fmt: skip
    assert ended.returncode == 1
    assert "refuses the API key" in ended.stderr
    for step, asset in (("0", "expressions"), ("1", "groundings")):
        done = ids_on_disk(project, step)
        status = partitions_by_status(project, asset)
        assert status == {"materialized": done, "failed": set(), "materializing": set()}
    assert 0 < len(ids_on_disk(project, "0")) < 160


def test_an_endpoint_that_is_not_there_is_noticed_after_a_few_requests(
    tmp_path: Path, pictures: Pictures
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_for(tmp_path, endpoint_settings(endpoint), pictures)
    ended = generate(project, WORKERS)
    assert ended.code == 1
    [line] = ended.stderr.splitlines()
    assert f"Cannot reach {endpoint.base_url}" in line
    found = re.search(r"Stopped: (\d+) requests in a row failed and no request has succeeded", line)
    assert found and int(found[1]) < 40, "each of eight that wait at most twice as long each time"
    assert not any(partitions_by_status(project, "expressions").values())


def test_an_endpoint_that_dies_and_comes_back_costs_nothing(tmp_path: Path) -> None:
    rows = coco24_rows(60)
    with launched("vllm", "--cheap", "--latency", "0.1") as first:
        port = first.url.rpartition(":")[2]
        settings = json.dumps(
            {
                "backend": "openai",
                "measure": False,
                "openai": {"base_url": first.base_url, "model_name": first.model},
            }
        )
        project = make_project(tmp_path, settings)
        project.write_input(rows)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 10, "ten results")
            before = first.stats()["total"]
            os.kill(first.pid, signal.SIGKILL)
            with launched("vllm", "--cheap", "--latency", "0.1", "--port", port) as second:
                ended = run.ended()
                after = second.stats()["total"]
    assert ended.code == 0, ended.output
    assert len(project.lines()) == 60
    # only what was in flight when it died is asked twice
    assert before + after <= 2 * 60 + 8
