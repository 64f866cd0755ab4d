"""From the text of a reply to the part that answers, and to the JSON values in it."""

import json
import re
from dataclasses import dataclass

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.json_values import JsonArray, JsonObject
from grounding_assets.core.replies.lenient_json import Scanner, well_formed
from grounding_assets.core.replies.reasoning import NEXT_TURN, without_reasoning
from grounding_assets.core.replies.wording import goes_on

MAX_REPLY_CHARS = 400_000
"""A longer reply is a model running in circles; 8192 tokens are about 30,000 characters."""

FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[\w-]*", re.MULTILINE)
_BOX = r"(?:<|[\[({][\[({\s]{0,9}[-+.\d]{1,9}[,;\s]{1,9}[-+.\d]|[\[{][\[{\s]{0,9}[\"'])"
_OTHERS_TURN = re.compile(
    r"^[#* \t]*(?:(?:user|human|question|instruction|q)[* \t]*:[* \t]*+|(?:user|human)[* \t]*$)"
    rf"(?!\s*{_BOX}|[^\n]*{_BOX})",
    re.I | re.M,
)
"""A line that opens a turn; with a box behind it, the word names what the box shows."""
_OWN_TURN = re.compile(r"^[#* \t]*(?:assistant|answer|model|response|a)[* \t]*(?::|$)", re.I | re.M)
_ABOUT_ANSWER = re.compile(
    r"\b(?:(?:is|are|was|were) (?:that|this|it|these|those) (?:\w+ )?(?:all\b|everything\b|right\s?\?)"
    r"|(?:that|this|it)(?:'s| is) all\b|all(?: of (?:it|them|these|those))?\s?\?"
    r"|(?:any\w*|some\w*|what|who|where) else\b[^.\n]{0,80}\?"
    r"|another\b(?! (?:image|photo|picture|example|question|task|prompt))|missed\b|overlook|left out\b"
    r"|forg[eo]t(?:ten)?\b(?! to\b)|(?:did|have) (?:you|i|we)\b|you (?:\w+ )?sure\b|(?:sure|missing|more|others?)\s?\?"
    r"|correct\b[^.\n]{0,80}\?|correct (?:it|that|this|them|the|your)\b|you(?:'re| are) right\b|again\b)",
    re.IGNORECASE,
)
"""What is said of an answer that was given: another question, such as for all objects, says nothing of it."""
_BRACKETED = re.compile(r"[\[({<].*[\])}>]", re.S)
_CLOSING = re.compile(r"[\s\]})>`~'\"|,;.]*")


@dataclass(frozen=True, slots=True)
class JsonParts:
    """The JSON values of an answer in order."""

    values: tuple[JsonObject | JsonArray, ...]
    tail: str
    """What follows the last value."""
    repairs: int
    """Departures from JSON that were put right."""


def answer_text(reply: str) -> tuple[str, bool]:
    """The reply without its reasoning, and whether it was cut off inside reasoning.

    Raises:
        SampleFailure: `unparsable` for an empty or an absurdly long reply, or one of two answers; `truncated` for
            one that is nothing but reasoning.
    """
    if len(reply) > MAX_REPLY_CHARS:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply has {len(reply)} characters, more than {MAX_REPLY_CHARS}; lower the token limit.",
        )
    came = _unwrapped(well_formed(reply).strip().removeprefix("\ufeff"))
    text, cut = without_reasoning(came.replace(NEXT_TURN, "\ufffd"))
    text, turns = _own_turn(text)
    if not cut:
        _refuse_second_answer(text, turns)
    if not text.strip():
        if cut:
            raise SampleFailure(
                Reason.TRUNCATED,
                "The reply ends inside its reasoning; raise the token limit or switch it off.",
            )
        raise SampleFailure(Reason.UNPARSABLE, "The reply is empty, or holds nothing but reasoning.")
    return text, cut


def _own_turn(text: str) -> tuple[str, str]:
    """The text up to the turn of somebody else that a model invents behind its answer, and answers as well; and the rest.

    >>> _own_turn('{"boxes": []}\\nUser: And the tree?\\nAssistant: {"boxes": [[1, 2, 3, 4]]}')
    ('{"boxes": []}\\n', 'User: And the tree?\\nAssistant: {"boxes": [[1, 2, 3, 4]]}')
    """
    turns = ""
    if answered := re.search(r"[\]}]", text):
        # without an answer behind it, a question is one that the model puts to itself
        last = max((found.start() for found in _OWN_TURN.finditer(text)), default=0)
        opened = (found for found in _OTHERS_TURN.finditer(text, answered.end()) if found.end() <= last)
        ends = [text.find(NEXT_TURN, answered.end()), next((found.start() for found in opened), -1)]
        end = min((end for end in ends if end >= 0), default=len(text))
        text, turns = text[:end], text[end:].partition(NEXT_TURN)[0]
    return text.replace(NEXT_TURN, "\n"), turns


def _refuse_second_answer(answer: str, turns: str) -> None:
    """Raises `SampleFailure` if the turns behind an answer speak of it and give another: nobody can say which counts.

    An answer that was cut passes: what reads it says so, and it is asked for again with more room.
    """
    if not (own := _OWN_TURN.search(turns)):
        return
    said = turns[own.end() :]
    box = re.search(_BOX, said)
    if box is None:
        return
    introduction = said[: box.start()]
    if not (_ABOUT_ANSWER.search(turns[: own.start()] + introduction) or goes_on(introduction)):
        return
    first, second = ("".join("".join(_BRACKETED.findall(part)).split()) for part in (answer, said))
    if first != second and all(value.closed for value in json_parts(answer).values[-1:]):
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply asks itself about its answer and gives another one behind {excerpt(turns)}.",
        )


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
        if found := list(scanner.values()):
            values += found
            tail = ""
        tail += segment[scanner.at :]
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
