"""A joint reply counts as a whole or not at all."""

import json
from typing import Any

import pytest

from grounding_assets.core.annotation.joint_reply import read_joint
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.replies import parse_extraction

CAPTION = "A man in a red hat stands by a man with two dogs."
PHRASES = [("A man", "man", 1), ("a red hat", "hat", 0), ("a man", "man", 1), ("two dogs", "dogs", 2)]
SIZE = (1000, 1000)


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"e{i}",
            "text": text,
            "noun_chunk": chunk,
            "boxes": [{"bbox": [100 * i + 50 * n, 20, 100 * i + 50 * n + 40, 90]} for n in range(count)],
        }
        for i, (text, chunk, count) in enumerate(PHRASES)
    ]


def written(expressions: list[Any], caption: str = CAPTION) -> str:
    return json.dumps({"cleaned_caption": caption, "expressions": expressions})


def read(reply: str) -> Any:
    return read_joint(reply, parse_extraction(reply), CONVENTIONS["xyxy_1000"], SIZE, SIZE)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    "reply",
    [
        written(rows()),
        f"```json\n{written(rows())}\n```",
        written([without(row, "id") for row in rows()]),
        written([{**row, "id": f"e{i}"} for i, row in enumerate([rows()[3], *rows()[:3]])]),
    ],
    ids=["as asked for", "in a fence", "without ids", "in another order than the caption's"],
)
def test_each_expression_gets_its_own_boxes(reply: str) -> None:
    reading = read(reply)
    boxes = [[instance.bbox for instance in one.instances] for one in reading.grounded]
    assert boxes == [
        [(0, 20, 40, 90)],
        [],
        [(200, 20, 240, 90)],
        [(300, 20, 340, 90), (350, 20, 390, 90)],
    ]
    assert [one.text for one in reading.grounded] == [text for text, _, _ in PHRASES]
    assert [str(one.grounding_status) for one in reading.grounded] == ["boxed", "none_seen", "boxed", "boxed"]


def test_a_caption_without_expressions_has_no_boxes() -> None:
    assert read(written([])).grounded == ()


OF_NO_USE = {
    "a phrase that is not in the caption": [*rows(), {**rows()[0], "id": "e4", "text": "a green bus"}],
    "a phrase more often than in the caption": [*rows(), {**rows()[3], "id": "e4"}],
    "an expression without an entry of boxes": [without(rows()[0], "boxes"), *rows()[1:]],
    "a box without a name": [*rows(), {"boxes": [{"bbox": [1, 2, 30, 40]}]}],
    "a box of three numbers": [{**rows()[0], "boxes": [{"bbox": [1, 2, 3]}]}, *rows()[1:]],
    "boxes beyond the frame": [{**row, "boxes": [{"bbox": [900, 900, 1400, 1500]}]} for row in rows()],
    "shares among grid boxes": [{**rows()[0], "boxes": [{"bbox": [0.1, 0.2, 0.3, 0.4]}]}, *rows()[1:]],
    "no text": [without(rows()[0], "text"), *rows()[1:]],
}


@pytest.mark.parametrize("expressions", OF_NO_USE.values(), ids=OF_NO_USE)
def test_what_one_step_would_not_take_is_no_reply_of_both(expressions: list[Any]) -> None:
    with pytest.raises(SampleFailure):
        read(written(expressions))


def test_more_expressions_than_a_call_of_step_1_may_have_are_split() -> None:
    caption = " ".join(f"dog{i:02}" for i in range(26))
    many = [{"id": f"e{i}", "text": f"dog{i:02}", "noun_chunk": "dog", "boxes": []} for i in range(26)]
    assert len(read(written(many[:25], caption)).grounded) == 25
    with pytest.raises(SampleFailure):
        read(written(many, caption))
