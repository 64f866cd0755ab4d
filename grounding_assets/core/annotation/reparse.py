"""The stored replies of results and failures through today's parser and conventions, without a call.

Family, convention and sizes are a result's own. What people edited or imported, and what no model answered, is left alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grounding_assets.core.annotation.asking_again import ASKED_AGAIN
from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.annotation.grounding_reply import (
    MAX_EXPRESSIONS_PER_CALL,
    grounded_expressions,
    read_part,
    reading_provenance,
)
from grounding_assets.core.annotation.joint_reply import JOINT, grounding_of
from grounding_assets.core.boxes.coordinates import CONVENTIONS, Convention, resolve_boxes
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, PixelBox
from grounding_assets.core.replies import MatchResult, ParsedExtraction
from grounding_assets.core.spans.alignment import to_expressions
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint, settings_fingerprint
from grounding_assets.core.store.sample_locks import Claims

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
        found = None
        if Step.EXTRACTION in steps:
            found = _extraction_again(workspace, sample_id, extraction)
            if found is not None:
                yield found
        extraction = found.checkpoint if found is not None and found.checkpoint is not None else extraction
        if Step.GROUNDING in steps and extraction is not None:
            again = _grounding_again(workspace, sample_id, extraction)
            if again is not None:
                yield again


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


def _extraction_again(workspace: Workspace, sample_id: str, before: Checkpoint | None) -> Reparsed | None:
    stored = before or _failed(workspace, sample_id, Step.EXTRACTION)
    if stored is None or not _is_a_models(stored):
        return None
    sample = workspace.samples.read(sample_id)
    try:
        parsed = _last_readable_extraction(stored, sample.caption)
    except LeftAlone as reason:
        return None if before is None else Reparsed(sample_id, Step.EXTRACTION, f"left alone: {reason}", None)
    spanned = to_expressions(parsed.cleaned_caption, parsed.phrases)
    after = replace(
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
    return _compared(before, after, Step.EXTRACTION)


def _grounding_again(workspace: Workspace, sample_id: str, extraction: Checkpoint) -> Reparsed | None:
    before = _current(workspace, sample_id, Step.GROUNDING)
    stored = before or _failed(workspace, sample_id, Step.GROUNDING)
    if stored is None or not _is_a_models(stored):
        return None
    if stored.fingerprint != extraction.output_fingerprint:
        what = "left alone: its expressions change, so the next run grounds it again"
        return None if before is None else Reparsed(sample_id, Step.GROUNDING, what, None)
    try:
        after = _grounded_again(stored, extraction)
    except (LeftAlone, SampleFailure) as reason:
        return None if before is None else Reparsed(sample_id, Step.GROUNDING, f"left alone: {reason}", None)
    return _compared(before, after, Step.GROUNDING)


def _grounded_again(stored: Checkpoint, extraction: Checkpoint) -> Checkpoint:
    """The same replies read again.

    Raises:
        LeftAlone, SampleFailure: the replies cannot be read today either.
    """
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
        _last_readable_part(stored, range(first, last), part, convention)
        for part, first, last in _parts(stored, extraction.expressions)
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
) -> Iterator[tuple[Sequence[Expression], int, int]]:
    """Which replies (from, to) are about which expressions: the last counted. Raises LeftAlone if nothing tells."""
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
    reached = first = 0
    for start, length, reply in _triples(answered_by):
        if start != reached or not first <= reply < len(stored.replies):
            raise LeftAlone("its provenance does not tell which reply is about which expressions")
        reached = start + length
        yield expressions[start:reached], first, reply + 1
        first = reply + 1
    if reached != count:
        raise LeftAlone("its provenance does not tell which reply is about which expressions")


def _triples(rows: Any) -> Iterator[tuple[int, int, int]]:
    for row in rows if isinstance(rows, list) else [None]:
        if not isinstance(row, list) or len(row) != 3 or not all(type(n) is int and n >= 0 for n in row):
            raise LeftAlone("its provenance does not tell which reply is about which expressions")
        yield row[0], row[1], row[2]


def _last_readable_part(
    stored: Checkpoint, numbers: range, part: Sequence[Expression], convention: Convention
) -> MatchResult:
    for number in reversed(numbers):
        try:
            cut = _was_cut(stored, number)
            return read_part(stored.replies[number], part, convention, ended_for_length=cut)
        except SampleFailure:
            continue
    raise LeftAlone("none of its replies can be read")


def _last_readable_extraction(stored: Checkpoint, caption: str) -> ParsedExtraction:
    for number in reversed(range(len(stored.replies))):
        try:
            cut = _was_cut(stored, number)
            return read_cleaned(stored.replies[number], caption, ended_for_length=cut)
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
    """A failure of the input as it is, as a result without expressions."""
    failure = workspace.step(step).store.load_failure(sample_id)
    fingerprint = workspace.input_fingerprint(sample_id, step)
    if failure is None or failure.get("fingerprint") != fingerprint or fingerprint is None:
        return None
    provenance, replies = failure.get("provenance"), failure.get("replies")
    if failure["reason"] not in _READABLE_LATER or not isinstance(provenance, dict):
        return None
    if not isinstance(replies, list) or not all(isinstance(reply, str) for reply in replies):
        return None
    try:
        image_size = _size(provenance.get("image_size"))
    except LeftAlone:
        return None
    settings = provenance.get("settings", {})
    return Checkpoint(
        sample_id=sample_id,
        fingerprint=fingerprint,
        output_fingerprint="",
        settings_fingerprint=settings_fingerprint(settings),
        cleaned_caption="",
        expressions=(),
        image_size=image_size,
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
