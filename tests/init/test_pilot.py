"""A pilot: which samples it takes, what it says at its end, and whether the full set keeps its word."""

import random
import re
from itertools import pairwise
from pathlib import Path

import pytest

from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.loading import apply_overrides, load_spec
from grounding_assets.core.spec.settings import WorkflowSpec
from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project, refusing, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running

IDS = [f"sample-{number}" for number in range(500)]


def test_a_seeded_choice_grows_with_its_size_and_not_with_the_order() -> None:
    sizes = [chosen_samples(IDS, WorkflowSpec(sample=size)) for size in (1, 10, 100, 499, 500, 501)]
    assert [len(chosen) for chosen in sizes] == [1, 10, 100, 499, 500, 500]
    for smaller, larger in pairwise(sizes):
        assert set(smaller) <= set(larger)
        assert larger == [one for one in IDS if one in set(larger)], "in input order"
    shuffled = random.Random(1).sample(IDS, len(IDS))
    assert set(chosen_samples(shuffled, WorkflowSpec(sample=100))) == set(sizes[2])
    assert set(chosen_samples(IDS, WorkflowSpec(sample=100, seed=1))) != set(sizes[2])
    # 100 of 500: the mean index of a fair choice is 249.5, its standard error 13
    assert abs(sum(IDS.index(one) for one in sizes[2]) / 100 - 249.5) < 4 * 13


def test_limit_takes_the_first_and_excludes_sample() -> None:
    assert chosen_samples(IDS, WorkflowSpec(limit=7)) == IDS[:7]
    assert chosen_samples(IDS, WorkflowSpec(limit=1000)) == IDS
    assert chosen_samples(IDS, WorkflowSpec()) == IDS
    with pytest.raises(ValueError, match="limit or sample, not both"):
        WorkflowSpec(limit=1, sample=1)


@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_sections_can_be_overridden_by_their_short_names(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "spec.yaml").write_text("results_dir: r\n")
    spec = load_spec(
        tmp_path / "spec.yaml", [f"{prefix}workflow.limit=3", "vlm.backend=local", "data.name=d"]
    )
    assert (spec.workflow.limit, spec.vlm.backend, spec.data.name) == (3, "local", "d")


def test_a_short_name_that_can_mean_two_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("results_dir: r\nworkflow: {limit: 1}\n")
    with pytest.raises(SpecError, match=r"'workflow' of the spec or 'image_grounding\.workflow'"):
        load_spec(tmp_path / "spec.yaml", ["workflow.limit=3"])
    from omegaconf import OmegaConf

    full = apply_overrides(OmegaConf.create({"workflow": {}}), ["+image_grounding.workflow.limit=3"])
    assert full.image_grounding.workflow.limit == 3


def _interval(said: str, name: str) -> tuple[int, int, int]:
    found = re.search(rf"{name} +([\d,]+) \[([\d,]+) to ([\d,]+)\]", said)
    assert found is not None, said
    expected, low, high = (int(number.replace(",", "")) for number in found.groups())
    return expected, low, high


@needs_corpus("coco24")
def test_a_pilot_predicts_the_full_run_and_the_printed_command_is_it(tmp_path: Path) -> None:
    rows = coco24_rows(60)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        pilot = project.generate("workflow.sample=20", "image_grounding.workflow.max_workers=8")
        assert pilot.returncode == 0, pilot.stderr
        assert "20 of 20 samples have a result" in pilot.stdout
        assert "Pilot of 20 of 60 samples" in pilot.stdout
        first = project.lines()
        assert len(first) == 20
        assert project.lines("failures.jsonl") == [], "what was not asked for has not failed"
        assert str(project.results / "report.html") in pilot.stdout
        assert (project.results / "report.html").is_file()
        expressions = sum(len(line["expressions"]) for line in first)
        assert f"found   {expressions} expressions in 20 samples" in pilot.stdout
        spent = len(sample_calls(endpoint))
        assert f"spent   {spent} calls, " in pilot.stdout

        command = pilot.stdout.split("The full set: ")[1].strip()
        assert command == "auto_label generate -e spec.yaml image_grounding.workflow.max_workers=8"
        full = project.auto_label(*command.split()[1:])
        assert full.returncode == 0, full.stderr
        assert len(project.lines()) == 60
        assert "Pilot" not in full.stdout
        rest = project.lines()
        taken = {line["sample_id"] for line in first}
        tokens = sum(
            step["tokens_in"]
            for line in rest
            if line["sample_id"] not in taken
            for step in line["provenance"].values()
        )
        for name, actual in (("calls", len(sample_calls(endpoint)) - spent), ("tokens in", tokens)):
            expected, low, high = _interval(pilot.stdout, name)
            assert low <= actual <= high, f"{name}: {actual} is not within {low} to {high}"
            assert low <= expected <= high


@needs_corpus("coco24")
def test_a_pilot_with_failures_says_why_and_leaves_the_rest_pending(tmp_path: Path) -> None:
    rows = coco24_rows(8)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", faults=refusing(rows[1]["caption"]))) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        pilot = project.generate("workflow.limit=3")
        assert pilot.returncode == 1
        assert "failed  1 refused" in pilot.stdout
        assert [line["caption"] for line in project.lines()] == [rows[0]["caption"], rows[2]["caption"]]
        assert [row["caption"] for row in project.lines("failures.jsonl")] == [rows[1]["caption"]]
        assert project.status("expressions") == {
            "materialized": 2,
            "failed": 1,
            "materializing": 0,
            "missing": 5,
        }
