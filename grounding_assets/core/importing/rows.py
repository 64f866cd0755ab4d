"""A row of any source on its way to an input record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grounding_assets.core.dataset.input_file import CAPTION_FROM_MODEL
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.input_forms import CAPTION_NAMES, ID_NAMES, IMAGE_NAMES, field_of

NO_IMAGE = "no image is named"
NO_CAPTION = "no caption (--caption-from-model keeps such images, for the model to describe)"


@dataclass(frozen=True, slots=True)
class Row:
    """What a source says of one image."""

    place: str
    """Where it stands, such as `line 12`."""
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What no record can be made of."""

    place: str
    reason: str
    count: int = 1


class RowMapping:
    """Finds image, caption and id in a row, and remembers under which names they were found."""

    def __init__(self, options: ImportOptions):
        self._options = options
        self.used: dict[str, set[str]] = {"image": set(), "caption": set(), "id": set()}

    def records(self, row: Row) -> Iterator[dict[str, Any] | LeftOut]:
        """An input record for each caption of the row; fields that mean nothing here are passed through."""
        fields = {name: value for name, value in row.fields.items() if value is not None and value != ""}
        image, caption, own_id = self._find(fields)
        if image is None:
            yield LeftOut(row.place, NO_IMAGE)
            return
        record: dict[str, Any] = {"image_path": fields.pop(image)}
        if isinstance(record["image_path"], str):
            record["image_path"] = record["image_path"].strip()
            if record["image_path"].lower().startswith(("http://", "https://", "s3://", "gs://")):
                yield LeftOut(row.place, "the image is an address; download it first, img2dataset does")
                return
        captions = _captions(fields.pop(caption)) if caption is not None else []
        if own_id is not None:
            record["image_id"] = fields.pop(own_id)
        record |= {
            name: _number(value) if name in ("width", "height") else value for name, value in fields.items()
        }
        if captions:
            yield from ({**record, "caption": text} for text in captions)
        elif self._options.caption_from_model:
            yield {**record, "caption": "", CAPTION_FROM_MODEL: True}
        else:
            yield LeftOut(row.place, NO_CAPTION)

    def _find(self, fields: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
        options, names = self._options, list(fields)
        image = _given(options.image_field, names) or field_of(names, IMAGE_NAMES)
        others = [name for name in names if name != image]
        caption = _given(options.caption_field, others) or field_of(others, CAPTION_NAMES)
        own_id = _given(options.id_field, others) or field_of(others, ID_NAMES)
        for role, name in (("image", image), ("caption", caption), ("id", own_id)):
            if name is not None:
                self.used[role].add(name)
        return image, caption, own_id


def _given(flag: str, names: list[str]) -> str | None:
    return field_of(names, (flag.strip().casefold(),)) if flag else None


def _captions(value: Any) -> list[Any]:
    """One or several; what is no text goes on, for the check of the record to name."""
    values = value if isinstance(value, list) else [value]
    # of Karpathy's splits and some Hugging Face data sets
    values = [v.get("raw", v) if isinstance(v, dict) else v for v in values]
    return [
        v.strip() if isinstance(v, str) else v for v in values if not (isinstance(v, str) and not v.strip())
    ]


def _number(value: Any) -> Any:
    """Pixels from a table, where everything is text."""
    text = value.strip().removesuffix(".0") if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else value
