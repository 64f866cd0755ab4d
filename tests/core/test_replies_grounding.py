import pytest

from grounding_assets.core.replies import match_entries, parse_grounding
from grounding_assets.core.replies.parsed import Named

A, B = (1.0, 2.0, 30.0, 40.0), (5.0, 6.0, 70.0, 80.0)
CONTRACT = (
    '{"expressions": [{"id": "e0", "boxes": [{"box_2d": [1, 2, 30, 40], "score": 0.93}, '
    '{"box_2d": [5, 6, 70, 80], "score": 0.5}]}, {"id": "e1", "boxes": []}]}'
)
TWO = [("e0", (A, B)), ("e1", ())]
CAR, CARS = [("car", (A,))], [("car", (A, B))]
FLAT = '{"bbox_2d": [1, 2, 30, 40], "label": "car"}'


def said(reply, **kwargs):
    """[(id or first name, boxes)] of a reply."""
    entries = parse_grounding(reply, **kwargs).entries
    telling = [entry for entry in entries if entry.boxes or entry.named is Named.ITSELF]
    return [(entry.expression_id or entry.label, entry.boxes) for entry in telling]


FORMS = {
    "the contract": (CONTRACT, TWO),
    "fence": (f"```json\n{CONTRACT}\n```", TWO),
    "fence on one line": (f"```json {CONTRACT} ```", TWO),
    "fence that is not closed": (f"Here you are:\n```\n{CONTRACT}", TWO),
    "prose around": (f"Sure [as asked]! {CONTRACT}\nNote {{x}}: image 640x480 [1].", TWO),
    "bracket in prose before a fence": (f"The set [3 cats\n```json\n{CONTRACT}\n```", TWO),
    "flat list": (f'[{FLAT}, {{"bbox_2d": [5, 6, 70, 80], "label": "dog"}}]', [*CAR, ("dog", (B,))]),
    "one object": (FLAT, CAR),
    "objects on lines": (f'{FLAT}\n{{"bbox_2d": [5, 6, 70, 80], "label": "dog"}}', [*CAR, ("dog", (B,))]),
    "several fences": (f"```json\n{FLAT}\n```\n```json\n{FLAT}\n```", CAR * 2),
    "key bbox": ('[{"label": "car", "bbox": [1, 2, 30, 40]}]', CAR),
    "key box": ('[{"label": "car", "box": [1, 2, 30, 40]}]', CAR),
    "key boxes": ('[{"label": "car", "boxes": [[1, 2, 30, 40], [5, 6, 70, 80]]}]', CARS),
    "key Box-2D": ('[{"Label": "car", "Box-2D": [1, 2, 30, 40]}]', CAR),
    "TAO": ('{"car": {"bboxes": [[1, 2, 30, 40], [5, 6, 70, 80]], "scores": [0.9, 0.8]}}', CARS),
    "TAO without boxes": ('{"car": {"bboxes": [], "scores": []}}', [("car", ())]),
    "mapping to a list of boxes": ('{"car": [[1, 2, 30, 40], [5, 6, 70, 80]]}', CARS),
    "mapping to one box": ('{"car": [1, 2, 30, 40]}', CAR),
    "mapping to objects": ('{"car": [{"bbox": [1, 2, 30, 40]}, {"bbox": [5, 6, 70, 80]}]}', CARS),
    "an expression called box": ('{"box": {"bboxes": [[1, 2, 30, 40]]}}', [("box", (A,))]),
    "envelope": (f'{{"status": "ok", "result": {{"objects": [{FLAT}]}}}}', CAR),
    "image size beside": (f'{{"objects": [{FLAT}], "width": 640, "note": null}}', CAR),
    "nested below an id": (
        '{"id": "e0", "text": "a", "instances": [{"bbox": [1, 2, 30, 40]}]}',
        [("e0", (A,))],
    ),
    "nested label": ('[{"bbox": [1, 2, 30, 40], "label": {"name": "car"}}]', CAR),
    "names in languages": ('[{"bbox": [1, 2, 30, 40], "names": {"en": "car", "zh": "车"}}]', CAR),
    "parts below a thing": (
        '[{"label": "car", "bbox": [1, 2, 30, 40], "parts": [{"label": "wheel", "bbox": [5, 6, 70, 80]}]}]',
        [("wheel", (B,)), *CAR],
    ),
    "other fields": ('[{"bbox": [1, 2, 30, 40], "label": "car", "color": [255, 0, 0, 255]}]', CAR),
    "duplicate keys": (
        '{"car": {"bbox": [1, 2, 30, 40]}, "car": {"bbox": [5, 6, 70, 80]}}',
        [*CAR, ("car", (B,))],
    ),
    "two boxes run together": (
        '{"label": "car", "bbox": [1, 2, 30, 40], "bbox": [5, 6, 70, 80]}',
        [*CAR, ("car", (B,))],
    ),
    "two objects run together": (
        '{"bbox": [1, 2, 30, 40], "label": "car", "bbox": [5, 6, 70, 80], "label": "dog"}',
        [*CAR, ("dog", (B,))],
    ),
    "three boxes run together": (
        '{"label": "car", "bbox": [1, 2, 30, 40], "label": "dog", "bbox": [5, 6, 70, 80], "bbox": [1, 2, 30, 40]}',
        [*CAR, ("dog", (B,)), ("dog", (A,))],
    ),
    "parallel lists": (
        '{"labels": ["car", "dog"], "bboxes": [[1, 2, 30, 40], [5, 6, 70, 80]]}',
        [*CAR, ("dog", (B,))],
    ),
    "trailing commas": ('[{"bbox": [1, 2, 30, 40,], "label": "car",},]', CAR),
    "Python": ("[{'bbox': (1, 2, 30, 40), 'label': 'car', 'occluded': False, 'track': None},]", CAR),
    "apostrophe in single quotes": (
        "[{'bbox': [1, 2, 30, 40], 'label': 'dog's bone'}]",
        [("dog's bone", (A,))],
    ),
    "quotes that are not escaped": (
        '[{"label": "the "Apple" logo", "bbox": [1, 2, 30, 40]}]',
        [('the "Apple" logo', (A,))],
    ),
    "bare keys and a comment": ('[{bbox: [1, 2, 30, 40], // front\n label: "car"}]', CAR),
    "doubled braces": ('[{{"bbox": [1, 2, 30, 40], "label": "car"}}]', CAR),
    "missing comma": (
        '[{"bbox": [1, 2, 30, 40] "label": "car"}\n{"bbox": [5, 6, 70, 80], "label": "dog"}]',
        [*CAR, ("dog", (B,))],
    ),
    "missing brace": (
        '[{"bbox": [1, 2, 30, 40], "label": "car", {"bbox": [5, 6, 70, 80], "label": "dog"}]',
        [*CAR, ("dog", (B,))],
    ),
    "missing bracket": ('[{"label": "car", "bbox": [1, 2, 30, 40}]', CAR),
    "numbers as strings": ('[{"label": "car", "bbox": ["1", "2.0", " 30", "40"]}]', CAR),
    "box as a string": (
        '[{"label": "car", "bbox": "[1, 2, 30, 40]"}, {"label": "car", "bbox": "5 6 70 80"}]',
        [*CAR, ("car", (B,))],
    ),
    "two points as a box": ('[{"label": "car", "bbox": [[1, 2], [30, 40]]}]', CAR),
    "points beside boxes": ('[{"label": "car", "bbox_2d": [1, 2, 30, 40], "point_2d": [15, 20]}]', CAR),
    "named corners": ('[{"label": "car", "x_min": 1, "y_min": 2, "x_max": 30, "y_max": 40}]', CAR),
    "named corners below": ('[{"label": "car", "bbox": {"x2": 30, "x1": 1, "y1": 2, "y2": 40}}]', CAR),
    "inverted corners": ('[{"label": "car", "bbox": [30, 40, 1, 2]}]', [("car", ((30, 40, 1, 2),))]),
    "fractions": ('[{"label": "car", "bbox": [0.1, 0.2, 0.5, 1.0]}]', [("car", ((0.1, 0.2, 0.5, 1.0),))]),
    "null for no box": ('[{"label": "car", "bbox": null}]', [("car", ())]),
    "an empty list": ("[]", []),
    "an empty list in the contract": ('{"expressions": []}', []),
    "an empty list in prose": ("There is none of them: []", []),
    "no names": ("[[1, 2, 30, 40], [5, 6, 70, 80]]", [(None, (A, B))]),
    "escapes": (
        '[{"label": "caf\\u00e9 \\ud83d\\ude00 \\ud83d", "bbox": [1, 2, 30, 40]}]',
        [("café 😀 \ufffd", (A,))],
    ),
    # reasoning
    "think": (f'<think>maybe {{"bbox": [9, 9, 9, 9]}}</think>{CONTRACT}', TWO),
    "think without opening": (f'[{{"label": "x", "bbox": [9, 9, 9, 9]}}]</think>\n{CONTRACT}', TWO),
    "think twice": (
        f"<think>a</think>[[9, 9, 9, 9]]<think>b</think>{CONTRACT}",
        [(None, ((9, 9, 9, 9),)), *TWO],
    ),
    "answer tags": (f"<think>a</think><answer>\n{CONTRACT}\n</answer>", TWO),
    "Kimi": (f"◁think▷[[9, 9, 9, 9]]◁/think▷{CONTRACT}", TWO),
    "channels": (f"<|channel|>analysis<|message|>[[9, 9, 9, 9]]<|channel|>final<|message|>{CONTRACT}", TWO),
    # several statements
    "a draft first": (
        f'Draft: [{{"label": "x", "bbox": [9, 9, 99, 99]}}]. Final: {CONTRACT}',
        [("x", ((9, 9, 99, 99),)), *TWO],
    ),
    "numbers after it": (
        f"{CONTRACT} The image is [640, 480], corners [0, 0, 640, 480].",
        [*TWO, ("corners", ((0, 0, 640, 480),))],
    ),
    "an empty list after it": (f"{CONTRACT} Not found: []", TWO),
    # special tokens
    "GLM": (f"<|begin_of_box|>{CONTRACT}<|end_of_box|>", TWO),
    "GLM inside": ('{"id": "e0", "boxes": <|begin_of_box|>[[1, 2, 30, 40]]<|end_of_box|>}', [("e0", (A,))]),
    "InternVL": ("<ref>e0</ref><box>[[1, 2, 30, 40], [5, 6, 70, 80]]</box><ref>e1</ref><box>[]</box>", TWO),
    "InternVL in prose": ("I see <ref>car</ref> <box>[[1, 2, 30, 40]]</box>, here.", CAR),
    "InternVL, one bracket": ("<ref>car</ref><box>[1, 2, 30, 40]</box>", CAR),
    "InternVL, none": ("<ref>car</ref><box></box>", [("car", ())]),
    "Qwen-VL": ("<ref>car</ref><box>(1,2),(30,40)</box><box>(5,6),(70,80)</box>", [*CAR, ("car", (B,))]),
    "DeepSeek": ("<|ref|>car<|/ref|><|det|>[[1, 2, 30, 40], [5, 6, 70, 80]]<|/det|>", CARS),
    "Qwen2-VL": (
        "<|object_ref_start|>car<|object_ref_end|><|box_start|>(1,2),(30,40)<|box_end|><|im_end|>",
        CAR,
    ),
    "tokens without a name": ("<|box_start|>(1,2),(30,40)<|box_end|>", [(None, (A,))]),
    "words part a box from the name": (
        "<ref>car</ref><box>[[1, 2, 30, 40]]</box> and a dog at <box>[[5, 6, 70, 80]]</box>",
        [*CAR, ("and a dog at", (B,))],
    ),
    "Florence": (
        "</s><s>car<loc_1><loc_2><loc_30><loc_40>dog<loc_5><loc_6><loc_70><loc_80></s>",
        [*CAR, ("dog", (B,))],
    ),
    "Florence, two boxes": ("car<loc_1><loc_2><loc_30><loc_40><loc_5><loc_6><loc_70><loc_80>", CARS),
    "PaliGemma": (
        "<loc0001><loc0002><loc0030><loc0040> car ; <loc0005><loc0006><loc0070><loc0080> dog",
        [*CAR, ("dog", (B,))],
    ),
    "Kosmos": (
        "<phrase> a car</phrase><object><patch_index_0065><patch_index_0264>"
        "</delimiter_of_multi_objects/><patch_index_0000><patch_index_0033></object>",
        [("a car", ((1, 2, 8, 8), (0, 0, 1, 1)))],
    ),
    "a box mark in a name": ('[{"label": "a <box> here", "bbox": [1, 2, 30, 40]}]', [("a <box> here", (A,))]),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    reply, expected = FORMS[form]
    parsed = parse_grounding(reply)
    assert said(reply) == expected
    assert not parsed.truncated
    assert not any(entry.unreadable for entry in parsed.entries if entry.named is Named.ITSELF)


SCORES = {
    "per box": ('[{"label": "a", "bbox": [1, 2, 3, 4], "score": 0.7}]', [0.7]),
    "another word, as a string": ('[{"label": "a", "bbox": [1, 2, 3, 4], "Confidence": "0.7"}]', [0.7]),
    "parallel": ('{"a": {"bboxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "scores": [0.7, null]}}', [0.7, None]),
    "own before the entry's": (
        '{"id": "e0", "score": 0.8, "boxes": [{"box_2d": [1, 2, 3, 4], "score": 0.5}]}',
        [0.5],
    ),
    "the entry's": ('{"id": "e0", "score": 0.8, "boxes": [{"box_2d": [1, 2, 3, 4]}]}', [0.8]),
    "too few": ('{"a": {"bboxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "scores": [0.7]}}', [None, None]),
    "one for two boxes": ('{"a": {"bboxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "score": 0.7}}', [None, None]),
    "per cent or not": ('[{"label": "a", "bbox": [1, 2, 3, 4], "score": 95}]', [None]),
    "a word": ('[{"label": "a", "bbox": [1, 2, 3, 4], "score": "high"}]', [None]),
    "a truth value": ('[{"label": "a", "bbox": [1, 2, 3, 4], "score": true}]', [None]),
    "not a number": ('[{"label": "a", "bbox": [1, 2, 3, 4], "score": NaN}]', [None]),
}


@pytest.mark.parametrize("case", SCORES)
def test_scores(case):
    reply, expected = SCORES[case]
    assert [score for entry in parse_grounding(reply).entries for score in entry.scores] == expected


def test_named_corners_follow_the_order_of_the_family():
    reply = '[{"label": "car", "y_min": 2, "x_min": 1, "y_max": 40, "x_max": 30}]'
    assert said(reply, corner_order="yxyx") == [("car", ((2, 1, 40, 30),))]
    assert said(reply, corner_order="xywh") == [("car", ((1, 2, 29, 38),))]


def test_what_a_later_statement_replaces_is_counted():
    asked = [("e0", "a car"), ("e1", "a dog")]
    draft = '{"expressions": [{"id": "e0", "boxes": [[9, 9, 99, 99]]}]}'
    matched = match_entries(parse_grounding(f"{draft} no, rather {draft} or {CONTRACT}"), asked)
    assert matched.superseded == 2
    assert matched.per_expression[0].boxes == (A, B)
    assert match_entries(parse_grounding(CONTRACT), asked).superseded == 0


def test_repairs_are_counted_and_valid_json_needs_none():
    assert parse_grounding(CONTRACT).repairs == 0
    assert parse_grounding("[{'label': 'car', 'bbox': [1, 2, 30, 40}]").repairs > 0
