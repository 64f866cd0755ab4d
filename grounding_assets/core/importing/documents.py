"""JSON as rows: an object a line, an array of objects, and COCO's document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES, bounded_lines
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import json_object
from grounding_assets.core.importing.rows import LeftOut, Row
from grounding_assets.core.json_arrays import elements, values


def read_json_lines(path: Path) -> Iterator[Row | LeftOut]:
    """The objects of a JSONL file.

    Raises:
        InputError: it cannot be read.
    """
    for line in bounded_lines(path):
        place = f"line {line.number}"
        if line.is_too_long:
            yield LeftOut(place, f"longer than {MAX_LINE_BYTES} bytes")
        else:
            yield _row_or_left_out(place, json_object(line.raw))


def read_json_array(path: Path) -> Iterator[Row | LeftOut]:
    """The objects of an array.

    Raises:
        InputError: it cannot be read, or is no array.
    """
    for number, fields in enumerate(values(path, ""), 1):
        yield _row_or_left_out(f"element {number}", fields)


def _row_or_left_out(place: str, fields: Any) -> Row | LeftOut:
    return Row(place, fields) if isinstance(fields, dict) else LeftOut(place, "no JSON object")


def read_coco(path: Path) -> Iterator[Row | LeftOut]:
    """A row for each caption of COCO's `annotations`, else for each image of Karpathy's `images`.

    Raises:
        InputError: it cannot be read, or is another document.
    """
    sizes: dict[Any, dict[str, Any]] = {}
    with_sentences = False
    for number, image in enumerate(elements(path, "images"), 1):
        if "sentences" in image:
            with_sentences = True
            yield Row(f"image {number}", _of_karpathy(image))
        else:
            _remember(sizes, image)
    if with_sentences:
        return
    for number, annotation in enumerate(elements(path, "annotations"), 1):
        image_id = annotation.get("image_id")
        image = sizes.get(image_id) if isinstance(image_id, (int, str)) else None
        if image is None:
            yield LeftOut(f"annotation {number}", "its image_id is not among the images")
        else:
            yield Row(
                f"annotation {number}", {**image, "image_id": image_id, "caption": annotation.get("caption")}
            )
    if not sizes:
        raise InputError(f"{path} names no images: is it the file of captions?")


def _remember(sizes: dict[Any, dict[str, Any]], image: dict[str, Any]) -> None:
    if isinstance(image.get("id"), (int, str)):
        sizes[image["id"]] = {name: image.get(name) for name in ("file_name", "width", "height")}


def _of_karpathy(image: dict[str, Any]) -> dict[str, Any]:
    """`filepath` is the folder of `filename` there."""
    folder, name = image.get("filepath"), image.get("filename")
    kept = {
        key: value for key, value in image.items() if key not in ("filepath", "filename", "sentids", "imgid")
    }
    joined = f"{folder}/{name}" if isinstance(folder, str) and isinstance(name, str) else name
    return {**kept, "file_name": joined}
