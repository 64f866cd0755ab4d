"""Native forms that are JSON, though not the JSON that was asked for.

Each takes the answers, in the family's own numbers, and the family's key. Where it comes from stands in `forms.py`.
"""

from collections.abc import Sequence
from typing import Any

from tests.endpoints.families import Answer, write_json
from tests.endpoints.form_parts import dumped, each, present, spaced, youtu_box


def rows(answers: Sequence[Answer], key: str, name: str = "label") -> list[dict[str, Any]]:
    """One object for each box, box first, as Qwen and Gemini write."""
    return [{key: list(box), name: answer.text} for answer in answers for box in answer.boxes]


def listed(rows: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(f"\t{dumped(row)}" for row in rows) + "\n]"


def fenced(text: str, language: str = "json") -> str:
    return f"```{language}\n{text}\n```"


def contract(answers: Sequence[Answer], key: str) -> str:
    return write_json(answers, key)


def json_list(answers: Sequence[Answer], key: str) -> str:
    return fenced(listed(rows(answers, key)))


def bare_list(answers: Sequence[Answer], key: str) -> str:
    return dumped(rows(answers, key))


def id_and_label(answers: Sequence[Answer], key: str) -> str:
    rows = [
        {"id": answer.expression_id, "label": answer.text, key: list(box)}
        for answer in answers
        for box in answer.boxes
    ]
    return fenced(listed(rows))


def ids_alone(answers: Sequence[Answer], key: str) -> str:
    return listed([{"id": a.expression_id, key: list(box)} for a in answers for box in a.boxes])


def object_bboxes(answers: Sequence[Answer], key: str) -> str:
    return fenced(dumped([{"object": a.text, "bboxes": a.boxes} for a in present(answers)], indent=4))


def ndjson(answers: Sequence[Answer], key: str) -> str:
    return "\n".join(dumped(row) for row in rows(answers, key))


def fence_each(answers: Sequence[Answer], key: str) -> str:
    return each(answers, lambda a: f'For "{a.text}":\n{fenced(listed(rows([a], key)))}', "\n\n")


def named_corners(answers: Sequence[Answer], key: str) -> str:
    rows = [{"label": name, **corners} for name, corners in corners(answers, "x_min y_min x_max y_max")]
    return listed(rows)


def objects_without_brackets(answers: Sequence[Answer], key: str) -> str:
    rows = [{**corners, "label": name} for name, corners in corners(answers, "x_min y_min x_max y_max")]
    return ",\n".join(dumped(row) for row in rows)


def nested_corners(answers: Sequence[Answer], key: str) -> str:
    rows = [{"name": name, "bbox": corners} for name, corners in corners(answers, "x0 y0 x1 y1")]
    return dumped({"objects": rows})


def corners(answers: Sequence[Answer], names: str) -> list[tuple[str, dict[str, float]]]:
    return [(a.text, dict(zip(names.split(), box, strict=True))) for a in answers for box in a.boxes]


def declared_xywh(answers: Sequence[Answer], key: str) -> str:
    return dumped({"format": "xywh", "objects": rows(answers, "bbox")})


def width_and_height(answers: Sequence[Answer], key: str) -> str:
    return listed([{"label": name, **sides} for name, sides in corners(answers, "x y width height")])


def by_label(answers: Sequence[Answer], key: str) -> str:
    return fenced(dumped({a.text: a.boxes for a in present(answers)}))


def by_id(answers: Sequence[Answer], key: str) -> str:
    return dumped({a.expression_id: a.boxes for a in answers})


def nova(answers: Sequence[Answer], key: str) -> str:
    return fenced(dumped([{a.text: list(box)} for a in answers for box in a.boxes]))


def parallel_lists(answers: Sequence[Answer], key: str) -> str:
    named = [(box, a.text) for a in answers for box in a.boxes]
    return dumped({"bboxes": [box for box, _ in named], "labels": [name for _, name in named]})


def bbox_in_string(answers: Sequence[Answer], key: str) -> str:
    rows = [
        {"id": a.expression_id, "boxes": [f"<bbox>{spaced(box)}</bbox>" for box in a.boxes]} for a in answers
    ]
    return dumped({"expressions": rows})


def youtu_in_string(answers: Sequence[Answer], key: str) -> str:
    return fenced(listed([{"label": a.text, "bbox": youtu_box(box)} for a in answers for box in a.boxes]))


def corner_points(answers: Sequence[Answer], key: str) -> str:
    rows = [
        {"label": a.text, "top_left": list(box[:2]), "bottom_right": list(box[2:])}
        for a in answers
        for box in a.boxes
    ]
    return dumped(rows)


def boxes_as_strings(answers: Sequence[Answer], key: str) -> str:
    rows = [
        {"label": a.text, key: ", ".join(f"{edge:g}" for edge in box)} for a in answers for box in a.boxes
    ]
    return fenced(listed(rows))


def percent_signs(answers: Sequence[Answer], key: str) -> str:
    rows = [{"label": a.text, key: [f"{edge:g}%" for edge in box]} for a in answers for box in a.boxes]
    return listed(rows)


def by_id_objects(answers: Sequence[Answer], key: str) -> str:
    return dumped({a.expression_id: {"label": a.text, "boxes": a.boxes} for a in answers})
