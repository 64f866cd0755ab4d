"""From the text of a reply to the part that answers, and to the JSON values in it."""

import json
import re
from dataclasses import dataclass

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.json_values import JsonArray, JsonObject
from grounding_assets.core.replies.lenient_json import Scanner, well_formed
from grounding_assets.core.replies.reasoning import NEXT_TURN, without_reasoning

MAX_REPLY_CHARS = 400_000
"""A longer reply is a model running in circles; 8192 tokens are about 30,000 characters."""

FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w-]*", re.MULTILINE)
_OTHERS_TURN = re.compile(
    rf"^[ \t]*(?:{NEXT_TURN}|human)[ \t]*$|^[#*\s]*(?:user|human|question|instruction|q)[* ]*:", re.I | re.M
)
_CLOSING = re.compile(r"[\s\]})>`~'\"|,;.]*")


@dataclass(frozen=True, slots=True)
class JsonParts:
    """The JSON values of an answer in order."""

    values: tuple[JsonObject | JsonArray, ...]
    tail: str
    """What follows the last value."""
    repairs: int
    """Departures from JSON that were put right."""

    @property
    def truncated(self) -> bool:
        """True if the text ended inside a value."""
        return not all(value.closed for value in self.values)


def answer_text(reply: str) -> tuple[str, bool]:
    """The reply without its reasoning, and whether it was cut off inside reasoning.

    Raises:
        SampleFailure: `unparsable` for an empty or an absurdly long reply, `truncated` for one that is
            nothing but reasoning.
    """
    if len(reply) > MAX_REPLY_CHARS:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply has {len(reply)} characters, more than {MAX_REPLY_CHARS}; lower the token limit.",
        )
    text, cut = without_reasoning(_unwrapped(well_formed(reply).strip().removeprefix("\ufeff")))
    text = _own_turn(text)
    if not text.strip():
        if cut:
            raise SampleFailure(
                Reason.TRUNCATED,
                "The reply ends inside its reasoning; raise the token limit or switch it off.",
            )
        raise SampleFailure(Reason.UNPARSABLE, "The reply is empty, or holds nothing but reasoning.")
    return text, cut


def _own_turn(text: str) -> str:
    """The text up to the turn of somebody else that a model invents behind its answer, and answers as well.

    >>> _own_turn('{"boxes": []}\\nUser: And the tree?\\nAssistant: {"boxes": [[1, 2, 3, 4]]}')
    '{"boxes": []}\\n'
    """
    for found in _OTHERS_TURN.finditer(text):
        before = text[: found.start()]
        if "]" in before or "}" in before:
            return before
    return text


def json_parts(answer: str) -> JsonParts:
    """The JSON values of an answer. None goes on beyond a code fence: a bracket in prose cannot swallow it.

    Raises:
        SampleFailure: `unparsable`, if values nest absurdly deep.
    """
    values: list[JsonObject | JsonArray] = []
    tail = ""
    repairs = 0
    for segment in FENCE.split(answer):
        scanner = Scanner(segment)
        end = 0
        for found in scanner.values():
            values.append(found.value)
            tail, end = "", found.end
        tail += segment[end:]
        repairs += scanner.repairs
    return JsonParts(tuple(values), tail, repairs)


def is_closing(tail: str) -> bool:
    """Whether a text is nothing but the end of what stands before it: blanks, brackets, quotes, fences."""
    return _CLOSING.fullmatch(tail) is not None


def excerpt(answer: str) -> str:
    """The beginning of an answer, quoted, for an error message."""
    return repr(answer.strip()[:80])


def _unwrapped(text: str) -> str:
    """The text of a reply that is one JSON string, which holds the reply."""
    if not (text.startswith('"') and text.endswith('"')):
        return text
    try:
        inner = json.loads(text)
    except ValueError:
        return text
    return well_formed(inner) if isinstance(inner, str) else text
