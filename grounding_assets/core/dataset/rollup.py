"""From checkpoints to the JSONL files: input order, streaming, each file replaced whole."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from grounding_assets.core.dataset.extraction_edits import edited_meanwhile
from grounding_assets.core.dataset.published import publish_annotations
from grounding_assets.core.dataset.sample_ids import image_id_of
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.files import locked, write_lines
from grounding_assets.core.records import SOURCE
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import text_digest
from grounding_assets.core.store.output_stamps import mark_as_written, written_mark


@dataclass(slots=True)
class RollupCounts:
    """What a rollup wrote, and what is in it."""

    lines: int = 0
    samples: int = 0
    expressions: int = 0
    instances: int = 0
    expressions_without_box: int = 0
    spans_repaired: int = 0
    verified: int = 0
    refuted: int = 0
    """Instances that step 2 finds wrong."""
    incomplete: int = 0
    """Expressions that step 2 finds a box missing of."""

    def add(self, checkpoint: Checkpoint) -> None:
        self.samples += 1
        self.expressions += len(checkpoint.expressions)
        for expression in checkpoint.expressions:
            self.instances += len(expression.instances)
            self.expressions_without_box += not expression.instances
            self.spans_repaired += expression.span_status == "repaired"
            self.verified += sum(instance.verified is True for instance in expression.instances)
            self.refuted += sum(instance.verified is False for instance in expression.instances)
            self.incomplete += expression.complete is False

    def figures(self, step: Step) -> dict[str, float]:
        """What is worth plotting of a step's output: boxes are counted where step 1 has run."""
        shown: dict[str, float] = {
            "lines": self.lines,
            "samples": self.samples,
            "expressions": self.expressions,
            "spans_repaired": self.spans_repaired,
        }
        if step.gives_boxes:
            shown |= {
                "instances": self.instances,
                "mean_instances_per_expression": ratio(self.instances, self.expressions),
                "expressions_without_box": self.expressions_without_box,
                "share_without_box": ratio(self.expressions_without_box, self.expressions),
            }
        if step.asks_verifier:
            shown |= {
                "instances_verified": self.verified,
                "instances_refuted": self.refuted,
                "instances_undecided": self.instances - self.verified - self.refuted,
                "expressions_incomplete": self.incomplete,
            }
        return shown


def ratio(part: int, whole: int) -> float:
    """`part / whole` to four places; 0.0 if there is no whole."""
    return round(part / whole, 4) if whole else 0.0


def write_step_annotations(
    workspace: Workspace, step: Step, notice: Callable[[str], None] = lambda _: None
) -> RollupCounts:
    """Writes a step's `annotations.jsonl`: every input line whose sample has a current result.

    A file that is already made of just these results is left as it is, and so is one that is itself the
    input, because step 1 alone was asked for. `notice` is told of what somebody edited in it meanwhile, which stays.
    """
    annotations = workspace.step(step).annotations
    counts = RollupCounts()
    if annotations.exists() and annotations.samefile(workspace.samples.path):
        deque(_annotated_records(workspace, step, counts), maxlen=0)
        return counts
    source = _source_digest(workspace, step)
    mark = written_mark(annotations)
    if mark is not None and mark["source"] == source and mark["figures"].keys() == asdict(counts).keys():
        return RollupCounts(**mark["figures"])
    edited = edited_meanwhile(workspace, annotations, notice) if step is Step.EXTRACTION else {}
    write_lines(annotations, _annotated_records(workspace, step, counts, edited))
    if not edited:
        mark_as_written(annotations, source, asdict(counts))
    return counts


def _source_digest(workspace: Workspace, step: Step) -> str:
    """Of everything that the file depends on: the input, and each checkpoint by its stamp."""
    joined = str(workspace.image_root) if workspace.join_image_root else ""
    digest = hashlib.blake2b(f"{workspace.samples.stamp!r}{joined}".encode(), digest_size=12)
    for sample_id in workspace.samples.entries:
        stamps = [workspace.stamp(sample_id, made) for made in step.so_far]
        digest.update(f"{sample_id} {stamps}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _annotated_records(
    workspace: Workspace,
    step: Step,
    counts: RollupCounts,
    edited: Mapping[str, dict[str, Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """Of every sample with a result; what is `edited` stands in the place of its own."""
    seen: set[str] = set()
    for sample_id, record in workspace.samples.records():
        if edited and sample_id in edited:
            counts.lines += 1
            yield edited[sample_id]
            continue
        shown = workspace.shown_step(sample_id, step)
        if shown is None:
            continue
        made = _results_so_far(workspace, sample_id, shown)
        if made is None:
            continue
        checkpoint = made[shown]
        provenance = {each.provenance_key: dict(one.provenance) for each, one in made.items()}
        if step is Step.EXTRACTION:
            digest = text_digest(checkpoint.cleaned_caption, checkpoint.expressions)
            provenance[step.provenance_key]["text_digest"] = digest
        elif step.asks_verifier and shown is not step:
            unverified = tuple(replace(one, shows_verification=True) for one in checkpoint.expressions)
            checkpoint = replace(checkpoint, expressions=unverified)
        counts.lines += 1
        if sample_id not in seen:
            seen.add(sample_id)
            counts.add(checkpoint)
        if workspace.join_image_root:
            record = {**record, "image_path": str(workspace.image_root / record["image_path"])}
        yield annotated_record(record, checkpoint, shown, provenance)


def _results_so_far(workspace: Workspace, sample_id: str, last: Step) -> dict[Step, Checkpoint] | None:
    """Of the steps up to `last`; None if one of them has turned out to be gone."""
    made = {}
    for step in last.so_far:
        results = workspace.step(step)
        made[step] = results.store.load(sample_id)
        if made[step] is None:
            results.index.forget(sample_id)
            return None
    return made


def annotated_record(
    record: dict[str, Any], checkpoint: Checkpoint, step: Step, provenance: dict[str, Any]
) -> dict[str, Any]:
    """An output line: the input line's own fields, the result, and where it came from."""
    result = checkpoint.to_json()["record"]
    leading = {"image_id": image_id_of(record), "sample_id": checkpoint.sample_id}
    steps = [made.record_name for made in step.so_far]
    origin = {"source": SOURCE, "pipeline_steps": steps, "provenance": provenance}
    return leading | record | leading | result | origin


@dataclass(slots=True)
class FailureCounts:
    failed: int = 0
    """Samples whose last attempt failed; those that keep an earlier result are among them."""
    pending: int = 0
    """Samples that have neither a result nor a failure, because no run has reached them."""
    by_reason: Counter[str] = field(default_factory=Counter)


def write_failures(workspace: Workspace, steps: Sequence[Step]) -> FailureCounts:
    """Writes `failures.jsonl`: every sample whose last attempt failed, with the reason.

    A line's `in_annotations` tells whether `annotations.jsonl` shows an earlier result of the sample nevertheless.
    """
    counts = FailureCounts()
    lacking = any(workspace.missing(sample_id, steps) for sample_id in workspace.samples.entries)
    rows = _failure_rows(workspace, steps, counts) if lacking else ()
    write_lines(workspace.results_dir / "failures.jsonl", rows)
    return counts


def _failure_rows(
    workspace: Workspace, steps: Sequence[Step], counts: FailureCounts
) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for sample_id, record in workspace.samples.records():
        missing = workspace.missing(sample_id, steps)
        if not missing or sample_id in seen:
            continue
        seen.add(sample_id)
        step = missing[0]
        fingerprint = workspace.next_fingerprint(sample_id, step)
        failure = workspace.step(step).store.load_failure(sample_id)
        in_annotations = workspace.shown_step(sample_id, steps[-1]) is not None
        if failure is None or failure.get("fingerprint") != fingerprint:
            counts.pending += not in_annotations
            continue
        counts.failed += 1
        counts.by_reason[failure["reason"]] += 1
        yield {
            "sample_id": sample_id,
            "image_id": image_id_of(record),
            "image_path": record["image_path"],
            "caption": record["caption"],
            "step": step,
            "reason": failure["reason"],
            "message": failure["message"],
            "attempts": failure["attempts"],
            "time": failure.get("time"),
            "in_annotations": in_annotations,
        }


def write_outputs(
    workspace: Workspace, steps: Sequence[Step], notice: Callable[[str], None] = lambda _: None
) -> FailureCounts:
    """Writes every file of the results that are there; `steps` are those of the run. Returns what lacks."""
    for step in steps[-1].so_far:
        if step in steps or workspace.step(step).store.done_dir.is_dir():
            write_step_annotations(workspace, step, notice)
    publish_annotations(workspace, steps[-1], notice)
    return write_failures(workspace, steps)


def write_outputs_beside_other_runs(
    workspace: Workspace, steps: Sequence[Step], notice: Callable[[str], None] = lambda _: None
) -> None:
    """The same after a run over some of the samples: with what other runs have stored meanwhile of the rest."""
    with locked(workspace.results_dir):
        write_outputs(workspace.refresh(), steps, notice)
