"""What a run makes of models that do not obey: `python -m tests.family_table [--names PART]`.

Each simulated model of `tests.endpoints.disobedient` is measured and asked about human boxes over real HTTP, on photos
as they are, at four times their size, and turned by EXIF. The last column says whether the outcome is right: every
box within the grid's rounding and one pixel, or a stop or failed samples with a reason. Exits with 1 where a result
was accepted with a box missing or displaced, or where a model whose boxes can be read was stopped.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import GroundingError, SampleFailure
from grounding_assets.core.records import Expression, Grounding
from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.vlm.session import work_with_teacher
from resources.vlm.teacher import VlmTeacher
from tests.corpus import CORPUS, coco24_gold
from tests.endpoints.disobedient import MODELS, DisobedientModel
from tests.endpoints.server import SimulatedEndpoint, running
from tests.grid import grid_error_px

PHOTOS = 6
_ROTATED = 6


@dataclass(frozen=True, slots=True)
class Photo:
    file: Path
    caption: str
    phrases: Sequence[dict[str, Any]]
    scale: float


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one model."""

    model: DisobedientModel
    outcome: str
    """`boxes`, `stop`, `failed` (samples) or `wrong`."""
    detail: str

    @property
    def is_right(self) -> bool:
        if self.model.right == "boxes":
            return self.outcome == "boxes"
        if self.model.right == "stop":
            return self.outcome in ("stop", "failed")
        return self.outcome != "wrong"


def photos(folder: Path) -> list[Photo]:
    """Photos with the caption that has most boxes: as they are, four times as large, and turned by EXIF."""
    found: list[Photo] = []
    for row in coco24_gold():
        by_caption: dict[int, list[dict[str, Any]]] = {}
        for phrase in row["derived_phrases"]:
            by_caption.setdefault(phrase["caption_index"], []).append(phrase)
        if not by_caption or len(found) >= 3 * PHOTOS:
            continue
        index = max(by_caption, key=lambda i: len(by_caption[i]))
        asked = (row["captions"][index], by_caption[index])
        original = CORPUS / "coco24" / row["file"]
        large, turned = folder / f"large-{row['file']}", folder / f"turned-{row['file']}"
        for file in (large, turned):
            file.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(original) as opened:
            image = opened.convert("RGB")
            image.resize((image.width * 4, image.height * 4)).save(large, quality=85)
            exif = Image.Exif()
            exif[0x0112] = _ROTATED
            image.transpose(Image.Transpose.ROTATE_90).save(turned, quality=92, exif=exif)
        found += [Photo(original, *asked, 1.0), Photo(large, *asked, 4.0), Photo(turned, *asked, 1.0)]
    return found


def tried(model: DisobedientModel, shown: Sequence[Photo]) -> Row:
    """Measures the model and grounds every photo, as a run does."""
    with (
        running(SimulatedEndpoint("vllm", **model.endpoint_options())) as endpoint,
        tempfile.TemporaryDirectory() as results,
    ):
        openai = {"base_url": endpoint.base_url, "model_name": endpoint.model, "api_key": endpoint.key}
        tree = {"results_dir": results, "image_grounding": {"vlm": {"backend": "openai", "openai": openai}}}
        spec = validate_spec(tree, where="the table")
        return _tried(model, shown, spec, Path(results))


def _tried(model: DisobedientModel, shown: Sequence[Photo], spec: Any, results: Path) -> Row:
    said: list[str] = []
    failures: list[str] = []
    boxes = 0

    async def work(teacher: Teacher[Any]) -> str:
        """What is wrong with an accepted result; "" if nothing is."""
        nonlocal boxes
        assert isinstance(teacher, VlmTeacher)
        for photo in shown:
            spans = [Expression(p["text"], tuple(p["char_span"]), p["category"]) for p in photo.phrases]
            image = teacher.prepare(photo.file)
            try:
                grounding = await teacher.ground(image, photo.caption, spans)
            except SampleFailure as failure:
                failures.append(str(failure))
                continue
            off = grid_error_px(CONVENTIONS[teacher.family.convention], image.sent_size, image.image_size)
            if problem := _problem(photo, grounding, off):
                return problem
            boxes += sum(len(p["boxes"]) for p in photo.phrases)
        return ""

    credentials = Credentials.of(spec, {})
    try:
        problem = asyncio.run(work_with_teacher(spec, credentials, results, work, said.append, said.append))
    except GroundingError as stopped:
        return Row(model, "stop", str(stopped))
    if problem:
        return Row(model, "wrong", problem)
    if failures:
        return Row(model, "failed", f"{len(failures)} of {len(shown)}: {failures[0]}")
    return Row(model, "boxes", f"{boxes} boxes. {' '.join(said)}")


def _problem(photo: Photo, grounding: Grounding, off: tuple[float, float]) -> str:
    for phrase, expression in zip(photo.phrases, grounding.expressions, strict=True):
        wanted = sorted(tuple(edge * photo.scale for edge in box) for box in phrase["boxes"])
        got = sorted(instance.bbox for instance in expression.instances)
        if len(got) != len(wanted):
            return f"{photo.file.name}: {len(got)} of {len(wanted)} boxes of '{phrase['text']}'"
        for box, expected in zip(got, wanted, strict=True):
            distances = [abs(a - b) for a, b in zip(box, expected, strict=True)]
            if max(distances[0::2]) > off[0] + 1 or max(distances[1::2]) > off[1] + 1:
                return f"{photo.file.name}: {box} for {expected} of '{phrase['text']}'"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.family_table", description=__doc__)
    parser.add_argument("--names", default="", help="only models whose name contains this")
    wanted = parser.parse_args(arguments).names
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        shown = photos(Path(folder))
        print("| Model | Served as | Right | Outcome | |\n|---|---|---|---|---|")
        for name, model in MODELS.items():
            if wanted not in name:
                continue
            row = tried(model, shown)
            wrong += not row.is_right
            mark = "" if row.is_right else "**not right** "
            print(
                f"| {name} | `{model.served_as}` | {model.right} | {row.outcome} | {mark}{row.detail[:160]} |",
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
