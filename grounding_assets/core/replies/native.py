"""Boxes that a family writes in tags and tokens instead of JSON.

Covered: `<ref>` and `<box>` or `<bbox>` (InternVL, Qwen-VL, MiniCPM-V, Seed, LocateAnything, Youtu-VL), `<|ref|>` and
`<|det|>` (DeepSeek-VL2), `<|object_ref_start|>` and `<|box_start|>` (Qwen2-VL, Rex-Omni), two points behind a
name (Hunyuan), `<boxes coords>` (Molmo2), `<phrase>` and `<object>` with patch indices (Kosmos-2), `<loc_n>`
(Florence-2) and `<locNNNN>` (PaliGemma). JSON is read by `entries`.
"""

import re
from dataclasses import dataclass, replace

from grounding_assets.core.boxes.coordinates import Convention, Order, RawBox
from grounding_assets.core.replies.boxes import NUMBER, says_none
from grounding_assets.core.replies.entries import read_value
from grounding_assets.core.replies.lenient_json import Scanner
from grounding_assets.core.replies.parsed import ReplyEntry, Statement

NAME_TAGS = {
    "<ref>": "</ref>",
    "<|ref|>": "<|/ref|>",
    "<|object_ref_start|>": "<|object_ref_end|>",
    "<phrase>": "</phrase>",
}
BOX_TAGS = {
    "<box>": "</box>",
    "<bbox>": "</bbox>",
    "<|det|>": "<|/det|>",
    "<|box_start|>": "<|box_end|>",
    "<object>": "</object>",
}
_POINT = rf"\(\s*{NUMBER}\s*,\s*{NUMBER}\s*\)"
_FOUR = rf"\(\s*{NUMBER}(?:\s*,\s*{NUMBER}){{3}}\s*\)|\{{\s*{NUMBER}(?:\s*,\s*{NUMBER}){{3}}\s*\}}"
_TOKENS = r"<(?:[xy]_)?[0-9]{1,4}>"
OUTSIDE_TAGS = rf"{_POINT}(?:\s*,?\s*{_POINT})+|{_FOUR}|(?:{_TOKENS}\s*,?\s*){{4,}}"
"""Boxes without brackets of JSON and without tags around them."""
COORDS_TAG = r"<boxes\s[^<>]*?coords=\"(?P<coords>[^\"<>]*)\"[^<>]*>(?P<name>[^<>]*)</boxes>"

_PATCH = re.compile(r"<patch_index_([0-9]{4})>")
_PATCHES_PER_SIDE = 32
_ALL_TOKENS = re.compile(rf"\s*(?:{_TOKENS}\s*,?\s*)+")
_ALL_NUMBERS = re.compile(rf"[\s(){{}}]*{NUMBER}(?:[\s,;(){{}}]+{NUMBER})*[\s(){{}}]*")
_LIST_WITH_SEMICOLONS = re.compile(
    rf"\[?\[\s*({NUMBER}(?:\s*,\s*{NUMBER}){{3}}(?:\s*;\s*{NUMBER}(?:\s*,\s*{NUMBER}){{3}})+)\s*\]\]?"
)
_LOCATIONS = re.compile(r"((?:<loc_?[0-9]{1,4}>\s*)+)")
LOCATION = re.compile(r"<loc_?([0-9]{1,4})>")
_FRAME_OF_TOKEN: tuple[tuple[re.Pattern[str], Order, tuple[float, ...]], ...] = (
    (_PATCH, "xyxy", (32,)),
    (re.compile(r"<loc[0-9]{4}>"), "yxyx", (1024,)),
    (re.compile(r"<loc_[0-9]{1,4}>"), "xyxy", (999, 1000)),
    (
        re.compile(r"(?<![0-9]>)(?<![0-9]>[\s,])(?<![0-9]>[\s,]\s)<y_[0-9]{1,4}>\s*,?\s*<x_[0-9]{1,4}>"),
        "yxyx",
        (999, 1000, 1024),
    ),
)
"""Tokens that mean one order and grid wherever they come from."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of one piece of text. All empty means: none seen."""

    boxes: tuple[RawBox, ...] = ()
    unreadable: int = 0
    closed: bool = True
    """False if the text ended first."""
    name: str | None = None
    """A name that the form itself holds."""


def with_lists_of_lists(text: str) -> str:
    """`[[x1,y1,x2,y2;x1,y1,x2,y2]]`, CogVLM's form, as a list of lists."""
    if ";" not in text:
        return text
    return _LIST_WITH_SEMICOLONS.sub(lambda m: f"[[{'],['.join(m.group(1).split(';'))}]]", text)


def boxes_between_tags(content: str, order: Order) -> Boxes:
    """The boxes between two tags: JSON, numbers, points, tokens, patch indices, or a word for "none"."""
    if not content.strip() or says_none(content):
        return Boxes()
    if patches := [int(index) for index in _PATCH.findall(content)]:
        return _patch_boxes(patches)
    if _ALL_TOKENS.fullmatch(content) or _ALL_NUMBERS.fullmatch(content):
        return grouped_in_fours(content)
    value = next(Scanner(f"[{content}]").values(), None)
    statement = Statement() if value is None else read_value(value, order)
    entries = statement.entries
    if not (entries or statement.says_none):
        return Boxes(unreadable=1)
    boxes = tuple(box for entry in entries if entry.is_unnamed for box in entry.boxes)
    return Boxes(boxes, sum(entry.unreadable or not entry.is_unnamed for entry in entries))


def token_of_another_frame(answer: str, convention: Convention) -> str | None:
    """The first token of an answer whose order or grid is not that of the convention.

    >>> from grounding_assets.core.boxes.coordinates import CONVENTIONS
    >>> token_of_another_frame("<loc0001><loc0002><loc0030><loc0040> car", CONVENTIONS["xyxy_1000"])
    '<loc0001>'
    """
    for token, order, grids in _FRAME_OF_TOKEN:
        if not (convention.order == order and convention.grid in grids) and (found := token.search(answer)):
            return found.group()
    return None


def grouped_in_fours(content: str) -> Boxes:
    """All numbers of the text, four to a box."""
    numbers = [float(number) for number in re.findall(NUMBER, content)]
    if len(numbers) % 4:
        return Boxes(unreadable=1)
    return Boxes(tuple(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True)))


def coords_boxes(coords: str, name: str) -> Boxes:
    """Molmo2's `image index x1 y1 x2 y2 index x1 y1 x2 y2 …`: the image's number, then each box behind its own."""
    numbers = coords.split()
    if len(numbers) % 5 != 1 or any(not re.fullmatch(NUMBER, number) for number in numbers):
        return Boxes(unreadable=1, name=name)
    rows = [numbers[start + 1 : start + 5] for start in range(1, len(numbers), 5)]
    return replace(grouped_in_fours(" ".join(number for row in rows for number in row)), name=name)


def _patch_boxes(patches: list[int]) -> Boxes:
    if len(patches) % 2:
        return Boxes(unreadable=1)
    boxes: list[RawBox] = []
    for first, last in zip(patches[::2], patches[1::2], strict=True):
        (y1, x1), (y2, x2) = divmod(first, _PATCHES_PER_SIDE), divmod(last, _PATCHES_PER_SIDE)
        boxes.append((x1, y1, x2, y2))
    return Boxes(tuple(boxes))


def read_locations(text: str) -> tuple[list[Statement], bool]:
    """Runs of location tokens, and whether the text ends inside one.

    The name stands before them (Florence-2) or behind them (PaliGemma).
    """
    statements: list[Statement] = []
    name_first = "<loc_" in text
    parts = _LOCATIONS.split(text)
    for index in range(1, len(parts), 2):
        name = (parts[index - 1] if name_first else parts[index + 1].partition(";")[0]).strip()
        numbers = [int(number) for number in LOCATION.findall(parts[index])]
        if len(numbers) % 4 and index == len(parts) - 2 and not parts[-1].strip():
            return statements, True
        boxes = list(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=False))
        if len(numbers) % 4 or (not name_first and len(boxes) > 1) or any(map(_is_inverted, boxes)):
            entry = ReplyEntry(None, (name,) if name else (), (), (), unreadable=1)
        else:
            entry = ReplyEntry(None, (name,) if name else (), tuple(boxes), (None,) * len(boxes))
        statements.append(Statement((entry,), is_line=True, is_json=False))
    return statements, False


def _is_inverted(box: RawBox) -> bool:
    """True for half of a quadrilateral: its corners go round, while those of a box are sorted."""
    return box[0] > box[2] or box[1] > box[3]
