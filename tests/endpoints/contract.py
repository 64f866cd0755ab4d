"""Finds the caption and the expressions that a request asks about, by the project's prompt contract.

The varying text of a request holds `<caption>"…"</caption>` and, in step 1, `<expressions>[…]</expressions>`:
JSON with `</` written as `<\\/`, so that a closing tag inside a caption cannot end the element.
Not here: anything about images or about how a reply looks.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.endpoints.wire import Refusal

TAIL_BYTES = 65536
_REST_OF_JSON_STRING = re.compile(rb'(?:[^"\\]|\\.)*+', re.DOTALL)
_ARTICLE = r"(?:a|an|the|some|two|three|four|five)"
_FILLER = (
    r"(?:that|which|who|is|are|was|were|of|in|on|at|by|with|and|or|to|from|near|behind|beside|under|over|next"
    r"|has|have|{article})\b".replace("{article}", _ARTICLE)
)
_ARTICLE_PHRASE = re.compile(rf"\b{_ARTICLE}(?:\s+(?!{_FILLER})\w+){{1,4}}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: step "0" or "1" of a caption, or "" for anything outside the contract."""

    step: Literal["", "0", "1", "01", "2"] = ""
    """"01": both in one reply."""
    caption: str = ""
    expressions: tuple[tuple[str, str], ...] = ()
    """(id, text) of each expression, in order; of step 2 the one that is asked about."""
    box_colour: str = ""
    boxes_drawn: int | None = None
    """Of step 2: how many boxes the picture shows, where the question is whether one is missing."""


def read_question(text: str, told: Sequence[str] = ()) -> Question:
    """The question in a request's varying text, `told` being all of its texts; raises `Refusal` (400) where a tag's content is no JSON.

    A tag counts only with the JSON's first character behind it, which a caption cannot imitate: inside a
    JSON string the quote would be escaped. Expressions are looked for behind the caption alone.
    """
    caption, end = _element(text, "caption", '"', 0)
    if caption is None:
        return Question()
    expression, after = _element(text, "expression", '"', end)
    if expression is not None:
        colour, after = _element(text, "box_colour", '"', after)
        drawn = re.search(r"<boxes_drawn>(\d+)</boxes_drawn>", text[after:])
        return Question("2", caption, (("", expression),), colour or "", int(drawn[1]) if drawn else None)
    expressions, _ = _element(text, "expressions", "[", end)
    if expressions is None:
        joint = all(any(f'"{key}"' in part for part in told) for key in ("cleaned_caption", "boxes"))
        return Question("01" if joint else "0", caption)
    try:
        pairs = tuple((str(entry["id"]), str(entry["text"])) for entry in expressions)
    except (TypeError, KeyError) as error:
        raise Refusal(
            400, f'simulator: <expressions> is not a list of {{"id", "text"}}: {error!r}'
        ) from error
    return Question("1", caption, pairs)


def read_question_in_body(body: bytes) -> Question:
    """The same from the last 64 kB of a raw JSON body that begin inside the image's base64."""
    end = body[-TAIL_BYTES:]
    start = end.find(b'<caption>\\"', end.find(b'"'))
    match = _REST_OF_JSON_STRING.match(end, start) if start >= 0 else None
    return read_question(json.loads(b'"' + match.group() + b'"')) if match else Question()


def named_things(caption: str) -> list[str]:
    """Expressions for a caption without gold: what follows an article, else the first three words."""
    found = [match.group() for match in _ARTICLE_PHRASE.finditer(caption)]
    return found or ([" ".join(caption.split()[:3])[:80]] if caption.strip() else [])


def _element(text: str, name: str, first: str, start: int) -> tuple[Any, int]:
    """(the element's JSON or None, where it ends)."""
    opening = text.find(f"<{name}>{first}", start)
    closing = text.find(f"</{name}>", opening)
    if opening < 0 or closing < 0:
        return None, start
    try:
        return json.loads(text[opening + len(name) + 2 : closing]), closing
    except ValueError as error:
        raise Refusal(400, f"simulator: <{name}> does not hold JSON: {error}") from error
