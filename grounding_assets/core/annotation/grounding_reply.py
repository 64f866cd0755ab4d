"""Step 1's bookkeeping: from a reply to expressions with instances and a status.

What teachers do with a reply when it comes, and what `reparse` does with it again later.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from grounding_assets.core.boxes.coordinates import Convention
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.replies import (
    MatchResult,
    ParsedGrounding,
    content,
    declared_forms,
    denies,
    leaves_out,
    match_entries,
    may_be_the_only_one,
    parse_grounding,
    read_obedient,
    refuse_disclaimed,
    token_of_another_frame,
)

MAX_EXPRESSIONS_PER_CALL = 25
"""Google's own prompt asks for at most 25 objects; longer lists make models loop."""


def read_part(
    reply: str,
    part: Sequence[Expression],
    convention: Convention,
    *,
    ended_for_length: bool,
    only_measures: bool = False,
) -> MatchResult:
    """What one reply says of the expressions it was asked about.

    The expressions were named `e0`, `e1`, … in the order of `part`.

    Args:
        ended_for_length: whether the endpoint says that it cut the reply.
        only_measures: whether boxes that belong to nobody are let pass, to be counted by the measurement.

    Raises:
        SampleFailure: `unparsable` if the reply is not about what was asked, whole and in one voice, such as where
            boxes belong to nobody and an expression is not mentioned; `truncated` if it was cut.
    """
    asked = [(f"e{i}", expression.text) for i, expression in enumerate(part)]
    if (obedient := read_obedient(reply, asked)) is not None:
        return obedient
    parsed = parse_grounding(reply, corner_order=convention.order)
    says_none = not any(entry.boxes for entry in parsed.entries)
    # a reason not to look is often given in the reasoning, but a doubt that was overcome is no reason
    told = reply if says_none else parsed.answer
    refuse_disclaimed(told, about=[text for _, text in asked], says_none=says_none)
    matched = match_entries(parsed, asked)
    _refuse_other_form(parsed, convention)
    unmentioned = [
        text for (_, text), m in zip(asked, matched.per_expression, strict=True) if not m.mentioned
    ]
    may_be_cut = ended_for_length and (bool(unmentioned) or not _is_one_document(parsed))
    _refuse_cut_and_garbled(parsed, matched, may_be_cut=may_be_cut)
    if not only_measures:
        _refuse_other_tokens(parsed, convention)
        _refuse_denied(parsed, asked)
        _refuse_unattributed(parsed, matched, asked, unmentioned)
    return matched


def _is_one_document(parsed: ParsedGrounding) -> bool:
    last = parsed.statements[-1]
    return last.is_json and not last.is_line and parsed.ends_with_statement


def _refuse_cut_and_garbled(parsed: ParsedGrounding, matched: MatchResult, *, may_be_cut: bool) -> None:
    if parsed.truncated or may_be_cut:
        raise SampleFailure(Reason.TRUNCATED, "The reply breaks off.")
    garbled = [m for m in matched.per_expression if m.mentioned and m.unreadable]
    if garbled:
        raise SampleFailure(
            Reason.UNPARSABLE, f"The boxes of {len(garbled)} expressions are not four numbers each."
        )
    if any(m.contradictory for m in matched.per_expression):
        raise SampleFailure(
            Reason.UNPARSABLE, "The reply gives one expression different boxes in two places."
        )


def _refuse_other_form(parsed: ParsedGrounding, convention: Convention) -> None:
    forms = declared_forms(parsed.prose)
    orders = forms & {"xyxy", "yxyx", "xywh", "cxcywh"}
    if orders and convention.order not in orders:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply says that its boxes are {' or '.join(sorted(orders))}, but {convention.order} was asked for.",
        )
    if convention.grid != 100 and "percent" in forms:
        raise SampleFailure(Reason.UNPARSABLE, "The reply says that its boxes are percentages.")
    if "turned" in forms:
        raise SampleFailure(
            Reason.UNPARSABLE, "The reply says that its boxes are not counted from the top left."
        )


def _refuse_other_tokens(parsed: ParsedGrounding, convention: Convention) -> None:
    if token := token_of_another_frame(parsed.answer, convention):
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply holds {token}, a token of another order or grid than {convention.name}; set vlm.family.",
        )


def _refuse_denied(parsed: ParsedGrounding, asked: Sequence[tuple[str, str]]) -> None:
    """A box without a name belongs to the one expression that was asked for, unless words may say otherwise."""
    if len(asked) != 1 or not denies(parsed.prose):
        return
    text = content(asked[0][1])
    if any(
        may_be_the_only_one(entry) and (entry.label is None or content(entry.label) != text)
        for entry in parsed.entries
    ):
        raise SampleFailure(
            Reason.UNPARSABLE,
            "The reply gives a box without a name, and its words deny something: perhaps that this is the box.",
        )


def _refuse_unattributed(
    parsed: ParsedGrounding,
    matched: MatchResult,
    asked: Sequence[tuple[str, str]],
    unmentioned: Sequence[str],
) -> None:
    in_words = any(not statement.is_json for statement in parsed.statements)
    labels = matched.unmatched_labels
    # names behind their boxes look like the names of the next ones, and a late box may correct another
    strays = "" in labels and (in_words or len(parsed.statements) > 1)
    strays |= in_words and any(_mentions(label, asked) for label in labels)
    if strays or (unmentioned and matched.unmatched_boxes):
        named = [label for label in labels if label]
        under = f"labelled {_listed(named)}" if named else "without names"
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"{matched.unmatched_boxes} boxes came {under}, which fit none of the expressions"
            + (f"; {_listed(unmentioned)} got none." if unmentioned else "."),
        )
    if not unmentioned:
        return
    if repeated := _repeated_ids(parsed):
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply gives the id {_listed(repeated)} twice, and does not mention {_listed(unmentioned)}.",
        )
    whole = all(statement.sound and statement.is_json for statement in parsed.statements)
    whole = whole and not parsed.unreadable and not leaves_out(parsed.prose)
    if len(unmentioned) == len(asked) or not whole:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply does not mention {_listed(unmentioned)}, and does not say that the image lacks it.",
        )


def _mentions(label: str, asked: Sequence[tuple[str, str]]) -> bool:
    """Whether a label that is no expression's speaks of one."""
    words = " ".join(("", *re.findall(r"[^\W_]+", label.lower()), ""))
    return any(f" {name} " in words or f" {text.lower()} " in words for name, text in asked)


def _repeated_ids(parsed: ParsedGrounding) -> list[str]:
    """Ids that stand for two entries of one document and nothing else says of what: one may be another's."""
    counts = Counter(
        (id(statement), entry.expression_id)
        for statement in parsed.statements
        for entry in statement.entries
        if entry.expression_id is not None and not entry.labels
    )
    return [name for (_, name), count in counts.items() if count > 1]


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(repr(text[:40]) for text in texts[:3])
    return f"{shown} and {len(texts) - 3} more" if len(texts) > 3 else shown


def reading_provenance(parts: Sequence[MatchResult]) -> dict[str, object]:
    """What reading left out or put right, for the provenance; the labels only if there are any."""
    labels = dict.fromkeys(label for part in parts for label in part.unmatched_labels)
    return {
        "unmatched_boxes": sum(part.unmatched_boxes for part in parts),
        **({"unmatched_labels": list(labels)} if labels else {}),
        "superseded_entries": sum(part.superseded for part in parts),
        "repairs": sum(part.repairs for part in parts),
    }


def grounded_expressions(
    expressions: Sequence[Expression], instances: Sequence[tuple[Instance, ...]], mentioned: Sequence[bool]
) -> tuple[Expression, ...]:
    """The expressions with their instances; not being mentioned is told apart from having none."""
    return tuple(
        replace(expression, instances=boxes, grounding_status=_status(boxes, named))
        for expression, boxes, named in zip(expressions, instances, mentioned, strict=True)
    )


def _status(boxes: Sequence[Instance], mentioned: bool) -> GroundingStatus:
    if boxes:
        return GroundingStatus.BOXED
    return GroundingStatus.NONE_SEEN if mentioned else GroundingStatus.NOT_MENTIONED
