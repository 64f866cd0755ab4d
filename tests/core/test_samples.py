"""The samples of an input file: their order, reading one again, and noticing that the file has changed."""

import hashlib
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.errors import InputError
from tests.core.workspaces import annotate, open_workspace, roll_up, write_input, write_picture
from tests.formats import check_results

ROWS = [{"image_path": f"{i}.jpg", "caption": f"caption {i}"} for i in range(4)]


of_any_age = pytest.mark.parametrize("age_s", [0.0, 60.0], ids=["just written, read again", "settled, kept"])


def build(folder: Path, rows: list[Any], *, age_s: float = 0.0) -> SampleIndex:
    path = write_input(folder / "input.jsonl", rows)
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return SampleIndex.build(path, SampleIds(folder / "samples.jsonl"))


@of_any_age
def test_samples_stand_in_input_order_and_can_be_read_again(tmp_path: Path, age_s: float) -> None:
    rows = [b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode(), b"", b"{", *ROWS[1:]]
    index = build(tmp_path, rows, age_s=age_s)
    assert index.ids == ["0", "1", "2", "3"] and index.rejected == 1
    assert [index.read(name).caption for name in reversed(index.ids)] == [
        "caption 3",
        "caption 2",
        "caption 1",
        "caption 0",
    ]
    assert [(name, record) for name, record in index.records()] == list(zip(index.ids, ROWS, strict=True))


@of_any_age
def test_a_pair_twice_is_one_sample_with_two_records_of_their_own(tmp_path: Path, age_s: float) -> None:
    again = {**ROWS[0], "split": "b", "width": 5, "height": 6}
    index = build(tmp_path, [{**ROWS[0], "split": "a"}, ROWS[1], again], age_s=age_s)
    assert index.ids == ["0", "1"]
    assert [(name, record.get("split")) for name, record in index.records()] == [
        ("0", "a"),
        ("1", None),
        ("0", "b"),
    ]
    assert index.read("0").declared_size is None


def test_restricting_leaves_the_others_lines_out(tmp_path: Path) -> None:
    index = build(tmp_path, [*ROWS, ROWS[1]], age_s=60.0)
    index.restrict({"1", "3"})
    assert [name for name, _ in index.records()] == ["1", "3", "1"]


def test_lines_added_behind_are_left_for_the_next_run(tmp_path: Path) -> None:
    path = write_input(tmp_path / "input.jsonl", ROWS)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    index = SampleIndex.build(path, SampleIds(tmp_path / "samples.jsonl"))
    with path.open("ab") as stream:
        stream.write(b'\n{"image_path": "new.jpg", "caption": "new"}\n')
    assert [record for _, record in index.records()] == ROWS


def changed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "caption": row["caption"].replace("caption", "Caption")}


CHANGES: dict[str, list[Any]] = {
    "a caption": [ROWS[0], changed(ROWS[1]), *ROWS[2:], ROWS[1]],
    "two lines swapped": [ROWS[1], ROWS[0], *ROWS[2:], ROWS[1]],
    "the repeated line": [*ROWS, changed(ROWS[1])],
    "the repeated line swapped": [*ROWS[:3], ROWS[1], ROWS[3]],
    "a line removed": [*ROWS[:3], ROWS[1]],
    "a line made unusable": [ROWS[0], b"x" * len(json.dumps(ROWS[1])), *ROWS[2:], ROWS[1]],
    "cut": ROWS[:2],
    "emptied": [],
}


@of_any_age
@pytest.mark.parametrize("rows", CHANGES.values(), ids=CHANGES)
def test_a_change_under_the_run_is_noticed(tmp_path: Path, rows: list[Any], age_s: float) -> None:
    index = build(tmp_path, [*ROWS, ROWS[1]], age_s=age_s)
    assert len(list(index.records())) == 5
    write_input(tmp_path / "input.jsonl", rows)
    with pytest.raises(InputError, match="was changed while the run was reading it"):
        list(index.records())


def test_reading_one_sample_notices_the_change_too(tmp_path: Path) -> None:
    index = build(tmp_path, ROWS)
    write_input(tmp_path / "input.jsonl", [changed(ROWS[0]), *ROWS[1:]])
    assert index.read("3").caption == "caption 3"
    with pytest.raises(InputError, match="was changed"):
        index.read("0")
    (tmp_path / "input.jsonl").unlink()
    with pytest.raises(InputError, match="No such file"):
        index.read("3")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"\n \r\n", "The file is empty"),
        (b"{\n[]\n", r"2 lines were rejected\. Line 1: not JSON"),
        ('{"caption": "a"}\n'.encode("utf-16"), "Line 1: not UTF-8"),
    ],
)
def test_an_input_without_a_record_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        SampleIndex.build(path, SampleIds(tmp_path / "samples.jsonl"))
    assert str(path) in str(caught.value)


def test_thousands_of_lines_of_anything(tmp_path: Path) -> None:
    """One reason for each bad line, nothing touched outside the results folder, the good lines annotated."""
    data = tmp_path / "data"
    for i in range(5):
        write_picture(data / f"{i}.png")
    lines = _fuzzed_lines(random.Random(11), 2_500)
    write_input(data / "input.jsonl", lines)
    before = _everything_outside(tmp_path)
    workspace = open_workspace(data)
    annotate(workspace, max_workers=16)
    roll_up(workspace)
    assert _everything_outside(tmp_path) == before
    accounts = check_results(data / "results", data / "input.jsonl")
    assert accounts.accepted + accounts.rejected == 2_500
    assert accounts.annotated > 25 and accounts.failed > 12 and accounts.rejected > 2_000
    assert accounts.rejected == workspace.samples.rejected


def _everything_outside(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file() and "results" not in path.relative_to(folder).parts
    }


def _fuzzed_lines(rng: random.Random, count: int) -> list[bytes]:
    """Mostly bad ones, three of them of 10 MB; the good ones with every trick in their ids and paths."""
    tricks = ["../../etc/passwd", "/tmp/../etc", "..", "a/b", "con", "...", ".ckpt", "x" * 500, "\u202e", "é"]

    def good() -> bytes:
        row = {"image_path": f"{rng.randrange(5)}.png", "caption": f"a cat and {rng.random()} dogs"}
        if rng.random() < 0.5:
            row["image_id"] = rng.choice(tricks)
        if rng.random() < 0.3:
            row["image_path"] = rng.choice(tricks) + rng.choice([".jpg", "/../1.jpg", "\n.jpg"])
        return json.dumps(row, ensure_ascii=rng.random() < 0.5).encode()

    def cut() -> bytes:
        return good()[: rng.randrange(1, 40)]

    def wrong_type() -> bytes:
        value = rng.choice([None, 5, True, [], {}, 1.5, "", "  "])
        name = rng.choice(["image_path", "caption"])
        return json.dumps({"image_path": "1.png", "caption": "a cat", name: value}).encode()

    def constant() -> bytes:
        return b'{"x": ' + rng.choice([b"NaN", b"-Infinity", b"1e999", b"9" * 5000]) + b"}"

    def bytes_of_any_kind() -> bytes:
        return rng.randbytes(rng.randrange(1, 60)).replace(b"\n", b"n") + b"\xff"

    def nul() -> bytes:
        return good()[:-1] + rng.choice([b"\x00}", b', "x": "\x00"}'])

    def surrogate() -> bytes:
        return good()[:-1] + b', "x": "\\ud83d"}'

    def nested() -> bytes:
        depth = rng.choice([101, 500, 990, 2000])
        return good()[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"

    kinds = [cut, wrong_type, constant, bytes_of_any_kind, nul, surrogate, nested]
    lines = [good() if rng.random() < 0.04 else rng.choice(kinds)() for _ in range(count)]
    for place in rng.sample(range(count), 3):
        lines[place] = b'{"image_path": "1.png", "caption": "' + b"x" * (10 << 20) + b'"}'
    return lines
