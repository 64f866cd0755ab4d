"""A run that reports in groups leaves an instance knowing exactly what Dagster's own way leaves."""

from pathlib import Path
from typing import Any

import dagster as dg

from tests.resources.event_log.support import (
    GROUNDINGS,
    batched_instance,
    knowledge,
    report_with_emitter,
    status,
    stock_instance,
)
from tests.resources.event_log.three_runs import KEYS, heal, run_three_times


def test_the_comparison_sees_every_kind_of_status_and_event(expected: dict[str, Any]) -> None:
    groundings = expected["written"]["assets"]["demo/groundings"]
    assert groundings["status"] == {
        "materialized": set(KEYS) - {"s06"},
        "failed": {"s06"},
        "in_progress": set(),
    }
    assert len(groundings["events"]) == 5 + 3 + 1
    expressions = expected["written"]["assets"]["demo/expressions"]
    assert expressions["status"]["materialized"] == set(KEYS)
    assert len(expressions["tags"]) == 8 + 4 + 1
    assert [run["materializations"] for run in expected["written"]["runs"].values()] == [8 + 5 + 1, 4 + 3, 2]
    assert expected["wiped"]["assets"]["demo/groundings"]["exists"] is False
    assert expected["wiped"]["assets"]["demo/expressions"] == expressions


def test_groups_on_the_batching_storage(tmp_path: Path, expected: dict[str, Any]) -> None:
    with batched_instance(tmp_path) as instance:
        run_three_times(instance, report_with_emitter)
        assert knowledge(instance) == expected["written"]
        instance.wipe_assets([GROUNDINGS])
        assert knowledge(instance) == expected["wiped"]


def test_the_emitter_on_an_instance_in_memory(expected: dict[str, Any]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_three_times(instance, report_with_emitter)
        assert knowledge(instance) == expected["written"]


def test_the_emitter_on_dagsters_own_storage_and_a_change_of_storage(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    with stock_instance(tmp_path) as instance:
        run_three_times(instance, report_with_emitter)
        assert knowledge(instance) == expected["written"]
    with batched_instance(tmp_path) as instance:
        assert knowledge(instance) == expected["written"]
        heal(instance, report_with_emitter, "s06")
    with stock_instance(tmp_path) as instance:
        assert status(instance, GROUNDINGS)["materialized"] == set(KEYS)
