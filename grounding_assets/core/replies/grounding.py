"""A step-1 reply as typed entries, whatever form its family writes.

Finding JSON is the business of `answer` and `lenient_json`, tokens that of `tokens`; matching entries to the
expressions that were asked for is `matching`, pixels are `coordinates`.
"""

import re
from typing import Literal

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.answer import JsonRun, answer_text, excerpt, json_runs
from grounding_assets.core.replies.entries import EntryReader, Rank, Reading
from grounding_assets.core.replies.parsed import ParsedGrounding
from grounding_assets.core.replies.tokens import read_tokens

_POINT_XML = re.compile(r"<points?\s")


def parse_grounding(reply: str, *, corner_order: Literal["xyxy", "yxyx"] = "xyxy") -> ParsedGrounding:
    """Reads the boxes of a reply, or says why it cannot; unreadable is never the same as nothing there.

    Of several statements the last one that names what its boxes show is taken; boxes without a name count
    only where there is no such statement, a bare empty list only where there are no boxes at all.

    Args:
        reply: the text of the answer as the model wrote it, reasoning and all.
        corner_order: the family's order, given to boxes whose corners are named (`x_min`, `x1`, `left`),
            so that all boxes of a reply stand in one order.

    Raises:
        SampleFailure: `truncated`, where the text ends before anything is complete; `unparsable` for
            all else that holds neither boxes nor an explicit empty list, points included.

    >>> parse_grounding('{"expressions": [{"id": "e0", "boxes": [{"box_2d": [1, 2, 3, 4]}]}]}').entries
    (ReplyEntry(expression_id='e0', labels=(), boxes=((1.0, 2.0, 3.0, 4.0),), scores=(None,), \
complete=True, unreadable=0),)
    """
    answer, cut_in_reasoning = answer_text(reply)
    runs, repairs = json_runs(answer)
    readings = [_read_run(run, corner_order) for run in runs]
    if all(reading.rank < Rank.NAMED for reading in readings):
        in_tokens = read_tokens(answer)
        readings = [in_tokens] if in_tokens.rank else [*readings, in_tokens]
    position = max(range(len(readings)), key=lambda i: (readings[i].rank, i))
    best = readings[position]
    if not best.rank:
        cut = cut_in_reasoning or any(reading.truncated for reading in readings)
        raise _failure(answer, readings, cut)
    ignored = sum(reading.rank >= Rank.BOXES for reading in readings if reading is not best)
    return ParsedGrounding(
        tuple(best.entries),
        truncated=cut_in_reasoning or any(reading.truncated for reading in readings[position:]),
        unreadable=best.unreadable,
        ignored_values=ignored,
        repairs=repairs,
    )


def _read_run(run: JsonRun, corner_order: Literal["xyxy", "yxyx"]) -> Reading:
    reader = EntryReader(corner_order)
    for value in run.values:
        reader.read(value)
    return reader.reading()


def _failure(answer: str, readings: list[Reading], truncated: bool) -> SampleFailure:
    if _POINT_XML.search(answer) or any(reading.points for reading in readings):
        message = "The reply gives points instead of boxes; use a model that answers with boxes."
        return SampleFailure(Reason.UNPARSABLE, message)
    if truncated:
        message = "The reply ends before its first complete box; raise the token limit."
        return SampleFailure(Reason.TRUNCATED, message)
    unreadable = sum(reading.unreadable for reading in readings)
    if unreadable:
        message = f"The reply holds {unreadable} values where boxes should be, none of them four numbers"
    else:
        message = "The reply holds neither JSON with boxes nor box tokens"
    return SampleFailure(Reason.UNPARSABLE, f"{message}; it begins {excerpt(answer)}")
