"""Shards side by side in several processes, which are killed, interrupted and kept within one budget."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate, generating
from tests.shards.cut_sets import UNMEASURED, cut_project, materialized_shards, workers_of

pytestmark = needs_corpus("coco24")
ROWS = 40
IN_FLIGHT = 4
SIDE_BY_SIDE = (UNMEASURED, "image_grounding.workflow.processes=2", "image_grounding.workflow.max_workers=4")


def check_complete(project: Project, rows: list[dict[str, object]]) -> None:
    assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows]
    assert project.lines("failures.jsonl") == []
    assert len(materialized_shards(project)) == ROWS // 4


def test_a_killed_process_costs_what_it_had_in_flight(tmp_path: Path) -> None:
    rows = coco24_rows(ROWS)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", latency=0.2)) as endpoint:
        project = cut_project(tmp_path, endpoint, rows)
        with generating(project, *SIDE_BY_SIDE) as run:
            run.until(lambda: len(sample_calls(endpoint)) > 10, "calls")
            victim = workers_of(run)[0]
            os.kill(victim, signal.SIGKILL)
            ended = run.ended()
        assert ended.code == 0, ended.output
        assert "was killed by signal 9: the shard is taken again." in ended.stderr
        check_complete(project, rows)
        again = Counter(sample_calls(endpoint))
        assert sum(again.values()) <= 2 * ROWS + IN_FLIGHT
        asked = len(endpoint.requests)
        assert generate(project, *SIDE_BY_SIDE).code == 0
        assert len(endpoint.requests) == asked


def test_one_budget_and_one_interruption_for_all(tmp_path: Path) -> None:
    rows = coco24_rows(ROWS)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", latency=0.2)) as endpoint:
        project = cut_project(tmp_path, endpoint, rows)
        with generating(project, *SIDE_BY_SIDE) as run:
            run.until(lambda: len(sample_calls(endpoint)) > 10, "calls")
            workers = workers_of(run)
            run.send(signal.SIGINT)
            ended = run.ended()
        assert ended.code == 130, ended.output
        assert len(workers) == 2
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        done = len(project.lines())
        assert 0 < done < ROWS
        cap = len(endpoint.requests) + 11
        capped = generate(project, *SIDE_BY_SIDE, f"image_grounding.workflow.max_calls={cap}")
        assert capped.code == 1 and f"workflow.max_calls={cap} leaves no room" in capped.stderr, capped.output
        assert len(endpoint.requests) <= cap
        rest = generate(project, *SIDE_BY_SIDE)
        assert rest.code == 0, rest.output
        check_complete(project, rows)
        calls = sample_calls(endpoint)
        assert len(calls) <= 2 * ROWS + 2 * IN_FLIGHT, "what the interruption cut off is asked again"
