"""Whether a results folder keeps every rule of the output format; used by all end-to-end tests.

`check_results` is the door. The rules of a single record are in `tests/record_rules.py`. Nothing here asks
the code under test what it meant, except for the digest that says which lines are the same sample.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from grounding_assets.core.dataset.sample_ids import pair_key
from grounding_assets.core.errors import Reason
from tests.record_rules import FormatViolation, check_record, expect, line_fault

STEP_FOLDERS = {"0": "step_0_expression_extraction", "1": "step_1_grounding", "2": "step_2_verification"}


@dataclass(frozen=True)
class InputRow:
    number: int
    record: dict[str, Any]
    sample_id: str


@dataclass(frozen=True)
class Accounts:
    """Where every input line went."""

    accepted: int
    rejected: int
    lines: int
    """Of annotations.jsonl."""
    samples: int
    annotated: int
    failed: int
    pending: int


def check_results(
    results_dir: Path,
    input_jsonl: Path,
    *,
    steps: Sequence[str] = ("0", "1"),
    stopped: bool = False,
    image_root: Path | None = None,
) -> Accounts:
    """Raises `FormatViolation` for the first broken rule; returns the accounts.

    `stopped` allows samples that no run has reached. With `image_root`, sizes are compared with the
    image files themselves.
    """
    _check_no_partial_files(results_dir)
    rows, rejected = _input_rows(results_dir, input_jsonl)
    id_of_pair = {_pair(row.record): row.sample_id for row in rows}
    _check_sample_ids(results_dir, set(id_of_pair.values()))
    done: dict[str, set[str]] = {}
    extracted: dict[str, Any] = {}
    for step in steps:
        file = results_dir / STEP_FOLDERS[step] / "annotations.jsonl"
        records = list(_json_lines(file))
        done[step] = _check_lines(records, rows, step, file, image_root)
        _check_checkpoints(file.parent, records, id_of_pair)
        for record in records:
            _check_same_expressions(extracted, record, step, file)
    last = steps[-1]
    published = results_dir / "annotations.jsonl"
    source = results_dir / STEP_FOLDERS[last] / "annotations.jsonl"
    expect(published.read_bytes() == source.read_bytes(), f"{published} is no copy of {source}")
    failed = _check_failures(results_dir, rows, steps, done)
    samples = {row.sample_id for row in rows}
    pending = samples - done[last] - failed
    expect(stopped or not pending, f"no result and no failure for {sorted(pending)[:3]}")
    return Accounts(
        accepted=len(rows),
        rejected=rejected,
        lines=sum(row.sample_id in done[last] for row in rows),
        samples=len(samples),
        annotated=len(done[last]),
        failed=len(failed),
        pending=len(pending),
    )


def _check_no_partial_files(results_dir: Path) -> None:
    left = [path.name for path in results_dir.rglob("*.partial") if path.is_file()]
    expect(not left, f"partial files are left: {left[:3]}")


def _json_lines(file: Path) -> Iterator[dict[str, Any]]:
    expect(file.is_file(), f"{file} is missing")
    raw = file.read_bytes()
    expect(not raw or raw.endswith(b"\n"), f"{file} has no last newline")
    for number, line in enumerate(raw.split(b"\n")[:-1], 1):
        where = f"{file}, line {number}"
        fault = line_fault(line, fields=False)
        expect(not fault, f"{where}: {fault}")
        yield json.loads(line)


def _input_rows(results_dir: Path, input_jsonl: Path) -> tuple[list[InputRow], int]:
    """The accepted lines; that exactly the faulty ones are in rejected.jsonl is checked here."""
    ids = {row["pair"]: row["sample_id"] for row in _json_lines(results_dir / "samples.jsonl")}
    rejected = list(_json_lines(results_dir / "rejected.jsonl"))
    by_number = {int(row["line"]): row for row in rejected}
    expect(len(by_number) == len(rejected), "rejected.jsonl names a line twice")
    expect(list(by_number) == sorted(by_number), "rejected.jsonl is not in input order")
    rows: list[InputRow] = []
    faulty = 0
    raw_lines = input_jsonl.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, raw in enumerate(raw_lines, 1):
        if not raw.strip():
            continue
        fault, row = line_fault(raw), by_number.get(number)
        expect(bool(fault) == (row is not None), f"input line {number} ({fault or 'good'}) against {row}")
        if row is not None:
            faulty += 1
            expect(set(row) == {"line", "reason", "text"}, f"fields of rejected line {number}: {sorted(row)}")
            expect(bool(row["reason"]), f"rejected line {number} has no reason")
            text = raw.decode("utf-8", "replace").rstrip("\r")
            expect(text.startswith(row["text"]), f"rejected line {number} does not begin like that")
            continue
        record = json.loads(raw)
        sample_id = ids.get(_pair(record), "")
        expect(bool(sample_id), f"input line {number} has no id in samples.jsonl")
        rows.append(InputRow(number, record, sample_id))
    expect(faulty == len(rejected), "rejected.jsonl names lines that are not in the input")
    return rows, faulty


def _pair(record: dict[str, Any]) -> str:
    return pair_key(record["image_path"], record["caption"])


def _check_sample_ids(results_dir: Path, used: set[str]) -> None:
    ids = [row["sample_id"] for row in _json_lines(results_dir / "samples.jsonl")]
    expect(len({name.casefold() for name in ids}) == len(ids), "two samples have one id")
    for name in used:
        safe = 0 < len(name) <= 120 and name.isprintable() and not name.startswith(".")
        expect(safe and "/" not in name and "\\" not in name and "..." not in name, f"unsafe id {name!r}")


def _check_lines(
    records: list[dict[str, Any]], rows: list[InputRow], step: str, file: Path, image_root: Path | None
) -> set[str]:
    """Input order, every line of every sample that is done, own fields passed through; the samples done."""
    done_pairs = {_pair(record) for record in records}
    expected = [row for row in rows if _pair(row.record) in done_pairs]
    expect(len(expected) == len(records), f"{file} has {len(records)} lines instead of {len(expected)}")
    for position, (row, record) in enumerate(zip(expected, records, strict=True), 1):
        where = f"{file}, line {position} (input line {row.number})"
        check_record(record, row.record, row.sample_id, step, where)
        if image_root is not None:
            with Image.open(image_root / record["image_path"]) as image:
                sideways = image.getexif().get(0x0112, 1) in range(5, 9)
                size = image.size[::-1] if sideways else image.size
            expect(size == (record["width"], record["height"]), f"{where}: the image is {size}")
    return {row.sample_id for row in expected}


def _check_checkpoints(step_dir: Path, records: list[dict[str, Any]], ids: dict[str, str]) -> None:
    for record in records:
        sample_id = ids[_pair(record)]
        path = step_dir / ".ckpt" / f"{sample_id}.json"
        expect(path.is_file(), f"{path} is missing")
        stored = json.loads(path.read_bytes())
        expect(stored["sample_id"] == sample_id, f"{path} is of another sample")
        same = all(record[name] == value for name, value in stored["record"].items())
        expect(same, f"{path} and the line of its sample differ")
        failed = step_dir / ".failed" / path.name
        expect(not failed.exists(), f"{failed} is still there, though the sample is done")


def _check_same_expressions(extracted: dict[str, Any], record: dict[str, Any], step: str, file: Path) -> None:
    """Every step repeats step 0's caption and expressions."""
    essence = (
        record["cleaned_caption"],
        [
            {name: e[name] for name in ("expression_id", "text", "char_span", "noun_chunk")}
            for e in record["expressions"]
        ],
    )
    before = extracted.setdefault(_pair(record), essence)
    expect(step == "0" or before == essence, f"{file}: expressions of '{record['caption'][:40]}' changed")


def _check_failures(
    results_dir: Path, rows: list[InputRow], steps: Sequence[str], done: dict[str, set[str]]
) -> set[str]:
    failures = list(_json_lines(results_dir / "failures.jsonl"))
    first_line: dict[str, InputRow] = {}
    for row in rows:
        first_line.setdefault(row.sample_id, row)
    names = [str(failure["sample_id"]) for failure in failures]
    order = list(first_line)
    expect(len(set(names)) == len(names), "failures.jsonl names a sample twice")
    expect(set(names) <= set(order), "failures.jsonl names an unknown sample")
    expect(names == sorted(names, key=order.index), "failures.jsonl is not in input order")
    for failure in failures:
        sample_id, step = failure["sample_id"], failure["step"]
        where = f"failures.jsonl, {sample_id}"
        expect(step in steps and sample_id not in done[step], f"{where}: step {step} has a result")
        record = first_line[sample_id].record
        for name in ("image_path", "caption"):
            expect(failure[name] == record[name], f"{where}: {name} differs from the input")
        expect(failure["reason"] in list(Reason), f"{where}: reason {failure['reason']!r}")
        expect(isinstance(failure["message"], str) and bool(failure["message"]), f"{where}: no message")
        attempts = failure["attempts"]
        expect(type(attempts) is int and attempts >= 0, f"{where}: attempts {attempts!r}")
        kept = results_dir / STEP_FOLDERS[step] / ".failed" / f"{sample_id}.json"
        expect(kept.is_file() and "replies" in json.loads(kept.read_bytes()), f"{where}: no {kept}")
    return set(names)


__all__ = ["Accounts", "FormatViolation", "check_results"]
