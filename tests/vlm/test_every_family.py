"""A perfect model of each family, behind each kind of endpoint that serves it, gives every human box back."""

import asyncio
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import SpecError
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import PreparedImage, prepare_image
from grounding_assets.core.records import Expression, Grounding, GroundingStatus
from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.vlm.families import FAMILIES, Family, family_of
from resources.vlm.resource import HOSTED_NIM_IMAGE_BYTES, build_teacher, check_teacher, family_of_spec
from resources.vlm.teacher import VlmTeacher
from tests.corpus import CORPUS, coco24_gold, needs_corpus
from tests.doors.project import endpoint_settings
from tests.endpoints.disobedient import MODELS
from tests.endpoints.server import SimulatedEndpoint, running
from tests.grid import grid_error_px

pytestmark = needs_corpus("coco24")

SERVED_BY: Mapping[str, tuple[str, ...]] = {
    "gemini": ("gemini",),
    "qwen2_vl": ("vllm", "lmstudio", "custom"),
    "qwen2_5_vl": ("vllm", "nim", "tao", "lmstudio", "custom"),
    "qwen3_vl": ("vllm", "nim", "tao", "lmstudio", "custom"),
    "internvl": ("vllm", "custom"),
    "cosmos_reason1": ("vllm", "nim", "tao"),
    "cosmos_reason2": ("vllm", "nim", "tao"),
    "glm_v": ("vllm", "custom"),
    "gemma": ("vllm", "tao", "lmstudio", "custom"),
    "claude": ("custom",),
    "deepseek_vl2": ("vllm", "custom"),
    "kimi_vl": ("vllm", "custom"),
}
VARIANTS = ("as they are", "4000 px", "turned by EXIF")
PAIRS = [(family, kind) for family, kinds in SERVED_BY.items() for kind in kinds]
# what becomes of a large photo or of one that lies on its side is decided by the family before it is sent: one kind of
# endpoint for each family, and one family for each kind
CASES = [
    (family, kind, variant)
    for variant in VARIANTS
    for family, kind in PAIRS
    if variant == "as they are" or family == "qwen3_vl" or kind == SERVED_BY[family][0]
]


def test_every_family_that_can_ground_is_tried() -> None:
    # the others answer in forms of their own: `python -m tests.family_table`
    elsewhere = {family_of(model.served_as).name for model in MODELS.values()}
    assert {family.name for family in FAMILIES if not family.refusal} <= set(SERVED_BY) | elsewhere


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Path, dict[str, Any], float]]]:
    """By variant: (file, gold row, pixels of the file per pixel of the gold)."""
    folder = tmp_path_factory.mktemp("photos")
    made: dict[str, list[tuple[Path, dict[str, Any], float]]] = {variant: [] for variant in VARIANTS}
    for row in coco24_gold()[::2]:
        original = CORPUS / "coco24" / row["file"]
        made["as they are"].append((original, row, 1.0))
        with Image.open(original) as image:
            image = image.convert("RGB")
            scale = 4000 / max(image.size)
            large = folder / f"large-{row['image_id']}.jpg"
            image.resize((round(image.width * scale), round(image.height * scale))).save(large, quality=80)
            made["4000 px"].append((large, row, scale))
            turned = folder / f"turned-{row['image_id']}.jpg"
            exif = Image.Exif()
            exif[0x0112] = 6
            image.transpose(Image.Transpose.ROTATE_90).save(turned, quality=92, exif=exif)
            made["turned by EXIF"].append((turned, row, 1.0))
    return made


@cache
def _prepared(path: Path, policy: ImagePolicy) -> PreparedImage:
    """What a teacher's `prepare` does; the same for all families with one policy."""
    return prepare_image(path, policy)


@pytest.fixture(scope="module")
def endpoints() -> Iterator[dict[tuple[str, str], SimulatedEndpoint]]:
    with ExitStack() as stack:
        yield {
            (family, kind): stack.enter_context(running(SimulatedEndpoint(kind, family)))  # type: ignore[arg-type]
            for family, kind in PAIRS
        }


def _phrases(row: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The photo's caption with the most grounded phrases, and those."""
    by_caption: dict[int, list[dict[str, Any]]] = {}
    for phrase in row["derived_phrases"]:
        by_caption.setdefault(phrase["caption_index"], []).append(phrase)
    index = max(by_caption, key=lambda i: len(by_caption[i]), default=None)
    return ("", []) if index is None else (row["captions"][index], by_caption[index])


def _spec(endpoint: SimulatedEndpoint) -> Any:
    vlm = json.loads(endpoint_settings(endpoint))
    if endpoint.kind.name == "nim":
        vlm["openai"]["max_image_bytes"] = HOSTED_NIM_IMAGE_BYTES
    return validate_spec({"results_dir": "unused", "image_grounding": {"vlm": vlm}}, where="test")


async def _ground_all(
    endpoint: SimulatedEndpoint, family: Family, rows: list[tuple[Path, dict[str, Any], float]]
) -> list[tuple[dict[str, Any], float, PreparedImage, list[dict[str, Any]], Grounding]]:
    spec = _spec(endpoint)
    assert family_of_spec(spec).name == family.name, "the model's name must tell its family"
    teacher = build_teacher(spec, Credentials.of(spec, {}))
    assert isinstance(teacher, VlmTeacher)
    policy = teacher.family.image

    async def one(path: Path, row: dict[str, Any], scale: float) -> Any:
        caption, phrases = _phrases(row)
        expressions = [Expression(p["text"], tuple(p["char_span"]), p["category"]) for p in phrases]
        image = _prepared(path, policy)
        return row, scale, image, phrases, await teacher.ground(image, caption, expressions)

    try:
        return await asyncio.gather(*(one(*entry) for entry in rows if _phrases(entry[1])[1]))
    finally:
        await teacher.aclose()


@pytest.mark.parametrize(("name", "kind", "variant"), CASES)
def test_every_box_comes_back(
    endpoints: dict[tuple[str, str], SimulatedEndpoint],
    photos: dict[str, list[tuple[Path, dict[str, Any], float]]],
    name: str,
    kind: str,
    variant: str,
) -> None:
    family = next(family for family in FAMILIES if family.name == name)
    convention = CONVENTIONS[family.convention]
    results = asyncio.run(_ground_all(endpoints[name, kind], family, photos[variant]))
    boxes = 0
    for row, scale, image, phrases, grounding in results:
        assert image.image_size == (round(row["width"] * scale), round(row["height"] * scale))
        off_x, off_y = grid_error_px(convention, image.sent_size, image.image_size)
        for phrase, expression in zip(phrases, grounding.expressions, strict=True):
            where = f"{name} at {kind}, {row['file']}, {phrase['text']!r}"
            assert expression.grounding_status == GroundingStatus.BOXED, where
            assert len(expression.instances) == len(phrase["boxes"]), where
            expected = sorted(tuple(edge * scale for edge in box) for box in phrase["boxes"])
            for wanted, instance in zip(expected, sorted(i.bbox for i in expression.instances), strict=True):
                for edge, (want, got) in enumerate(zip(wanted, instance, strict=True)):
                    allowed = (off_x if edge % 2 == 0 else off_y) + 1
                    assert abs(want - got) <= allowed, f"{where}: {instance} for {wanted}"
                boxes += 1
    assert boxes > 20


def test_hosted_nim_gets_images_under_its_limit(
    endpoints: dict[tuple[str, str], SimulatedEndpoint], photos: dict[str, Any]
) -> None:
    endpoint, family = endpoints["qwen3_vl", "nim"], next(f for f in FAMILIES if f.name == "qwen3_vl")
    asyncio.run(_ground_all(endpoint, family, photos["4000 px"][:4]))
    sizes = [r.image_bytes for r in endpoint.requests]
    assert sizes
    assert max(sizes) * 4 / 3 < 180_000


def test_molmo_is_refused_for_grounding_and_taken_for_extraction() -> None:
    openai = {"base_url": "http://127.0.0.1:9/v1", "model_name": "allenai/Molmo-7B-D-0924"}
    tree: dict[str, Any] = {
        "results_dir": "r",
        "image_grounding": {"vlm": {"backend": "openai", "openai": openai}},
    }
    with pytest.raises(SpecError, match="points, not boxes"):
        check_teacher(validate_spec(tree, where="test"), Credentials())
    tree["image_grounding"]["workflow"] = {"steps": ["0"]}
    check_teacher(validate_spec(tree, where="test"), Credentials())


def test_a_file_that_needs_no_change_is_sent_as_it_is() -> None:
    photo = CORPUS / "coco24" / coco24_gold()[0]["file"]
    prepared = prepare_image(photo, ImagePolicy())
    assert prepared.as_is
    assert hashlib.sha256(prepared.encoded).hexdigest() == prepared.sha256
    with Image.open(io.BytesIO(prepared.encoded)) as sent:
        assert sent.size == prepared.sent_size
