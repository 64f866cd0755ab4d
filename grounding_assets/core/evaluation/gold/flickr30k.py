"""Flickr30k Entities as gold: a record for each sentence, with the entities' boxes.

Format: `flickr30k_entities_utils.py` of the data set's authors (Plummer et al. 2015).
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record
from grounding_assets.core.records import Expression, GroundingStatus, PixelBox, Span

SOURCE = "flickr30k_entities"
NOT_VISUAL = "0"
"""The entity of phrases that name nothing visible."""


class _Annotation(NamedTuple):
    size: tuple[int, int]
    boxes: dict[str, list[PixelBox]]
    absent: set[str]
    """Entities that the annotators did not find in the image."""


def flickr30k_gold(
    root: Path, ids: Path | None = None, *, image_prefix: str = ""
) -> Iterator[dict[str, Any]]:
    """A gold record for each sentence, images in the order of the list or of their names.

    A phrase whose entity has boxes is present, one that is marked `nobndbox` absent. One that stands for
    the whole scene has no boxes and is not absent: it counts as an expression and is not judged further.

    Args:
        root: folder with `Sentences/` and `Annotations/`.
        ids: a split's list of ids, such as `test.txt`; all images without it.
        image_prefix: put before each `<id>.jpg`.

    Raises:
        InputError: a file is missing or not what it should be; names it.
    """
    for name in _names(root, ids):
        annotation = _read_annotation(root / "Annotations" / f"{name}.xml")
        sentences = root / "Sentences" / f"{name}.txt"
        try:
            lines = sentences.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {sentences}: {error}.") from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    caption, expressions = _parse_sentence(line, annotation)
                except (IndexError, ValueError) as error:
                    raise InputError(f"{sentences}, line {number} has broken brackets: {error}.") from None
                yield gold_record(f"{image_prefix}{name}.jpg", caption, annotation.size, expressions, SOURCE)


def _names(root: Path, ids: Path | None) -> list[str]:
    try:
        if ids is not None:
            return ids.read_text(encoding="utf-8").split()
        return sorted(path.stem for path in (root / "Sentences").iterdir() if path.suffix == ".txt")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read Flickr30k Entities under {root}: {error}.") from None


def _parse_sentence(line: str, annotation: _Annotation) -> tuple[str, list[Expression]]:
    words: list[str] = []
    length = 0
    start, entity = 0, ""
    marked: list[tuple[int, int, str]] = []
    for token in line.split():
        if token.startswith("[") and not entity:
            entity = token.split("/")[1].removeprefix("EN#")
            start = length + bool(words)
            continue
        closes = bool(entity) and token.endswith("]")
        word = token[:-1] if closes else token
        length += bool(words) + len(word)
        words.append(word)
        if closes:
            marked.append((start, length, entity))
            entity = ""
    if entity:
        raise ValueError("a phrase is not closed")
    caption = " ".join(words)
    return caption, [
        _expression(caption, (start, end), entity, annotation)
        for start, end, entity in marked
        if entity != NOT_VISUAL and start < end
    ]


def _expression(caption: str, span: Span, entity: str, annotation: _Annotation) -> Expression:
    absent = entity in annotation.absent
    status = GroundingStatus.NONE_SEEN if absent else GroundingStatus.NOT_MENTIONED
    return gold_expression(caption, span, annotation.boxes.get(entity, []), status=status)


def _read_annotation(path: Path) -> _Annotation:
    try:
        root = ET.parse(path).getroot()
        size = (int(_text(root, "size/width")), int(_text(root, "size/height")))
        boxes: dict[str, list[PixelBox]] = {}
        absent: set[str] = set()
        for element in root.iterfind("object"):
            entities = [name.text or "" for name in element.iterfind("name")]
            if element.find("bndbox") is not None:
                # pixels are counted from 1
                edges = [
                    int(_text(element, f"bndbox/{side}")) - 1 for side in ("xmin", "ymin", "xmax", "ymax")
                ]
                for entity in entities:
                    boxes.setdefault(entity, []).append((edges[0], edges[1], edges[2], edges[3]))
            elif element.findtext("nobndbox") == "1":
                absent.update(entities)
    except (OSError, ET.ParseError, ValueError) as error:
        raise InputError(f"{path} is not a Flickr30k annotation: {error}.") from None
    return _Annotation(size, boxes, absent)


def _text(element: ET.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"no {path}")
    return text
