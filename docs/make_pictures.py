"""Draws the README's picture from the demonstration's output: `make demo`, then `python -m docs.make_pictures`.

Each photo with its boxes, and below it the cleaned caption with the expressions that the boxes belong to.
Nothing here decides what is right; it shows what `annotations.jsonl` says.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from grounding_assets.core.files import read_lines
from grounding_assets.core.report.palette import INK, colour_of

PROJECT = Path(__file__).resolve().parent.parent
SHOWN = ("coffee", "chelsea", "camera")
"""Image ids; the first caption of each."""
HEIGHT_PX, GAP_PX, CAPTION_PX, FONT_PX = 320, 14, 66, 20
PAPER, WITHOUT_BOX = "#ffffff", "#777777"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotations", type=Path, default=PROJECT / "results/demo/annotations.jsonl")
    parser.add_argument("--image-root", type=Path, default=PROJECT / "demo")
    parser.add_argument("--picture", type=Path, default=PROJECT / "docs/images/grounded.jpg")
    given = parser.parse_args()
    first_of: dict[str, Mapping[str, Any]] = {}
    for record in read_lines(given.annotations):
        first_of.setdefault(record["image_id"], record)
    panels = [_panel(first_of[image_id], given.image_root) for image_id in SHOWN]
    width = sum(panel.width for panel in panels) + GAP_PX * (len(panels) - 1)
    picture = Image.new("RGB", (width, panels[0].height), PAPER)
    left = 0
    for panel in panels:
        picture.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    picture.save(given.picture, quality=88, optimize=True)


def _panel(record: Mapping[str, Any], image_root: Path) -> Image.Image:
    """One photo with boxes over its caption."""
    with Image.open(image_root / record["image_path"]) as file:
        scale = HEIGHT_PX / file.height
        photo = file.convert("RGB").resize((round(file.width * scale), HEIGHT_PX), Image.Resampling.LANCZOS)
    panel = Image.new("RGB", (photo.width, HEIGHT_PX + CAPTION_PX), PAPER)
    panel.paste(photo, (0, 0))
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(FONT_PX)
    for position, expression in enumerate(record["expressions"]):
        for instance in expression["instances"]:
            box = [round(edge * scale) for edge in instance["bbox"]]
            _draw_box(pen, box, f"{instance['score']:.2f}", colour_of(position), font)
    _write_caption(pen, record, panel.width, font)
    return panel


def _draw_box(
    pen: ImageDraw.ImageDraw, box: list[int], label: str, colour: str, font: ImageFont.FreeTypeFont | Any
) -> None:
    left, top, right, bottom = box
    corners = (left, top, right - 1, bottom - 1)
    pen.rectangle(corners, outline=INK, width=5)
    pen.rectangle(corners, outline=colour, width=3)
    width = round(pen.textlength(label, font)) + 10
    pen.rectangle((left, top, left + width, top + FONT_PX + 6), fill=colour)
    pen.text((left + 5, top + 2), label, fill=INK, font=font)


def _write_caption(pen: ImageDraw.ImageDraw, record: Mapping[str, Any], width: int, font: Any) -> None:
    """Words with a box on its colour; expressions without one underlined."""
    x, y, line_px = 0.0, HEIGHT_PX + 8, FONT_PX + 6
    for text, position in _pieces(record):
        for word in _words(text):
            length = pen.textlength(word, font)
            if x and x + pen.textlength(word.rstrip(), font) > width:
                x, y = 0.0, y + line_px
            if position is not None:
                boxed = bool(record["expressions"][position]["instances"])
                if boxed:
                    pen.rectangle((x, y, x + length, y + line_px - 3), fill=colour_of(position))
                else:
                    pen.line((x, y + line_px - 3, x + length, y + line_px - 3), fill=WITHOUT_BOX, width=2)
            pen.text((x, y), word, fill=INK, font=font)
            x += length


def _pieces(record: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """The cleaned caption cut at the expressions' spans, each piece with its expression's position."""
    caption, at = record["cleaned_caption"], 0
    for position, expression in enumerate(record["expressions"]):
        start, end = expression["char_span"]
        yield caption[at:start], None
        yield caption[start:end], position
        at = end
    yield caption[at:], None


def _words(text: str) -> Iterator[str]:
    """Words with the space that follows them, so that a line can be broken between any two."""
    for i, word in enumerate(text.split(" ")):
        last = i == text.count(" ")
        if word or not last:
            yield word if last else f"{word} "


if __name__ == "__main__":
    main()
