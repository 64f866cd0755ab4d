"""From the text of a reply to the part that answers, and to the JSON values in it.

Reasoning is cut away here and nowhere else, so nothing after this module can take a box out of it. What the
values mean is the business of `grounding` and `extraction`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.json_values import JsonArray, JsonObject
from grounding_assets.core.replies.lenient_json import Scanner, well_formed

MAX_REPLY_CHARS = 400_000
"""A longer reply is a model running in circles; 8192 tokens are about 30,000 characters."""

_REASONING = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|channel|>analysis<|message|>": "<|channel|>final<|message|>",
}
"""Opening and closing marks, as Qwen, GLM, Cosmos-Reason, Magistral, Kimi and gpt-oss write them."""
_ANSWER_MARKS = re.compile(r"<\|(?:begin|end)_of_box\|>|</?answer>")
_FENCE = re.compile(r"^[ \t]*```[\w-]*", re.MULTILINE)
_BLANK = re.compile(r"[\s,;]*")


@dataclass(frozen=True, slots=True)
class JsonRun:
    """Values that follow each other with nothing but space, commas and fences between: one statement."""

    values: tuple[JsonObject | JsonArray, ...]

    @property
    def truncated(self) -> bool:
        """True where the text ended inside a value."""
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
    text = well_formed(reply)
    closes = [text.rfind(close) + len(close) for close in _REASONING.values() if close in text]
    text = text[max(closes, default=0) :]
    opens = [at for mark in _REASONING if (at := text.find(mark)) >= 0]
    answer = text[: min(opens, default=len(text))]
    if not answer.strip():
        if opens:
            raise SampleFailure(
                Reason.TRUNCATED,
                "The reply ends inside its reasoning; raise the token limit or switch it off.",
            )
        raise SampleFailure(Reason.UNPARSABLE, "The reply is empty.")
    return answer, bool(opens)


def json_runs(answer: str) -> tuple[list[JsonRun], int]:
    """The runs of JSON values of an answer in order, and how many departures from JSON were repaired.

    A value does not go on beyond a code fence, so that a bracket in prose cannot swallow the answer.

    Raises:
        SampleFailure: `unparsable`, where values nest absurdly deep.
    """
    runs: list[list[JsonObject | JsonArray]] = []
    repairs = 0
    gap = "start"
    for segment in _segments(_ANSWER_MARKS.sub(" ", answer)):
        scanner = Scanner(segment)
        end = 0
        for found in scanner.values():
            gap += segment[end : found.start]
            if runs and runs[-1][-1].closed and _BLANK.fullmatch(gap):
                runs[-1].append(found.value)
            else:
                runs.append([found.value])
            gap, end = "", found.end
        gap += segment[end:]
        repairs += scanner.repairs
    return [JsonRun(tuple(values)) for values in runs], repairs


def excerpt(answer: str) -> str:
    """The beginning of an answer, quoted, for an error message."""
    return repr(answer.strip()[:80])


def _segments(answer: str) -> Iterator[str]:
    start = 0
    for fence in _FENCE.finditer(answer):
        yield answer[start : fence.start()]
        start = fence.end()
    yield answer[start:]
