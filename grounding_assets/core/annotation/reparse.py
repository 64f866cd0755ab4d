"""The stored replies of results and failures through today's parser and conventions, without a call.

Family, convention and sizes are a result's own. What people edited or imported, and what no model answered, is left alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from grounding_assets.core.annotation.asking_again import ASKED_AGAIN
from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.annotation.grounding_reply import (
    MAX_EXPRESSIONS_PER_CALL,
    grounded_expressions,
    read_part,
    reading_provenance,
)
from grounding_assets.core.annotation.joint_reply import JOINT, grounding_of
from grounding_assets.core.boxes.coordinates import CONVENTIONS, resolve_boxes
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, PixelBox
from grounding_assets.core.spans.alignment import to_expressions
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint, settings_fingerprint
from grounding_assets.core.store.sample_locks import Claims

T = TypeVar("T")
PARSED_STEPS = (Step.EXTRACTION, Step.GROUNDING)
"""Those whose replies a parser turns into results."""
_READABLE_LATER = (Reason.UNPARSABLE, Reason.TRUNCATED, Reason.COORDINATES)


class LeftAlone(Exception):
    """Why a result stays as it is."""


@dataclass(frozen=True, slots=True)
class Reparsed:
    """One step of one sample."""

    sample_id: str
    step: Step
    what: str
    """What changes, or why the result is left alone."""
    checkpoint: Checkpoint | None
    """The new result; None if it is left alone."""


def reparse(workspace: Workspace, steps: Sequence[Step] = PARSED_STEPS) -> Iterator[Reparsed]:
    """Everything that would change, and every result that cannot be read; what stays the same is not told.

    Only current results are read, those of the input as it is.
    """
    for sample_id in workspace.samples.ids:
        extraction = _current(workspace, sample_id, Step.EXTRACTION)
        if Step.EXTRACTION in steps:
            found = _again(workspace, sample_id, Step.EXTRACTION, partial(_extracted_again, workspace))
            if found is not None:
                yield found
                extraction = found.checkpoint or extraction
        if Step.GROUNDING in steps and extraction is not None:
            found = _again(workspace, sample_id, Step.GROUNDING, partial(_grounded_again, extraction))
            if found is not None:
                yield found


def keep_reparsed(workspace: Workspace, found: Sequence[Reparsed]) -> int:
    """Puts new results in their places; returns how many. Raises RunStopped if one cannot be written.

    What another run is working on, or has made again since the replies were read, is left to it: that is newer.
    """
    kept = 0
    with Claims(workspace.results_dir) as claims:
        for one in found:
            if one.checkpoint is None or not claims.take(one.sample_id):
                continue
            index = workspace.step(one.step).index
            if index.look_again(one.sample_id) is None:
                index.save(one.checkpoint)
                kept += 1
            claims.give_up(one.sample_id)
    for step in PARSED_STEPS:
        workspace.step(step).index.flush()
    return kept


def _current(workspace: Workspace, sample_id: str, step: Step) -> Checkpoint | None:
    return workspace.step(step).store.load(sample_id) if workspace.is_done(sample_id, step) else None


def _again(
    workspace: Workspace, sample_id: str, step: Step, read: Callable[[Checkpoint], Checkpoint]
) -> Reparsed | None:
    """What `read` makes of the stored replies of a result or a failure; None if nothing is to be told."""
    before = _current(workspace, sample_id, step)
    try:
        stored = before or _failed(workspace, sample_id, step)
        if stored is None or not _is_a_models(stored):
            return None
        after = read(stored)
    except (LeftAlone, SampleFailure) as reason:
        return None if before is None else Reparsed(sample_id, step, f"left alone: {reason}", None)
    return _compared(before, after, step)


def _extracted_again(workspace: Workspace, stored: Checkpoint) -> Checkpoint:
    """Raises LeftAlone if no reply can be read."""
    sample = workspace.samples.read(stored.sample_id)
    numbers = range(len(stored.replies))
    parsed = _last_readable(stored, numbers, partial(read_cleaned, caption=sample.caption))
    spanned = to_expressions(parsed.cleaned_caption, parsed.phrases)
    return replace(
        stored,
        cleaned_caption=parsed.cleaned_caption,
        expressions=spanned.expressions,
        output_fingerprint=grounding_fingerprint(sample, parsed.cleaned_caption, spanned.expressions),
        provenance={
            **stored.provenance,
            "spans_repaired": spanned.repaired,
            "expressions_dropped": list(spanned.dropped),
            "reparsed": True,
        },
    )


def _grounded_again(extraction: Checkpoint, stored: Checkpoint) -> Checkpoint:
    """Raises LeftAlone or SampleFailure if the replies cannot be read today either."""
    if stored.fingerprint != extraction.output_fingerprint:
        raise LeftAlone("its expressions change, so the next run grounds it again")
    convention = CONVENTIONS.get(str(stored.provenance.get("convention")))
    if ASKED_AGAIN in stored.provenance:
        raise LeftAlone("its expressions were not all asked about together")
    if convention is None:
        raise LeftAlone("its provenance names no known convention")
    if stored.provenance.get(JOINT):
        if (again := grounding_of(extraction)) is None:
            raise LeftAlone("its boxes came with an earlier reading of its expressions")
        made = {**stored.provenance, **again.provenance, "reparsed": True}
        return replace(stored, expressions=again.expressions, provenance=made)
    sent_size = _size(stored.provenance.get("sent_size"))
    parts = [
        _last_readable(stored, numbers, partial(read_part, part=part, convention=convention))
        for part, numbers in _parts(stored, extraction.expressions)
    ]
    matched = [one for part in parts for one in part.per_expression]
    resolved = resolve_boxes(matched, convention, sent_size, stored.image_size)
    mentioned = [one.mentioned for one in matched]
    return replace(
        stored,
        cleaned_caption=extraction.cleaned_caption,
        expressions=grounded_expressions(extraction.expressions, resolved.instances, mentioned),
        provenance={
            **stored.provenance,
            "boxes": resolved.counts.to_record(),
            **reading_provenance(parts),
            "reparsed": True,
        },
    )


def _parts(
    stored: Checkpoint, expressions: Sequence[Expression]
) -> Iterator[tuple[Sequence[Expression], range]]:
    """Which replies are about which expressions: the last counted. Raises LeftAlone if nothing tells."""
    count = len(expressions)
    if stored.provenance.get("captions_asked_together"):
        raise LeftAlone("its expressions were asked about together with those of other captions")
    answered_by = stored.provenance.get("answered_by")
    if not answered_by:
        calls = -(-count // MAX_EXPRESSIONS_PER_CALL)
        if calls > 1 and len(stored.replies) != calls:
            raise LeftAlone("its replies are those of several calls and cannot be told apart")
        starts = range(0, count, MAX_EXPRESSIONS_PER_CALL)
        answered_by = [
            [start, min(MAX_EXPRESSIONS_PER_CALL, count - start), k] for k, start in enumerate(starts)
        ]
        if calls == 1:
            answered_by[0][2] = len(stored.replies) - 1
    untold = LeftAlone("its provenance does not tell which reply is about which expressions")
    reached = first = 0
    for row in answered_by if isinstance(answered_by, list) else [None]:
        if not isinstance(row, list) or len(row) != 3 or not all(type(n) is int and n >= 0 for n in row):
            raise untold
        start, length, reply = row
        if start != reached or not first <= reply < len(stored.replies):
            raise untold
        reached = start + length
        yield expressions[start:reached], range(first, reply + 1)
        first = reply + 1
    if reached != count:
        raise untold


def _last_readable(stored: Checkpoint, numbers: range, read: Callable[..., T]) -> T:
    for number in reversed(numbers):
        try:
            return read(stored.replies[number], ended_for_length=_was_cut(stored, number))
        except SampleFailure:
            continue
    raise LeftAlone("none of its replies can be read")


def _was_cut(stored: Checkpoint, number: int) -> bool:
    """Whether a reply ended for length."""
    cut = stored.provenance.get("cut_replies", [])
    return not isinstance(cut, list) or number in cut


def _is_a_models(stored: Checkpoint) -> bool:
    made = stored.provenance
    return bool(stored.replies) and not made.get("edited") and not made.get("imported")


def _failed(workspace: Workspace, sample_id: str, step: Step) -> Checkpoint | None:
    """A failure of the input as it is, as a result without expressions. Raises LeftAlone if no size of the image is known."""
    failure = workspace.step(step).store.load_failure(sample_id)
    fingerprint = workspace.input_fingerprint(sample_id, step)
    if failure is None or failure.get("fingerprint") != fingerprint or fingerprint is None:
        return None
    provenance, replies = failure.get("provenance"), failure.get("replies")
    if failure["reason"] not in _READABLE_LATER or not isinstance(provenance, dict):
        return None
    if not isinstance(replies, list) or not all(isinstance(reply, str) for reply in replies):
        return None
    return Checkpoint(
        sample_id=sample_id,
        fingerprint=fingerprint,
        output_fingerprint="",
        settings_fingerprint=settings_fingerprint(provenance.get("settings", {})),
        cleaned_caption="",
        expressions=(),
        image_size=_size(provenance.get("image_size")),
        provenance={name: value for name, value in provenance.items() if name != "image_size"},
        replies=tuple(replies),
    )


def _size(pair: Any) -> tuple[int, int]:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(n) is int and n > 0 for n in pair):
        raise LeftAlone("its provenance does not tell the size of the image")
    return pair[0], pair[1]


def _compared(before: Checkpoint | None, after: Checkpoint, step: Step) -> Reparsed | None:
    if before is None:
        found = f"{len(after.expressions)} expressions, {sum(map(len, _all_boxes(after)))} boxes"
        return Reparsed(after.sample_id, step, f"a failure that can be read: {found}", after)
    if (before.cleaned_caption, before.expressions) == (after.cleaned_caption, after.expressions):
        return None
    return Reparsed(after.sample_id, step, _difference(before, after), after)


def _difference(before: Checkpoint, after: Checkpoint) -> str:
    changes, counts = [], [sum(map(len, _all_boxes(one))) for one in (before, after)]
    if before.cleaned_caption != after.cleaned_caption:
        changes.append("cleaned caption")
    if [e.char_span for e in before.expressions] != [e.char_span for e in after.expressions]:
        changes.append(f"expressions {len(before.expressions)} -> {len(after.expressions)}")
    if counts[0] != counts[1]:
        changes.append(f"boxes {counts[0]} -> {counts[1]}")
    elif _all_boxes(before) != _all_boxes(after):
        changes.append("boxes moved")
    return ", ".join(changes) or "noun chunks, scores or statuses"


def _all_boxes(result: Checkpoint) -> list[list[PixelBox]]:
    return [[instance.bbox for instance in expression.instances] for expression in result.expressions]
