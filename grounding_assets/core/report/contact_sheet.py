"""A small picture of some grounded photos with their boxes, for places that show one picture."""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.report.palette import INK, colour_of
from grounding_assets.core.report.thumbnails import read_small

MAX_BYTES = 150_000
_GAP_PX = 4
_PAPER = "#f4f4f2"
_QUALITIES = (85, 75, 65, 50, 35, 20)


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """A picture, and what it shows."""

    jpeg: bytes
    """At most `MAX_BYTES`."""
    captions: tuple[str, ...]
    """Of its photos, which are numbered from 1."""


def contact_sheet(
    records: Iterable[Mapping[str, Any]],
    image_file: Callable[[str], ImageLocation],
    columns: int,
    max_px: int,
) -> ContactSheet | None:
    """The first photos with boxes, numbered, or None if there is no such photo.

    At most `columns` x `columns` cells of 4:3 within `max_px` pixels of width; each photo once; photos
    that cannot be read are passed over, as the report names them. `records` is read only as far as needed.

    Raises `ValueError` if `columns` is below 1 or cells would be under 16 pixels.
    """
    width_px = (max_px - _GAP_PX * (columns - 1)) // columns if columns > 0 else 0
    if width_px < 16:
        raise ValueError(f"{columns} columns do not fit into {max_px} pixels; give fewer or more pixels")
    cell_size = (width_px, width_px * 3 // 4)
    cells: list[Image.Image] = []
    captions: list[str] = []
    seen: set[str] = set()
    for record in records:
        path = str(record["image_path"])
        if path in seen or not any(expression["instances"] for expression in record["expressions"]):
            continue
        seen.add(path)
        try:
            cells.append(_cell(record, image_file(path), cell_size, number=len(cells) + 1))
        except SampleFailure:
            continue
        captions.append(str(record.get("cleaned_caption", record["caption"])))
        if len(cells) == columns * columns:
            break
    if not cells:
        return None
    return ContactSheet(_encode(_arrange(cells, columns, cell_size)), tuple(captions))


def _cell(
    record: Mapping[str, Any], path: ImageLocation, cell_size: tuple[int, int], *, number: int
) -> Image.Image:
    photo, (width, height) = read_small(path, max(cell_size))
    photo.thumbnail(cell_size, Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(photo)
    for position, expression in enumerate(record["expressions"]):
        for instance in expression["instances"]:
            x1, y1, x2, y2 = instance["bbox"]
            left, right = (round(x * photo.width / width) for x in (x1, x2))
            top, bottom = (round(y * photo.height / height) for y in (y1, y2))
            outline = (left, top, max(right - 1, left), max(bottom - 1, top))
            pen.rectangle(outline, outline=INK, width=3)
            pen.rectangle(outline, outline=colour_of(position), width=2)
    pen.rectangle((0, 0, 9 * len(str(number)) + 6, 18), fill=INK)
    pen.text((4, 1), str(number), fill=_PAPER, font_size=14)
    return photo


def _arrange(cells: list[Image.Image], columns: int, cell_size: tuple[int, int]) -> Image.Image:
    width, height = cell_size
    used_columns, rows = min(columns, len(cells)), -(-len(cells) // columns)
    sheet_size = (used_columns * (width + _GAP_PX) - _GAP_PX, rows * (height + _GAP_PX) - _GAP_PX)
    sheet = Image.new("RGB", sheet_size, _PAPER)
    for position, cell in enumerate(cells):
        row, column = divmod(position, columns)
        left = column * (width + _GAP_PX) + (width - cell.width) // 2
        top = row * (height + _GAP_PX) + (height - cell.height) // 2
        sheet.paste(cell, (left, top))
    return sheet


def _encode(sheet: Image.Image) -> bytes:
    """Lower quality first, then half the size."""
    while True:
        for quality in _QUALITIES:
            encoded = io.BytesIO()
            sheet.save(encoded, "JPEG", quality=quality, optimize=True)
            if encoded.tell() <= MAX_BYTES:
                return encoded.getvalue()
        sheet = sheet.reduce(2)
