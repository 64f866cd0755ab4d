"""The JSON that is made from a form is what Dagster's own serialisation makes, to the last character."""

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.events import AssetObservationData, DagsterEvent, StepMaterializationData
from dagster._core.execution.plan.handle import StepHandle

from resources.event_log.event_json import EventJson
from tests.resources.event_log.support import EXPRESSIONS, GROUNDINGS, planned

USUAL: Mapping[str, Any] = {
    "caption": "A red car",
    "phrases": dg.MetadataValue.md("- `a red car`: [1, 2, 3, 4] 0.90"),
    "photo_with_boxes": dg.MetadataValue.path("/results/report.html#a"),
    "expressions": 2,
    "seconds": 0.503,
}
METADATA: dict[str, Mapping[str, Any]] = {
    "the usual kinds": USUAL,
    "none": {},
    "quotes, controls and other scripts": {**USUAL, "caption": 'a "b" \\ \n\t\x00 ü 車 \u2028 \U0001f697'},
    "half a surrogate pair": {**USUAL, "caption": "\ud83d"},
    "what looks like a mark": {**USUAL, "caption": "8800000000005", "expressions": 8_800_000_000_006},
    "a label that looks like a mark": {"8800000000005": "a", "8800000000006": 8_800_000_000_005},
    "numbers at their ends": {**USUAL, "expressions": -(1 << 70), "seconds": 1e-300},
    "no number": {**USUAL, "seconds": float("inf")},
    "a value that is none": {**USUAL, "caption": dg.TextMetadataValue(None)},
    "kinds that are left to Dagster": {**USUAL, "more": {"a": [1, None]}, "is": True, "of": EXPRESSIONS},
}


def entry(
    event: dg.AssetMaterialization | dg.AssetObservation, run_id: str = "one", second: float = 0.25
) -> dg.EventLogEntry:
    materialized = isinstance(event, dg.AssetMaterialization)
    kind = (
        dg.DagsterEventType.ASSET_MATERIALIZATION if materialized else dg.DagsterEventType.ASSET_OBSERVATION
    )
    told = DagsterEvent(
        kind.value,
        "annotate_job",
        step_handle=StepHandle(NodeHandle("annotate", None)),
        logging_tags={"run_id": run_id},
        event_specific_data=StepMaterializationData(event) if materialized else AssetObservationData(event),
        message=event.description or "Materialized.",
        pid=7,
    )
    return dg.EventLogEntry(None, "DEBUG", "said", run_id, 1.7e9 + second, "annotate", "annotate_job", told)


@pytest.mark.parametrize("metadata", METADATA.values(), ids=METADATA)
@pytest.mark.parametrize("kind", [dg.AssetMaterialization, dg.AssetObservation])
def test_every_event_has_the_text_that_dagster_gives_it(
    kind: type[dg.AssetMaterialization] | type[dg.AssetObservation], metadata: Mapping[str, Any]
) -> None:
    def told(number: int) -> dg.EventLogEntry:
        tags = {"dagster/data_version": f"{number:x}", "not/indexed": ""}
        description = None if number % 3 else f"of {number}"
        made = kind(GROUNDINGS, description=description, metadata=metadata, partition=f"s{number}", tags=tags)
        return entry(made, second=number / 7)

    texts = EventJson()
    for number in range(6):
        assert texts.of(told(number)) == told(number).to_json()
    # what a form was made of first is no longer in it
    usual = entry(kind(GROUNDINGS, metadata={**metadata, **USUAL}, partition="last"))
    assert texts.of(usual) == usual.to_json()


def test_runs_assets_and_other_events_are_told_apart() -> None:
    texts = EventJson()
    for turn in range(3):
        for run_id in ("one", "two"):
            for asset in (EXPRESSIONS, GROUNDINGS):
                one = entry(dg.AssetMaterialization(asset, metadata=USUAL, partition=f"s{turn}"), run_id)
                assert texts.of(one) == one.to_json()
                assert json.loads(texts.of(one))["run_id"] == run_id
            for one in planned(run_id, GROUNDINGS, ["a", "b"]):
                assert texts.of(one) == one.to_json()


def test_the_forms_of_more_shapes_than_are_kept_make_no_difference() -> None:
    texts = EventJson()
    for number in range(200):
        one = entry(dg.AssetMaterialization(GROUNDINGS, metadata={f"label_{number % 100}": number}))
        assert texts.of(one) == one.to_json()
