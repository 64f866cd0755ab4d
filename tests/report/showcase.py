"""A small set in which each filter finds something, with captions that have broken other pages, as one report."""

import random
from pathlib import Path
from typing import Any

from PIL import Image

from grounding_assets.core.report import WrittenReport, write_report
from grounding_assets.core.spec.settings import ReportSpec
from tests.report.generated import HEIGHT, WIDTH, annotated, expression, failure
from tests.report.measured import measured_section

SCRIPT = (
    'A <script>document.title="owned"</script> sign & a cat </script><img src=x onerror="document.title=1">.'
)
EMOJI = "👨‍👩‍👧 🎉 A man in a red hat 🎩 holds 🐕 a dog."
ARABIC = "رجل يقف بجانب سيارة حمراء قرب شجرة كبيرة"
LARGE, OTHER = [40, 60, 300, 400], [350, 80, 600, 300]

PHRASES: dict[str, tuple[str, list[tuple[str, list[list[int]]]]]] = {
    "plain": ("A red car beside a tree.", [("A red car", [LARGE]), ("a tree", [OTHER])]),
    "script": (SCRIPT, [("sign & a cat </script><img src=x", [LARGE])]),
    "emoji": (EMOJI, [("A man in a red hat 🎩", [LARGE]), ("a red hat 🎩", [OTHER]), ("a dog", [OTHER])]),
    "arabic": (ARABIC, [("رجل", [LARGE]), ("سيارة حمراء", [OTHER]), ("شجرة كبيرة", [])]),
    "crossing": ("A big dog house door.", [("big dog house", [LARGE]), ("dog house door", [OTHER])]),
    "coinciding": ("Two horses run.", [("Two horses", [LARGE]), ("Two horses", [OTHER]), ("run", [])]),
    "many": ("A flock of birds.", [("birds", [[20 * n, 10, 20 * n + 60, 90] for n in range(12)])]),
    "tiny": ("A far star.", [("star", [[10, 10, 20, 20]])]),
    "huge": ("A wall.", [("A wall", [[0, 0, WIDTH, HEIGHT]])]),
    "nothing": ("It is what it is.", []),
    "turned": ("A turned photo of a door.", [("a door", [[30, 20, 90, 160]])]),
    "lost": ("A lost photo of a lake.", [("a lake", [LARGE])]),
}
FAILED = {"fell": "coordinates", "stopped": "rate_limited"}
FILTERED = {
    "failed": {"fell", "stopped"},
    "no_box": {"arabic", "coinciding", "nothing"},
    "low_score": {"tiny"},
    "many_boxes": {"many"},
    "extreme_box": {"tiny", "huge"},
}
"""What each filter must find."""


def showcase_records() -> list[dict[str, Any]]:
    return [_record(name, caption, phrases) for name, (caption, phrases) in PHRASES.items()]


def showcase_failures() -> list[dict[str, Any]]:
    return [
        failure(0, reason, sample_id=name, message=f"Message <b>of</b> {name}.", image_path="plain.jpg")
        for name, reason in FAILED.items()
    ]


def write_showcase(
    folder: Path, *, records: list[dict[str, Any]] | None = None, measured: bool = False
) -> Path:
    """Writes photos and `report.html` into the folder; returns the report's path.

    `measured`: with the section of what was measured on gold.
    """
    write_photos(folder)
    out = folder / "report.html"
    shown = records if records is not None else showcase_records()
    write(out, shown, showcase_failures(), gold=measured_section(folder) if measured else None)
    return out


def write(
    out: Path, records: Any, failures: Any = (), *, max_samples: int = 0, **options: Any
) -> WrittenReport:
    """A report whose photos lie beside it."""
    return write_report(
        records,
        failures,
        lambda path: out.parent / path,
        out,
        title='Showcase of <b>"trouble"</b>',
        summary={"rejected lines": 2},
        settings=ReportSpec(max_samples=max_samples),
        **options,
    )


def write_photos(folder: Path) -> None:
    """One photo for each sample but `lost`; that of `turned` is stored lying on its side."""
    for number, name in enumerate(PHRASES):
        if name not in ("turned", "lost"):
            Image.new("RGB", (WIDTH, HEIGHT), (20 * number, 90, 130)).save(folder / f"{name}.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 120), (90, 90, 40)).save(folder / "turned.jpg", exif=exif)


def _record(name: str, caption: str, phrases: list[tuple[str, list[list[int]]]]) -> dict[str, Any]:
    chance = random.Random(name)
    expressions = [
        expression(name, index, text, caption.index(text), boxes, chance)
        for index, (text, boxes) in enumerate(phrases)
    ]
    record = annotated(name, caption, expressions, {"step_1": {"backend": "local", "model": "<i>m</i>"}})
    for instance in (instance for e in expressions for instance in e["instances"]):
        instance.update(score=0.31 if name == "tiny" else 0.875)
        if name == "huge":
            instance.update(score=0.9, score_source="default")
    if name == "turned":
        record.update(width=120, height=200)
    return record
