"""Replies to step 0 that are not the whole answer: cut, with something left out, a draft, or no caption at all."""

import json

import pytest

from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.errors import SampleFailure

CAPTION = "we can see a red car next to a tree and two dogs"
CLEANED = "A red car is next to a tree and two dogs."
PHRASES = [{"text": text} for text in ("A red car", "a tree", "two dogs")]
WHOLE = {"cleaned_caption": CLEANED, "expressions": PHRASES}
PART = {"cleaned_caption": CLEANED, "expressions": PHRASES[:1]}


def _part(rest: str) -> str:
    return f'{{"cleaned_caption": "{CLEANED}", "expressions": [{{"text": "A red car"}}, {rest}]}}'


NOT_WHOLE = {
    **{f"says {said}": json.dumps({**PART, **said}) for said in (
        {"truncated": True}, {"is_truncated": "true"}, {"partial": True}, {"complete": False}, {"more": "2 omitted"},
        {"omitted": 2}, {"remaining": ["a tree"]}, {"hasMore": True},
    )},
    **{f"elided by {rest}": _part(rest) for rest in ("...", "…", '"..."', '{"...": "..."}', "[2 more]", "etc.", "/* rest */")},
    "breaks off below a heading": f"## Thinking\nMaybe {json.dumps(PART)} but",
    "thinking left open": rf"\begin{{thinking}}Maybe {json.dumps(PART)}",
    "a draft alone": json.dumps({"draft": WHOLE}),
    "the template": json.dumps({"cleaned_caption": "...", "expressions": ["A red car"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_is_not_the_whole_answer_is_none(name):
    with pytest.raises(SampleFailure):
        read_cleaned(NOT_WHOLE[name], CAPTION, ended_for_length=False)


@pytest.mark.parametrize(
    "reply",
    [
        {**WHOLE, "truncated": False, "complete": True},
        {**WHOLE, "language": "en", "notes": "spelling mended", "count": 3},
        {"final": WHOLE, "draft": PART},
        {"previous": PART, **WHOLE},
    ],
)
def test_what_is_said_beside_a_whole_answer_does_no_harm(reply):
    assert len(read_cleaned(json.dumps(reply), CAPTION, ended_for_length=False).phrases) == len(PHRASES)
