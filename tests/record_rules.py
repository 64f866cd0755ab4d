"""The rules for one line: of the input, and of an annotations file. Written from the format, not from the code."""

import json
import math
from pathlib import PurePosixPath
from typing import Any

MAX_LINE_BYTES = 1 << 20
MAX_NESTING = 100
RESULT_FIELDS = {
    "sample_id",
    "image_id",
    "width",
    "height",
    "cleaned_caption",
    "expressions",
    "source",
    "pipeline_steps",
    "provenance",
}
STEP_NAMES = ["step0_expression_extraction", "step1_grounding", "step2_verification"]
STATUSES = {"boxed", "none_seen", "not_mentioned", "out_of_vocabulary"}
OF_EVERY_TEACHER = {
    "backend",
    "model",
    "sent_size",
    "image_sha256",
    "settings",
    "calls",
    "tokens_in",
    "tokens_out",
    "seconds",
}
OF_A_MODEL = {
    "step_0": {"prompt_version", "attempts", "spans_repaired", "expressions_dropped"},
    "step_1": {"prompt_version", "attempts", "convention", "boxes"},
    "step_2": {"prompt_version", "attempts"},
}


class FormatViolation(AssertionError):
    """A rule of the output format is broken; the text says which, and where."""


def expect(kept: bool, otherwise: str) -> None:
    if not kept:
        raise FormatViolation(otherwise)


def line_fault(raw: bytes, *, fields: bool = True) -> str:
    """Why a line cannot be an input record; empty where it can. Without `fields`, any JSON object will do."""
    if fields and len(raw) >= MAX_LINE_BYTES:
        return "too long"
    try:
        record = json.loads(raw.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {str(error)[:80]}"
    if not isinstance(record, dict):
        return "not an object"
    if not fields:
        return ""
    if _depth(record) > MAX_NESTING:
        return "nested too deeply"
    return next((fault for fault in (rule(record) for rule in (_texts, _id, _sizes)) if fault), "")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text[:20]} is out of range")
    return float(text)


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 0)]
    while waiting:
        node, above = waiting.pop()
        if isinstance(node, (dict, list)):
            deepest = max(deepest, above + 1)
            waiting += [(child, above + 1) for child in (node.values() if isinstance(node, dict) else node)]
    return deepest


def _texts(record: dict[str, Any]) -> str:
    for name in ("image_path", "caption"):
        if not isinstance(record.get(name), str) or not record[name].strip():
            return f"{name} is no text"
    return "NUL in image_path" if "\0" in record["image_path"] else ""


def _id(record: dict[str, Any]) -> str:
    return "" if type(record.get("image_id")) in (str, int, type(None)) else "image_id"


def _sizes(record: dict[str, Any]) -> str:
    for name in ("width", "height"):
        pixels = record.get(name)
        if pixels is None:
            continue
        if type(pixels) not in (int, float) or not 0 < pixels < 1 << 31 or pixels != int(pixels):
            return name
    return ""


def check_record(
    record: dict[str, Any], given: dict[str, Any], sample_id: str, step: str, where: str
) -> None:
    """One line of an annotations file against the input line that it stands for."""
    expect(set(record) == set(given) | RESULT_FIELDS, f"{where}: fields {sorted(set(record) ^ set(given))}")
    for name in set(given) - RESULT_FIELDS:
        expect(_same_json(record[name], given[name]), f"{where}: '{name}' was not passed through")
    expect(record["sample_id"] == sample_id, f"{where}: sample_id {record['sample_id']!r}")
    named = given.get("image_id")
    expect(record["image_id"] == (_stem(given) if named in (None, "") else named), f"{where}: image_id")
    width, height = record["width"], record["height"]
    expect(_is_int(width) and _is_int(height) and width > 0 and height > 0, f"{where}: width, height")
    expect(record["source"] == "image_grounding", f"{where}: source")
    expect(record["pipeline_steps"] == STEP_NAMES[: int(step) + 1], f"{where}: pipeline_steps")
    caption = record["cleaned_caption"]
    expect(isinstance(caption, str), f"{where}: cleaned_caption")
    spans = [expression["char_span"] for expression in record["expressions"]]
    expect(spans == sorted(spans), f"{where}: expressions are not in reading order")
    for index, expression in enumerate(record["expressions"]):
        _check_expression(expression, f"{sample_id}/e{index}", caption, (width, height), step, where)
    _check_provenance(record["provenance"], step, where)


def _stem(given: dict[str, Any]) -> str:
    name = PurePosixPath(given["image_path"].replace("\\", "/")).name
    return name.rsplit(".", 1)[0] if "." in name.lstrip(".") else name


def _check_expression(
    expression: dict[str, Any], name: str, caption: str, size: tuple[int, int], step: str, where: str
) -> None:
    expect(expression["expression_id"] == name, f"{where}: {expression['expression_id']} instead of {name}")
    span = expression["char_span"]
    expect(len(span) == 2 and all(map(_is_int, span)), f"{where}, {name}: char_span {span}")
    start, end = span
    expect(0 <= start < end <= len(caption), f"{where}, {name}: char_span {span}")
    expect(caption[start:end] == expression["text"], f"{where}, {name}: text is not at {span}")
    expect(isinstance(expression["noun_chunk"], str) and bool(expression["noun_chunk"]), f"{where}, {name}")
    expect(expression["span_status"] in ("exact", "repaired"), f"{where}, {name}: span_status")
    instances = expression["instances"]
    if step == "0":
        expect(instances == [] and "grounding_status" not in expression, f"{where}, {name}: instances")
        return
    status = expression["grounding_status"]
    expect(status in STATUSES and (status == "boxed") == bool(instances), f"{where}, {name}: {status}")
    expect(_is_verdict(expression, "complete", step), f"{where}, {name}: complete")
    for index, instance in enumerate(instances):
        expect(_is_verdict(instance, "verified", step), f"{where}, {name}: verified")
        _check_instance(instance, f"{name}/b{index}", size, where)


def _is_verdict(row: dict[str, Any], name: str, step: str) -> bool:
    """Yes, no or undecided from step 2 on, and nothing before."""
    return row[name] in (True, False, None) if step >= "2" and name in row else step < "2" and name not in row


def _check_instance(instance: dict[str, Any], name: str, size: tuple[int, int], where: str) -> None:
    expect(instance["bbox_id"] == name, f"{where}: {instance['bbox_id']} instead of {name}")
    bbox = instance["bbox"]
    expect(len(bbox) == 4 and all(map(_is_int, bbox)), f"{where}, {name}: bbox {bbox}")
    x1, y1, x2, y2 = bbox
    inside = 0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]
    expect(inside, f"{where}, {name}: bbox {bbox} in {size}")
    score = instance["score"]
    expect(type(score) in (int, float) and 0 <= score <= 1, f"{where}, {name}: score {score}")
    expect(instance["score_source"] in ("model", "default"), f"{where}, {name}: score_source")
    expect(instance["score_source"] == "model" or score == 0.9, f"{where}, {name}: default score {score}")


def _check_provenance(provenance: dict[str, Any], step: str, where: str) -> None:
    parts = [f"step_{i}" for i in range(int(step) + 1)]
    expect(list(provenance) == parts, f"{where}: provenance of {list(provenance)}")
    for part in parts:
        made = provenance[part]
        if made.get("imported"):
            continue
        required = OF_EVERY_TEACHER | (set() if made.get("backend") == "local" else OF_A_MODEL[part])
        if part == "step_2":
            required.discard("sent_size")
        expect(required <= set(made), f"{where}: provenance.{part} lacks {sorted(required - set(made))}")


def _is_int(value: Any) -> bool:
    return type(value) is int


def _same_json(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
