"""What speaks against a sample, how much, and which filter finds it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.report.doubt import FAILED, FILTERS, Signal, doubt, signals
from grounding_assets.core.steps import Step


def instance(bbox: list[int], score: float = 1.0, source: str = "model") -> dict[str, Any]:
    return {"bbox": bbox, "score": score, "score_source": source}


def expression(*instances: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"instances": list(instances), "span_status": "exact"} | changed


def record(*expressions: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"expressions": list(expressions), "width": 1000, "height": 1000} | changed


FINE = instance([100, 100, 400, 400])
TWELVE = [instance([50 * n, 0, 50 * n + 40, 300]) for n in range(12)]

CASES = {
    "nothing": (record(expression(FINE)), 0.0, set()),
    "no expression": (record(), 0.8, {"no_box"}),
    "no box at all": (record(expression()), 0.7, {"no_box"}),
    "no box for one of two": (record(expression(FINE), expression()), 0.35, {"no_box"}),
    "not in the vocabulary": (record(expression(grounding_status="out_of_vocabulary")), 0.2, {"no_box"}),
    "not grounded yet": (record(expression(), pipeline_steps=[Step.EXTRACTION.record_name]), 0.0, set()),
    "low score": (record(expression(instance([0, 0, 500, 500], 0.3))), 0.7, {"low_score"}),
    "middling score": (record(expression(instance([0, 0, 500, 500], 0.6))), 0.4, set()),
    "default score": (record(expression(instance([0, 0, 500, 500], 0.1, "default"))), 0.0, set()),
    "many boxes": (record(expression(*TWELVE)), 0.3, {"many_boxes"}),
    "tiny box": (record(expression(instance([0, 0, 10, 10]))), 0.3, {"extreme_box"}),
    "huge box": (record(expression(instance([0, 0, 1000, 950]))), 0.3, {"extreme_box"}),
    "unknown photo size": (record(expression(instance([0, 0, 10, 10])), width=None), 0.0, set()),
    "duplicates": (record(expression(FINE, instance([100, 100, 405, 400]))), 0.5, set()),
    "same box, two expressions": (record(expression(FINE), expression(FINE)), 0.0, set()),
    "repaired span": (record(expression(FINE, span_status="repaired")), 0.2, set()),
    "two kinds": (record(expression(instance([0, 0, 10, 10], 0.5))), 1 - 0.5 * 0.7, {"extreme_box"}),
}


@pytest.mark.parametrize("name", CASES)
def test_signals(name: str) -> None:
    line, expected, filters = CASES[name]
    found = signals(line)
    assert doubt(found) == pytest.approx(expected)
    assert {signal.filter for signal in found if signal.filter} == filters
    assert [signal.weight for signal in found] == sorted((s.weight for s in found), reverse=True)
    assert filters <= set(FILTERS)


def test_a_failed_sample_is_as_doubtful_as_can_be() -> None:
    assert doubt([FAILED]) == 1.0


def test_many_boxes_are_compared_in_bounded_time() -> None:
    crowd = [instance([n % 997, n % 991, n % 997 + 2, n % 991 + 2]) for n in range(50_000)]
    assert "50000 boxes for one expression" in [signal.text for signal in signals(record(expression(*crowd)))]


@given(st.lists(st.floats(0, 1)))
def test_doubt_stays_between_its_largest_weight_and_one(weights: list[float]) -> None:
    total = doubt(Signal(weight, "") for weight in weights)
    assert max(weights, default=0.0) - 1e-9 <= total <= 1.0
