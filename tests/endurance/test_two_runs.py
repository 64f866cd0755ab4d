"""Two runs over the same samples at once: nothing is lost, spoilt, or paid for twice."""

from collections import Counter
from pathlib import Path

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import Ended, Run, generate, generating
from tests.endurance.soak import Records, about_samples, endpoint_is_idle, results_of
from tests.endurance.status import ids_on_disk, partitions_by_status, unfinished_runs

WORKERS = "image_grounding.workflow.max_workers=8"
REFUSING = Faults((Rule(Fault.REFUSED, 0.05, step="0", same_every_attempt=True),))


def second_run(project: Project, *overrides: str) -> Run:
    return generating(project, *(overrides or (WORKERS,)), name="second")


def asked(endpoint: SimulatedEndpoint) -> Counter[tuple[str, str]]:
    return Counter((r.step, r.caption) for r in about_samples(endpoint.requests))


def test_started_together_in_a_fresh_folder(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=REFUSING, latency=0.05)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        with generating(project, WORKERS) as first, second_run(project) as second:
            ends: list[Ended] = [first.ended(), second.ended()]
        refused = {r.caption for r in endpoint.requests if r.fault}
        calls = asked(endpoint)
    assert refused
    for ended in ends:
        assert ended.code == 1, ended.output
        assert f"{160 - len(refused)} of 160 samples have a result; {len(refused)} failed" in ended.stdout
    assert set(calls.values()) == {1}, "no sample is asked about twice, refused ones neither"
    assert results_of(project) == {key: row for key, row in calm.items() if key[1] not in refused}
    assert {row["caption"] for row in project.lines("failures.jsonl")} == refused
    for step, asset in (("0", "expressions"), ("1", "groundings")):
        status = partitions_by_status(project, asset)
        assert status["materialized"] == ids_on_disk(project, step)
        assert len(status["failed"]) == len(refused) and not status["materializing"]
    assert unfinished_runs(project) == []


def test_what_a_killed_run_had_claimed_is_done_by_the_other(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    hanging = Faults((Rule(Fault.HANG, at_most=1, step="1"),))
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=hanging)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows[:12])
        with generating(project, WORKERS, "image_grounding.vlm.measure=false") as first:
            # two more samples are read ahead, and claimed
            first.until(lambda: endpoint.recorder.in_flight == 8, "eight requests that hang")
            endpoint.faults = Faults()
            with second_run(project, WORKERS, "image_grounding.vlm.measure=false") as second:
                second.until(
                    lambda: "Another run is working on 10 of these samples" in second.stderr, "that word"
                )
                second.until(lambda: len(ids_on_disk(project, "1")) == 2, "its own two")
                first.kill()
                ended = second.ended()
        endpoint_is_idle(endpoint)
        assert ended.code == 0, ended.output
        assert "12 of 12 samples have a result" in ended.stdout
        calls = asked(endpoint)
    assert results_of(project) == {key: calm[key] for key in results_of(project)}
    assert len(project.lines()) == 12
    again = [key for key, count in calls.items() if count > 1]
    assert len(again) == 8 and all(step == "1" for step, _ in again), "only what hung is asked again"


def test_two_different_settings_at_once_are_still_one_result_each(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    """A run that redoes everything beside a plain one: files of both, each of them whole."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows[:80])
        assert generate(project, WORKERS, "image_grounding.workflow.steps=[0]").code == 0
        force = "image_grounding.workflow.force_reprocess=true"
        with generating(project, WORKERS) as first, second_run(project, WORKERS, force) as second:
            assert first.ended().code == second.ended().code == 0
        assert generate(project, WORKERS).code == 0
    assert len(project.lines()) == 80
    assert results_of(project) == {key: calm[key] for key in results_of(project)}
    assert not list(project.results.glob("step_*/.corrupt"))
