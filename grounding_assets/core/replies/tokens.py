"""Boxes that a family writes in special tokens instead of JSON.

Covered: `<ref>` and `<box>` (InternVL, Qwen-VL), `<|ref|>` and `<|det|>` (DeepSeek-VL2),
`<|object_ref_start|>` and `<|box_start|>` (Qwen2-VL), `<phrase>` and `<object>` with patch indices
(Kosmos-2), `<loc_n>` (Florence-2) and `<locNNNN>` (PaliGemma). JSON is read by `entries`.
"""

import re

from grounding_assets.core.records import PixelBox
from grounding_assets.core.replies.entries import EntryDraft, EntryReader, Reading
from grounding_assets.core.replies.lenient_json import Scanner

_NAME_OPENS = {
    "<ref>": "</ref>",
    "<|ref|>": "<|/ref|>",
    "<|object_ref_start|>": "<|object_ref_end|>",
    "<phrase>": "</phrase>",
}
_BOX_OPENS = {
    "<box>": "</box>",
    "<|det|>": "<|/det|>",
    "<|box_start|>": "<|box_end|>",
    "<object>": "</object>",
}
_CLOSES = {**_NAME_OPENS, **_BOX_OPENS}
_MARKS = re.compile("(" + "|".join(re.escape(mark) for pair in _CLOSES.items() for mark in pair) + ")")
_SILENT = re.compile(r"</?s>|<pad>|<eos>|<seg[0-9]{3}>|</delimiter_of_multi_objects/>")
_PATCH = re.compile(r"<patch_index_([0-9]{4})>")
_PATCHES_PER_SIDE = 32
_LOCATIONS = re.compile(r"((?:<loc_?[0-9]{1,4}>\s*)+)")
_LOCATION = re.compile(r"<loc_?([0-9]{1,4})>")
_WORD = re.compile(r"\w")


def read_tokens(answer: str) -> Reading:
    """The boxes that stand in special tokens; an empty reading where there are none."""
    text = _SILENT.sub("", answer)
    return _locations(text) if _LOCATION.search(text) else _marked(text)


def _marked(text: str) -> Reading:
    """A name, then its boxes. A box that words separate from the name belongs to no name."""
    reader = EntryReader("xyxy")
    draft = EntryDraft()
    truncated = False
    parts = [*_MARKS.split(text), ""]
    for mark, content, following in zip(parts[1::2], parts[2::2], parts[3::2], strict=False):
        closed = following == _CLOSES.get(mark)
        if mark in _BOX_OPENS:
            _add_boxes(content, closed, draft, reader)
        elif mark in _NAME_OPENS or (draft.names and _WORD.search(content)):
            reader.close(draft)
            name = content.strip() if mark in _NAME_OPENS and closed else ""
            draft = EntryDraft(names=(name,) if name else ())
        truncated |= not following and mark in _CLOSES
    reader.close(draft)
    reading = reader.reading()
    reading.truncated = truncated
    return reading


def _add_boxes(content: str, closed: bool, draft: EntryDraft, reader: EntryReader) -> None:
    patches = [int(index) for index in _PATCH.findall(content)]
    if patches and len(patches) % 2 == 0:
        for first, last in zip(patches[::2], patches[1::2], strict=True):
            (y1, x1), (y2, x2) = divmod(first, _PATCHES_PER_SIDE), divmod(last, _PATCHES_PER_SIDE)
            reader.add(draft, (x1, y1, x2, y2))
        return
    found = next(Scanner(f"[{content}]" if closed else f"[{content}").values(), None)
    if found is None:
        draft.unreadable += 1
    else:
        reader.read_into(found.value, draft, from_points=True)


def _locations(text: str) -> Reading:
    """Runs of location tokens: the name stands before them (Florence-2) or behind them (PaliGemma)."""
    reader = EntryReader("xyxy")
    name_first = "<loc_" in text
    parts = _LOCATIONS.split(text)
    truncated = False
    for index in range(1, len(parts), 2):
        name = parts[index - 1] if name_first else parts[index + 1].partition(";")[0]
        draft = EntryDraft(names=(name.strip(),) if name.strip() else ())
        numbers = [int(number) for number in _LOCATION.findall(parts[index])]
        cut = len(numbers) % 4
        if cut and index == len(parts) - 2 and not parts[-1].strip():
            truncated = True
            draft.complete = False
            numbers = numbers[:-cut]
        boxes = list(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=False))
        if len(numbers) % 4 or (not name_first and len(boxes) > 1) or any(map(_is_inverted, boxes)):
            draft.unreadable += 1
        else:
            for box in boxes:
                reader.add(draft, box)
        reader.close(draft)
    reading = reader.reading()
    reading.truncated = truncated
    return reading


def _is_inverted(box: PixelBox) -> bool:
    """True for half of a quadrilateral: its corners go round, while those of a box are sorted."""
    return box[0] > box[2] or box[1] > box[3]
