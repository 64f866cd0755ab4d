"""A results folder over generated pictures, and a teacher that answers by rule, for the tests of the core."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from grounding_assets.core.annotation.annotator import Annotator
from grounding_assets.core.dataset.extraction_edits import AdoptedEdits, adopt_extractions
from grounding_assets.core.dataset.published import publish_annotations
from grounding_assets.core.dataset.rollup import write_failures, write_step_annotations
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import RunStopped, SampleFailure
from grounding_assets.core.files import replacing, short_file_stamp
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.images.prepared_image import PreparedImage, prepare_image
from grounding_assets.core.records import Expression, Extraction, Grounding, GroundingStatus, Instance
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint

BOTH = (Step.EXTRACTION, Step.GROUNDING)


def write_picture(path: Path, size: tuple[int, int] = (64, 48), **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize(size).convert("RGB").save(path, **options)
    return path


def write_input(path: Path, rows: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """Rows as they are, or made into JSON."""
    lines = [
        row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode("utf-8") for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def picture_rows(folder: Path, count: int, **fields: Any) -> list[dict[str, Any]]:
    """`count` rows with a picture and a caption each; the pictures are written to `folder`."""
    return [
        {
            "image_path": write_picture(folder / f"{i:04d}.png").name,
            "caption": f"a cat {i} near two dogs and a tree",
            **fields,
        }
        for i in range(count)
    ]


def open_workspace(folder: Path) -> Workspace:
    """`input.jsonl` and the pictures beside it, with `results` as its results folder."""
    results = folder / "results"
    ids = SampleIds(results / "samples.jsonl")
    with replacing(results / "rejected.jsonl") as rejected:
        samples = SampleIndex.build(
            folder / "input.jsonl",
            ids,
            rejected=rejected,
            image_stamp=lambda path: short_file_stamp(folder / path),
        )
    ids.save()
    workspace = Workspace(samples, results, folder)
    for step in BOTH:
        workspace.step(step).store.prepare()
    return workspace.refresh()


@dataclass
class RuleTeacher:
    """Implements `core.annotation.teacher.Teacher`: every word of three letters is an expression, with 0 to 2 boxes."""

    trouble: Callable[[str, str], Exception | None] = lambda step, caption: None
    """The error that a step of a caption meets."""
    before_answer: Callable[[str, str], Any] | None = None
    """Awaited by every call, with step and caption."""
    name: str = "rule"
    calls: list[tuple[str, str]] = field(default_factory=list)
    prepared: list[ImageLocation] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    closed: bool = False

    @property
    def in_flight_limit(self) -> int | None:
        return None

    def prepare(self, image_file: ImageLocation) -> PreparedImage:
        self.prepared.append(image_file)
        return prepare_image(image_file, ImagePolicy())

    async def extract(self, image: PreparedImage, caption: str) -> Extraction:
        await self._answer("0", caption)
        words = re.finditer(r"[^\W\d_]{3,}", caption)
        expressions = tuple(Expression(word[0], word.span(), word[0]) for word in words)
        provenance = self._provenance(image) | {"spans_repaired": 0, "expressions_dropped": []}
        return Extraction(caption, expressions, provenance, (f"step 0 of {caption}",))

    async def ground(
        self, image: PreparedImage, cleaned_caption: str, expressions: Sequence[Expression]
    ) -> Grounding:
        await self._answer("1", cleaned_caption)
        width, height = image.image_size
        grounded = []
        for index, expression in enumerate(expressions):
            boxes = [(i, i, width - i, height) for i in range(index % 3)]
            status = GroundingStatus.BOXED if boxes else GroundingStatus.NONE_SEEN
            instances = tuple(Instance(box, 0.5, "model") for box in boxes)
            grounded.append(replace(expression, instances=instances, grounding_status=status))
        provenance = self._provenance(image) | {"convention": "xyxy_px", "boxes": {}}
        return Grounding(tuple(grounded), provenance, (f"step 1 of {cleaned_caption}",))

    def stop(self, reason: RunStopped) -> None: ...

    async def aclose(self) -> None:
        self.closed = True

    async def _answer(self, step: str, caption: str) -> None:
        self.calls.append((step, caption))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.before_answer is not None:
                await self.before_answer(step, caption)
            error = self.trouble(step, caption)
            if error is not None:
                raise error
        finally:
            self.in_flight -= 1

    def _provenance(self, image: PreparedImage) -> dict[str, Any]:
        return {
            "backend": self.name,
            "model": self.name,
            "prompt_version": "rule@1",
            "sent_size": list(image.sent_size),
            "image_sha256": image.sha256,
            "settings": {"model": self.name},
            "calls": 1,
            "attempts": 1,
            "tokens_in": 10,
            "tokens_out": 5,
            "seconds": 0.25,
        }


@dataclass
class Outcomes:
    """Implements `listener.Listener`: remembers what it hears."""

    started_ids: list[str] = field(default_factory=list)
    done_steps: list[tuple[str, str]] = field(default_factory=list)
    failures: dict[tuple[str, str], SampleFailure] = field(default_factory=dict)
    finished_ids: list[str] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def started(self, sample_id: str) -> None:
        self.started_ids.append(sample_id)

    def done(self, checkpoint: Checkpoint, step: Step) -> None:
        self.done_steps.append((checkpoint.sample_id, step))
        self.checkpoints.append(checkpoint)

    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None:
        self.failures[sample_id, step] = failure

    def finished(self, sample_id: str) -> None:
        self.finished_ids.append(sample_id)

    def waiting(self, count: int) -> None: ...


def annotate(
    workspace: Workspace,
    teacher: RuleTeacher | None = None,
    *,
    steps: Sequence[Step] = BOTH,
    max_workers: int = 4,
) -> Outcomes:
    """Annotates what is pending."""
    outcomes = Outcomes()
    annotator = Annotator(workspace, teacher or RuleTeacher(), outcomes, max_workers=max_workers)
    asyncio.run(annotator.run(workspace.pending(workspace.samples.ids, steps)))
    return outcomes


def roll_up(workspace: Workspace, steps: Sequence[Step] = BOTH) -> None:
    """Writes every file that a run ends with."""
    for step in steps:
        write_step_annotations(workspace, step)
    publish_annotations(workspace, steps[-1])
    write_failures(workspace, steps)


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def extracted(folder: Path) -> Path:
    """The file that step 0 writes and a person may edit."""
    return folder / "results" / Step.EXTRACTION.folder / "annotations.jsonl"


def adopt(folder: Path) -> tuple[Workspace, AdoptedEdits]:
    workspace = open_workspace(folder)
    return workspace, adopt_extractions(workspace, extracted(folder))
