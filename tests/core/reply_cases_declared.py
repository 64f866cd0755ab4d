"""What a reply says of its boxes in a member, wherever it stands and whatever its key is called.

Each box is written in the form that the member names, so that a reader who passes the member over gets another box.
"""

import json

from tests.core.reply_cases import ASKED, BOAT, FAILS, GULLS, LIGHT, RIGHT, Cases, by_id, by_label, envelope

CASES = Cases()
_X1, _Y1, _X2, _Y2 = BOAT
_SIZE = [_X2 - _X1, _Y2 - _Y1]
_CENTRE = [(_X1 + _X2) / 2, (_Y1 + _Y2) / 2]
_REST = [by_id("e1", LIGHT), by_id("e2", *GULLS)]
_LABELLED_REST = [by_label(ASKED["e1"], LIGHT), *(by_label(ASKED["e2"], gull) for gull in GULLS)]
_XYWH = [_X1, _Y1, *_SIZE]
_FORMS = {
    "xywh": _XYWH,
    "XYWH_ABS": _XYWH,
    "[x, y, width, height]": _XYWH,
    "x_min,y_min,width,height": _XYWH,
    "ltwh": _XYWH,
    "xyhw": [_X1, _Y1, _SIZE[1], _SIZE[0]],
    "cxcywh": [*_CENTRE, *_SIZE],
    "[x_center, y_center, width, height]": [*_CENTRE, *_SIZE],
    "yxyx": [_Y1, _X1, _Y2, _X2],
    "[ymin, xmin, ymax, xmax]": [_Y1, _X1, _Y2, _X2],
    "y1x1y2x2": [_Y1, _X1, _Y2, _X2],
    "x1 y1 x2 y2": BOAT,
}
_KINDS = {"coco": _XYWH, "yolo": [*_CENTRE, *_SIZE], "center": [*_CENTRE, *_SIZE], "pascal_voc": BOAT}

for key in ("format", "bboxFormat", "type", "bbox_mode", "order", "coordinates_format"):
    for form, box in {**_FORMS, **_KINDS}.items():
        CASES.add(f"{key}: {form}", envelope({"id": "e0", "bbox": box, key: form}, *_REST), RIGHT, FAILS)
for form, box in _FORMS.items():
    CASES.add(
        f"any key: {form}", [{"label": ASKED["e0"], "bbox": box, "note": form}, *_LABELLED_REST], RIGHT, FAILS
    )
    boxes = [{"label": ASKED["e0"], "bbox": box}]
    CASES.add(
        f"above all: {form}",
        {"boxes_are": form, "detections": boxes},
        {"e0": [BOAT]},
        FAILS,
        asked={"e0": ASKED["e0"]},
    )

_AROUND = dict(zip("xy", _CENTRE, strict=True)) | dict(zip(("width", "height"), _SIZE, strict=True))
for anchor in ("anchor", "origin", "reference_point", "originX"):
    CASES.add(
        f"{anchor} is the centre",
        envelope({"id": "e0", "bbox": {**_AROUND, anchor: "center"}}, *_REST),
        RIGHT,
        FAILS,
    )
    CASES.add(
        f"{anchor} is the centre of the entry",
        envelope({"id": "e0", **_AROUND, anchor: "centre"}, *_REST),
        RIGHT,
        FAILS,
    )
_CORNER = {"x": _X1, "y": _Y1, "w": _SIZE[0], "h": _SIZE[1]}
CASES.add("anchor is the corner", envelope({"id": "e0", **_CORNER, "anchor": "top-left"}, *_REST), RIGHT)
CASES.add("another origin", envelope({"id": "e0", **_CORNER, "origin": "bottom-left"}, *_REST), FAILS)
CASES.add("a rotated box", envelope({"id": "e0", **_CORNER, "angle": 30}, *_REST), FAILS)
CASES.add("rotated by nothing", envelope({"id": "e0", "bbox": BOAT, "angle": 0}, *_REST), RIGHT, FAILS)
CASES.add(
    "a text that is no form",
    envelope({"id": "e0", "bbox": BOAT, "note": "left of the tree", "type": "vehicle"}, *_REST),
    RIGHT,
)

for said in (
    {"format": "json"},
    {"format": "bbox_2d"},
    {"coordinate_format": "normalized_1000"},
    {"note": "100 percent sure of the values"},
):
    CASES.add(f"no form in {said}", envelope({"id": "e0", "bbox": BOAT, **said}, *_REST), RIGHT)

_PER_CENT = {i: [[n / 10 for n in box] for box in boxes] for i, boxes in RIGHT.items()}
for said in (
    {"unit": "percent"},
    {"units": "%"},
    {"coordinate_range": "0-100"},
    {"scale": 100},
    {"range": [0, 100]},
    {"normalization": "0-100"},
    {"coordinates": "percent of image width and height"},
):
    entries = [by_id(i, *boxes) for i, boxes in _PER_CENT.items()]
    CASES.add(f"per cent by {said}", {"expressions": entries, **said}, RIGHT, FAILS)
CASES.add(
    "named edges in per cent",
    envelope({"id": "e0", "x": 12, "y": 21, "w": 22, "h": 22, "unit": "percent"}, *_REST),
    RIGHT,
    FAILS,
)
CASES.add(
    "scores in per cent", {**json.loads(envelope(by_id("e0", BOAT), *_REST)), "score_range": "0-100"}, RIGHT
)
