"""Step 0's annotations.jsonl as input: hand edits, and files that other tools made, become checkpoints.

A user may correct expressions in that file before grounding. What differs from the checkpoints is
taken over into them, so that a rollup never destroys an edit and only what was edited is grounded
again. An edit is known by its content: a line tells the digest of the text that was written to it. Times of files
say nothing, since copying changes them.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.input_file import RejectedLine, read_input
from grounding_assets.core.dataset.sample_ids import pair_key
from grounding_assets.core.dataset.tao_records import claimed_start, is_tao_record
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import replacing, stopping_if_unwritable
from grounding_assets.core.images.prepared_image import declared_or_header_size
from grounding_assets.core.records import Expression
from grounding_assets.core.spans.alignment import Phrase, SpannedExpressions, to_expressions
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint, text_digest, written_text_digest
from grounding_assets.core.store.output_stamps import written_mark
from grounding_assets.core.store.sample_locks import Claims


@dataclass(slots=True)
class AdoptedEdits:
    """What was found in the file."""

    sample_ids: set[str] = field(default_factory=set)
    """Samples of the input that the file has a line for."""
    adopted: int = 0
    """Lines that differed from their checkpoint and have replaced it."""
    unknown: int = 0
    """Lines whose (image_path, caption) is not in the input."""
    dropped: list[str] = field(default_factory=list)
    """Expressions that do not stand in their cleaned caption, with their line number."""

    def notes(self, annotations: Path) -> Iterator[str]:
        """What a user is told."""
        if self.adopted:
            yield f"{self.adopted} hand-edited lines of {annotations} were taken over; their boxes are made again."
        if self.unknown:
            yield f"{self.unknown} lines of {annotations} belong to no line of the input."
        if self.dropped:
            yield (
                f"{len(self.dropped)} expressions are not in their cleaned_caption and were dropped; "
                f"the first: {self.dropped[0]}."
            )


def was_edited(annotations: Path) -> bool:
    """Whether the file is there and may hold edits; one that was only copied or touched may, too."""
    return annotations.exists() and written_mark(annotations) is None


def adopt_extractions(workspace: Workspace, annotations: Path) -> AdoptedEdits:
    """Reads the file and brings step 0's checkpoints in line with it.

    Raises:
        InputError: a line that cannot be read; the message names it.
    """
    found = AdoptedEdits()
    find = _finder(workspace)
    with Claims(workspace.results_dir) as claims:
        for line in read_input(annotations):
            if isinstance(line, RejectedLine):
                raise InputError(
                    f"{annotations}, line {line.number}: {line.reason}. Correct the line or remove it."
                )
            sample_id = find(line.record)
            if sample_id is None:
                found.unknown += 1
                continue
            found.sample_ids.add(sample_id)
            where = f"{annotations}, line {line.number}"
            edit = _edit(workspace, sample_id, line.record, where, found)
            if edit is not None:
                found.adopted += _adopt(workspace, claims, sample_id, edit)
    workspace.extractions.index.flush()
    return found


def edited_meanwhile(
    workspace: Workspace, annotations: Path, notice: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """By sample, the lines that somebody changed since the run read the file: they stay for the next run to take over.

    A file that cannot be read is kept aside, whole. `notice` is told of either.
    """
    if not was_edited(annotations):
        return {}
    find = _finder(workspace)
    edited: dict[str, dict[str, Any]] = {}
    for line in read_input(annotations):
        try:
            if isinstance(line, RejectedLine):
                raise InputError(f"{annotations}, line {line.number}: {line.reason}.")
            sample_id = find(line.record)
            where = f"{annotations}, line {line.number}"
            if sample_id is not None and _edit(workspace, sample_id, line.record, where, AdoptedEdits()):
                edited[sample_id] = line.record
        except InputError as error:
            kept = _kept_aside(annotations)
            notice(f"{error} The file was edited during the run; as you left it, it is kept as {kept}.")
            return {}
    if edited:
        notice(
            f"{len(edited)} lines of {annotations} were edited during the run: they stay as they are, and the next run "
            "takes them over."
        )
    return edited


def _kept_aside(file: Path) -> Path:
    number = 1
    while (kept := file.with_name(f"{file.stem}.edited-{number}{file.suffix}")).exists():
        number += 1
    with stopping_if_unwritable(kept), replacing(kept) as copy, file.open("rb") as stream:
        shutil.copyfileobj(stream, copy, 1 << 20)
    return kept


def _finder(workspace: Workspace) -> Callable[[Mapping[str, Any]], str | None]:
    """From a line to its sample: by the path as given, or as TAO writes it, with the image root before it."""
    by_pair: dict[str, str] = {}
    for sample_id in workspace.samples.entries:
        sample = workspace.samples.read(sample_id)
        by_pair[pair_key(sample.image_path, sample.caption)] = sample_id
        by_pair.setdefault(pair_key(str(workspace.image_file(sample)), sample.caption), sample_id)

    def find(record: Mapping[str, Any]) -> str | None:
        return by_pair.get(pair_key(record["image_path"], record["caption"]))

    return find


@dataclass(frozen=True, slots=True)
class _Edit:
    """What a line says, where nobody but its author has said it."""

    cleaned_caption: str
    spanned: SpannedExpressions


def _edit(
    workspace: Workspace, sample_id: str, record: dict[str, Any], where: str, found: AdoptedEdits
) -> _Edit | None:
    cleaned, phrases = _phrases(record, where)
    spanned = to_expressions(cleaned, phrases)
    found.dropped += [f"{where}: '{text}'" for text in spanned.dropped]
    if _is_as_written(record) and sample_id in workspace.extractions.index.entries:
        # older than its result, perhaps: the result counts
        return None
    before = _current(workspace, sample_id)
    if before is not None and _same(before, cleaned, spanned.expressions):
        return None
    if before is None and not phrases and is_tao_record(record):
        # how TAO writes a failure; what it finished without an expression has a checkpoint
        return None
    return _Edit(cleaned, spanned)


def _current(workspace: Workspace, sample_id: str) -> Checkpoint | None:
    done = workspace.is_done(sample_id, Step.EXTRACTION)
    return workspace.extractions.store.load(sample_id) if done else None


def _adopt(workspace: Workspace, claims: Claims, sample_id: str, edit: _Edit) -> bool:
    """Waits for a run that is working on the sample; its result is then the one that was edited."""
    claims.take(sample_id, wait=True)
    try:
        workspace.extractions.index.look_again(sample_id)
        return _replace(workspace, sample_id, edit.cleaned_caption, edit.spanned)
    finally:
        claims.give_up(sample_id)


def _replace(workspace: Workspace, sample_id: str, cleaned: str, spanned: SpannedExpressions) -> bool:
    before = _current(workspace, sample_id)
    if before is not None and _same(before, cleaned, spanned.expressions):
        return False
    sample = workspace.samples.read(sample_id)
    provenance: dict[str, Any]
    if before is not None:
        provenance = {**before.provenance, "edited": True}
        image_size, replies, settings = before.image_size, before.replies, before.settings_fingerprint
    else:
        provenance = {"imported": True}
        image_size = declared_or_header_size(workspace.image_file(sample), sample.declared_size)
        replies, settings = (), ""
    provenance["spans_repaired"] = spanned.repaired
    order = workspace.redo.latest(sample_id, Step.EXTRACTION)
    checkpoint = Checkpoint(
        sample_id=sample_id,
        fingerprint=workspace.samples.entries[sample_id].fingerprint,
        output_fingerprint=grounding_fingerprint(sample, cleaned, spanned.expressions),
        settings_fingerprint=settings,
        cleaned_caption=cleaned,
        expressions=spanned.expressions,
        image_size=image_size,
        provenance=provenance,
        replies=replies,
        image_stamp=before.image_stamp if before is not None else 0,
        # an edit comes after every order to redo
        order_id=order.order_id if order is not None else "",
    )
    workspace.staged.drop(sample_id)
    workspace.extractions.index.save(checkpoint)
    return True


def _is_as_written(record: Mapping[str, Any]) -> bool:
    """Whether the line holds the text that a rollup wrote to it."""
    provenance = record.get("provenance")
    made = provenance.get(Step.EXTRACTION.provenance_key) if isinstance(provenance, Mapping) else None
    written = made.get("text_digest") if isinstance(made, Mapping) else None
    rows = [(row["text"], row.get("char_span"), row.get("noun_chunk")) for row in record["expressions"]]
    return written is not None and written == written_text_digest(record["cleaned_caption"], rows)


def _same(before: Checkpoint, cleaned: str, expressions: Sequence[Expression]) -> bool:
    return text_digest(before.cleaned_caption, before.expressions) == text_digest(cleaned, expressions)


def _phrases(record: dict[str, Any], where: str) -> tuple[str, list[Phrase]]:
    # a record of nothing but expressions has the caption that the input's reader made of them
    cleaned, rows = record.get("cleaned_caption", record["caption"]), record.get("expressions")
    if not isinstance(cleaned, str) or not isinstance(rows, list):
        raise InputError(f"{where}: cleaned_caption must be a string and expressions a list.")
    phrases = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputError(f"{where}: every expression must be an object with a text.")
        chunk = row.get("noun_chunk")
        phrases.append(Phrase(row["text"], chunk if isinstance(chunk, str) else None, claimed_start(row)))
    return cleaned, phrases
