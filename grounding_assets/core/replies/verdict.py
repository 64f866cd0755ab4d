"""The reply to a multiple-choice question of step 2. Read strictly: what is no plain answer is no answer."""

from enum import StrEnum

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.answer import answer_text, excerpt, json_parts
from grounding_assets.core.replies.disclaimers import refuse_disclaimed
from grounding_assets.core.replies.json_values import JsonObject


class Verdict(StrEnum):
    """What may be answered."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


def parse_verdict(reply: str) -> Verdict:
    """The answer of `{"answer": "yes" | "no" | "unsure"}`, with or without prose, fences or reasoning around it.

    Raises:
        SampleFailure: `truncated` inside the reasoning; `unparsable` if there is no such object, more than
            one, one with other keys, or another answer, or if the model says that it did not look.
    """
    answer, cut = answer_text(reply)
    parts = json_parts(answer)
    if len(parts.values) == 1 and not cut and not parts.repairs:
        value = parts.values[0]
        if isinstance(value, JsonObject) and value.closed and value.sound and len(value.pairs) == 1:
            key, word = value.pairs[0]
            if key == "answer" and isinstance(word, str) and word in list(Verdict):
                refuse_disclaimed(answer)
                return Verdict(word)
    raise SampleFailure(
        Reason.TRUNCATED if cut else Reason.UNPARSABLE,
        f"No plain yes, no or unsure in {excerpt(answer)}.",
    )
