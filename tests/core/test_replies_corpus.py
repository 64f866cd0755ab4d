"""Replies of real models, and the cases that the maintainers of another parser wrote by hand."""

import ast
import json
import re

import pytest

from grounding_assets.core.boxes.coordinates import CONVENTIONS, decode, resolve_boxes
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import match_entries, parse_grounding
from tests.corpus import needs_corpus
from tests.reply_table import FOLDER, main, outcome, rows

pytestmark = needs_corpus("vlm_replies")

ROWS = {row["id"]: row for row in rows()} if FOLDER.exists() else {}

NO_BOXES = {
    "florence2_04": "neither JSON with boxes nor box tokens",
    "mlx_03": "points instead of boxes",
    "mlx_04": "points instead of boxes",
    "mlx_05": "points instead of boxes",
    "mlx_06": "57 values where boxes should be",  # quadrilaterals
    "qwen_01": "neither JSON with boxes nor box tokens",  # HTML
    "qwen_12": "neither JSON with boxes nor box tokens",  # HTML
    "qwen_21": "points instead of boxes",
    "qwen3vl_toolcall_01": "neither JSON with boxes nor box tokens",  # a part to zoom into
}
BOX_COUNTS = {
    "deepseekocr_01": 1,
    "dsvl2_readme_01": 1,
    "florence2_01": 10,
    "florence2_02": 3,
    "florence2_03": 4,
    "gemini_01": 13,
    "gemini_02": 2,
    "gemini_03": 4,
    "gemini_09": 13,
    "gemini_10": 2,
    "gemini_11": 2,
    "gemini_12": 20,
    "gemini_15": 15,
    "gemini_16": 2,
    "gemini_17": 6,
    "gemini_18": 15,
    "gemini_19": 13,
    "gemini_20": 13,
    "kosmos2_01": 2,
    "kosmos2_02": 6,
    "mlx_00": 9,
    "mlx_01": 2,
    "mlx_07": 8,
    "paligemma_01": 1,
    "qwen_06": 14,
    "qwen_09": 13,
    "qwen_10": 39,
    "qwen_19": 7,
    "qwen_20": 9,
}
"""Counted in the texts, by their keys and tokens."""


def test_the_whole_corpus_is_covered():
    assert len(ROWS) == 38
    assert ROWS.keys() == BOX_COUNTS.keys() | NO_BOXES.keys()


@pytest.mark.parametrize("name", BOX_COUNTS)
def test_every_box_and_none_that_is_invented(name):
    row = ROWS[name]
    result = outcome(row)
    assert result.failure is None
    assert result.box_count == BOX_COUNTS[name]
    assert result.parsed is not None and not result.parsed.truncated
    assert result.parsed.unreadable == 0
    if result.expected is not None:
        assert result.right == len(result.expected) == result.box_count
    if not name.startswith("kosmos2"):  # patch indices are not coordinates
        for entry in result.entries:
            for box in entry.boxes:
                digits = r"\D+".join(f"0*{n:.0f}" for n in box)
                assert re.search(rf"(?<!\d){digits}(?!\d)", row["raw_text"])


@pytest.mark.parametrize("name", NO_BOXES)
def test_a_reply_without_boxes_is_a_failure_and_never_an_empty_result(name):
    result = outcome(ROWS[name])
    assert result.failure is not None and result.failure.reason == Reason.UNPARSABLE
    assert NO_BOXES[name] in str(result.failure)


def test_names_stand_with_their_boxes():
    entries = parse_grounding(ROWS["qwen_20"]["raw_text"]).entries
    assert [entry.labels for entry in entries][5:7] == [
        ("伊黑小芭内", "Obanai Iguro"),
        ("炼狱杏寿郎", "Kyojuro Rengoku"),
    ]
    assert entries[5].boxes == ((649, 116, 794, 643),)
    entries = parse_grounding(ROWS["mlx_00"]["raw_text"]).entries
    assert [entry.label for entry in entries].count("speaker") == 2


def test_the_table_is_printed_by_one_command(capsys):
    assert main() == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ROWS)
    assert "38 replies; 38 of 38 expected boxes right" in printed


# The hand-written cases: how each function under test is called, in terms of this project.
FUNCTIONS = {
    "test_from_paligemma": ("yxyx_1024", None),
    "test_from_qwen_2_5_vl": ("xyxy_px_sent", "first"),
    "test_from_google_gemini": ("yxyx_1000", None),
    "test_from_google_gemini_2_5": ("yxyx_1000", None),
    "test_from_moondream": ("xyxy_norm", None),
    "test_from_deepseek_vl_2": ("xyxy_999", None),
}
NOT_THE_PARSERS = {16, 17, 29, 30, 39, 40, 48, 49, 58, 59}
"""They give the other parser an image of no size; here a size is checked when the image is read."""
UNREADABLE = {
    **dict.fromkeys([0, 1, 2], "empty"),
    **dict.fromkeys([3, 18, 31, 50, 63], "prose"),
    **dict.fromkeys([4, 5], "three or five location tokens"),
    **dict.fromkeys([19, 32, 51], "no JSON in the fence"),
    41: "an object that says nothing",
    43: "a string where the list should be",
    62: "empty",
    68: "a name without a box",
}
"""They expect an empty result (62, 63, 68 an error); here what cannot be read is a failure."""
UNNAMED = {6: 1, 21: 2, 69: 1}
"""They drop boxes without a name (69 is an error); here such boxes are read, and fit nothing where several
expressions were asked for."""
CUT = {28}
"""They take what is whole in a reply that breaks off; here cut is cut."""
OUT_OF_RANGE = {26}
"""It keeps a box that leaves the frame by 9 %; here that is decoded the same, then refused."""


def fixtures():
    if not FOLDER.exists():
        return []
    return json.loads((FOLDER / "fixtures_supervision.json").read_text(encoding="utf-8"))["cases"]


CASES = dict(enumerate(fixtures()))
COMPARABLE = [i for i in CASES if i not in NOT_THE_PARSERS | UNREADABLE.keys() | UNNAMED.keys() | CUT]


def reply_of(case):
    return case["input"] if isinstance(case["input"], str) else json.dumps(case["input"])


def call_of(case):
    """(convention, size sent, image size, classes) of a case."""
    name, sent = FUNCTIONS[case["test"]]
    literals = [ast.literal_eval(arg) for arg in case["args"] if re.match(r"\(-?\d|\[|None", arg)]
    sizes = [literal for literal in literals if isinstance(literal, tuple)]
    classes = next((literal for literal in literals if isinstance(literal, list)), None)
    return CONVENTIONS[name], sizes[0], sizes[1 if sent else 0], classes


def arrays_of(case, pattern):
    return [ast.literal_eval(found) for found in re.findall(rf"np\.array\(({pattern})", case["args"][-1])]


def test_all_the_cases_are_accounted_for():
    assert len(CASES) == 70
    assert len(COMPARABLE) == 70 - len(NOT_THE_PARSERS) - len(UNREADABLE) - len(UNNAMED) - len(CUT)


@pytest.mark.parametrize("index", COMPARABLE)
def test_hand_written_cases(index):
    case = CASES[index]
    convention, sent, image, classes = call_of(case)
    parsed = parse_grounding(reply_of(case), corner_order=convention.order)
    expected = [box for boxes in arrays_of(case, r"\[\[.*?\]\]") for box in boxes]
    boxes, scores = (
        [box for entry in parsed.entries for box in entry.boxes],
        [score for entry in parsed.entries for score in entry.scores],
    )
    if classes is not None:
        result = match_entries(parsed, [(f"e{i}", text) for i, text in enumerate(classes)])
        found = [matched for matched in result.per_expression if matched.mentioned]
        assert result.unmatched_boxes == len(boxes) - len(expected)
        boxes = [box for matched in found for box in matched.boxes]
        scores = [score for matched in found for score in matched.scores]
    got = [decode(box, convention, sent, image) for box in boxes]
    assert [list(box) for box in got] == [pytest.approx(box, abs=0.06) for box in expected]
    if "confidence" in reply_of(case) and expected:
        assert [scores] == arrays_of(case, r"\[0\.\d[^]]*\]")
    assert not parsed.truncated

    if index in OUT_OF_RANGE:
        with pytest.raises(SampleFailure) as failure:
            resolve_boxes(parsed.entries, convention, sent, image)
        assert failure.value.reason == Reason.COORDINATES


@pytest.mark.parametrize("index", UNREADABLE)
def test_hand_written_cases_that_are_unreadable(index):
    with pytest.raises(SampleFailure) as failure:
        parse_grounding(reply_of(CASES[index]))
    assert failure.value.reason == Reason.UNPARSABLE


@pytest.mark.parametrize("index", UNNAMED)
def test_hand_written_cases_without_names(index):
    result = match_entries(parse_grounding(reply_of(CASES[index])), [("e0", "cat"), ("e1", "dog")])
    assert result.unmatched_boxes == UNNAMED[index]
    assert result.unmatched_labels == ("",)
    assert not any(matched.mentioned for matched in result.per_expression)


@pytest.mark.parametrize("index", CUT)
def test_hand_written_cases_that_break_off(index):
    with pytest.raises(SampleFailure) as failure:
        parse_grounding(reply_of(CASES[index]))
    assert failure.value.reason == Reason.TRUNCATED
