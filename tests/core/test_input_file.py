"""Reading the input: what is tolerated, what is refused and why, and in how much memory."""

import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.dataset.input_file import (
    MAX_LINE_BYTES,
    InputLine,
    RejectedLine,
    declared_size,
    parse_line,
    read_input,
)
from grounding_assets.core.errors import InputError, visible
from tests.corpus import PROJECT
from tests.record_rules import line_fault

GOOD = {"image_path": "a.jpg", "caption": "A cat."}
BOM = b"\xef\xbb\xbf"


def line_with(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def read_bytes(tmp_path: Path, content: bytes) -> list[InputLine | RejectedLine]:
    path = tmp_path / "input.jsonl"
    path.write_bytes(content)
    return list(read_input(path))


TOLERATED = {
    "plain": line_with() + b"\n" + line_with() + b"\n",
    "BOM": BOM + line_with() + b"\n" + line_with() + b"\n",
    "CRLF": line_with() + b"\r\n" + line_with() + b"\r\n",
    "blank lines": b"\n \t\n" + line_with() + b"\n\r\n\n" + line_with() + b"\n\n",
    "no last newline": line_with() + b"\n" + line_with(),
    "everything": BOM + b"\r\n" + line_with() + b"\r\n\r\n" + line_with(),
}


@pytest.mark.parametrize("content", TOLERATED.values(), ids=TOLERATED)
def test_line_ends_and_blank_lines_are_tolerated(tmp_path: Path, content: bytes) -> None:
    lines = read_bytes(tmp_path, content)
    assert [line.record for line in lines if isinstance(line, InputLine)] == [GOOD, GOOD]
    assert len(lines) == 2
    for line in lines:
        assert isinstance(line, InputLine)
        assert json.loads(content[line.offset :].removeprefix(BOM).splitlines()[0]) == GOOD
        assert content[: line.offset].count(b"\n") == line.number - 1


ACCEPTED: dict[str, dict[str, Any]] = {
    "sizes as floats": {"width": 640.0, "height": 480},
    "sizes of null": {"width": None, "height": 480},
    "integer id": {"image_id": 0},
    "id of 4,000 digits": {"image_id": 10**3999},
    "empty id": {"image_id": ""},
    "other fields": {"x": [{"y": None}, -1.5e-300, True], "": "é\u2028\u0000", "caption_2": 1},
    "emoji by escapes": {"caption": "A \U0001f408."},
    "NUL in a caption": {"caption": "A\u0000cat"},
    "just nested enough": {"x": json.loads("[" * 99 + "]" * 99)},
    "many brackets side by side": {"x": [[]] * 500},
}


@pytest.mark.parametrize("fields", ACCEPTED.values(), ids=ACCEPTED)
def test_usable_lines_keep_every_field(fields: dict[str, Any]) -> None:
    assert parse_line(line_with(**fields)) == {**GOOD, **fields}


def test_the_last_of_two_equal_keys_counts_as_in_any_json_reader() -> None:
    assert parse_line(b'{"image_path": "a", "caption": "1", "caption": "2"}')["caption"] == "2"


@pytest.mark.parametrize(
    ("fields", "size"),
    [({}, None), ({"width": 3}, None), ({"width": 640.0, "height": 480}, (640, 480))],
)
def test_declared_size(fields: dict[str, Any], size: tuple[int, int] | None) -> None:
    found = declared_size(parse_line(line_with(**fields)))
    assert found == size
    assert all(type(side) is int for side in found or ())


TAIL = b', "image_path": "a", "caption": "b"}'
REFUSED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "not JSON"),
    "two values": (b"{} {}", "not JSON"),
    "single quotes": (b"{'image_path': 'a'}", "not JSON"),
    "a list": (b'["a", "b"]', "not a JSON object"),
    "a number": (b"5", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "Latin-1": ('{"image_path": "a", "caption": "é"}'.encode("latin-1"), "not UTF-8"),
    "overlong UTF-8": (b'{"image_path": "a", "caption": "\xc0\xaf"}', "not UTF-8"),
    "surrogate in UTF-8": (b'{"image_path": "a", "caption": "\xed\xa0\x80"}', "not UTF-8"),
    "lone surrogate": (line_with(caption="\ud83d"), "surrogate"),
    "lone surrogate in a key": (line_with(**{"\udc00": 1}), "surrogate"),
    "surrogates the wrong way round": (line_with(note="\udc00\ud83d"), "surrogate"),
    "BOM in the middle": (BOM + line_with(), "not JSON"),
    "NaN": (b'{"x": NaN' + TAIL, "NaN"),
    "Infinity": (b'{"width": Infinity' + TAIL, "Infinity"),
    "-Infinity": (b'{"x": [-Infinity]' + TAIL, "-Infinity"),
    "1e999": (b'{"x": 1e999' + TAIL, "out of range"),
    "5,000 digits": (b'{"x": ' + b"9" * 5000 + TAIL, "5000 digits"),
    "NUL byte": (b'{"image_path": "a\x00b", "caption": "c"}', "not JSON"),
    "NUL in image_path": (line_with(image_path="a\u0000b"), "NUL"),
    "nested 101 levels": (line_with(x=json.loads("[" * 100 + "]" * 100)), "nested"),
    "nested 900 levels": (b'{"x": ' + b"[" * 900 + b"]" * 900 + TAIL, "nested"),
    "nested 100,000 levels": (b'{"x": ' + b'{"y":' * 100_000, "nested"),
    "no image_path": (b'{"caption": "b"}', "image_path is missing"),
    "no caption": (b'{"image_path": "b"}', "caption is missing"),
    "caption a number": (line_with(caption=5), "caption must be a string, not a number"),
    "caption null": (line_with(caption=None), "caption must be a string, not null"),
    "caption a list": (line_with(caption=["a"]), "caption must be a string, not a list"),
    "caption an object": (line_with(caption={}), "caption must be a string, not an object"),
    "caption blank": (line_with(caption=" \t"), "caption is empty"),
    "image_path a boolean": (line_with(image_path=True), "image_path must be a string, not a boolean"),
    "image_path empty": (line_with(image_path=""), "image_path is empty"),
    "image_id a float": (line_with(image_id=1.5), "image_id must be a string or an integer"),
    "image_id a boolean": (line_with(image_id=False), "image_id must be a string or an integer"),
    "image_id a list": (line_with(image_id=[1]), "image_id must be a string or an integer"),
    "width a string": (line_with(width="640"), "width must be a number of pixels, not a string"),
    "width a boolean": (line_with(width=True), "width must be a number of pixels, not a boolean"),
    "width zero": (line_with(width=0), "width must be a whole number of pixels above 0"),
    "width negative": (line_with(width=-640), "width must be a whole number"),
    "width a fraction": (line_with(width=640.5), "width must be a whole number"),
    "height of 1e300": (line_with(height=1e300), "height must be a whole number"),
    "height of 4,000 digits": (line_with(height=10**4000), "height must be a whole number"),
}


@pytest.mark.parametrize(("raw", "words"), REFUSED.values(), ids=REFUSED)
def test_unusable_lines_are_refused_with_a_reason(tmp_path: Path, raw: bytes, words: str) -> None:
    before, refused, after = read_bytes(tmp_path, line_with() + b"\n" + raw + b"\r\n" + line_with())
    assert isinstance(before, InputLine) and isinstance(after, InputLine)
    assert isinstance(refused, RejectedLine)
    row = refused.to_record()
    assert row["line"] == 2
    assert words in row["reason"]
    assert len(row["reason"]) < 120 and "\n" not in row["reason"]
    assert row["text"] == raw.decode("utf-8", "replace")[:500]
    assert after.offset == len(line_with() + raw) + 3


def test_an_utf_16_file_gives_a_reason_for_each_line(tmp_path: Path) -> None:
    lines = read_bytes(tmp_path, (line_with() + b"\n").decode().encode("utf-16"))
    assert {type(line) for line in lines} == {RejectedLine}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""], ids=["LF", "CRLF", "nothing"])
def test_the_longest_line_is_taken_and_a_longer_one_refused(tmp_path: Path, ending: bytes) -> None:
    frame = len(line_with(caption="")) + len(ending)
    fits = line_with(caption="x" * (MAX_LINE_BYTES - frame)) + ending
    too_long = line_with(caption="x" * (MAX_LINE_BYTES - frame + 1)) + ending
    assert isinstance(read_bytes(tmp_path, fits)[0], InputLine)
    first, *rest = read_bytes(tmp_path, too_long)
    assert isinstance(first, RejectedLine) and rest == []
    assert first.text == too_long[:500].decode()


def test_a_line_of_many_megabytes_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "input.jsonl"
    with path.open("wb") as stream:
        for _ in range(2):
            stream.write(b'{"caption": "')
            for _ in range(24):
                stream.write(b"x" * (1 << 20))
            stream.write(b'"}\n' + line_with() + b"\n")
    tracemalloc.start()
    try:
        kinds = [(line.number, type(line)) for line in read_input(path)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kinds == [(1, RejectedLine), (2, InputLine), (3, RejectedLine), (4, InputLine)]
    assert peak < 6 * MAX_LINE_BYTES


def test_reading_stops_at_the_given_offset(tmp_path: Path) -> None:
    path = tmp_path / "input.jsonl"
    first = line_with() + b"\n"
    path.write_bytes(first + line_with(caption="added later") + b"\n")
    assert [line.number for line in read_input(path, end_offset=len(first))] == [1]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    unreadable = [
        tmp_path / "missing.jsonl",
        tmp_path,
        tmp_path / "pipe",
        Path("/dev/zero"),
        tmp_path / ("x" * 300),
        tmp_path / "a\0b",
        Path("/proc/self/mem"),
    ]
    for path in unreadable:
        with pytest.raises(InputError) as caught:
            list(read_input(path))
        assert visible(str(path)) in str(caught.value)
        assert "\n" not in str(caught.value) and "Errno" not in str(caught.value)


def test_no_permission_is_said_so(tmp_path: Path) -> None:
    if os.geteuid() == 0 and not _can_drop_privileges():
        pytest.skip("root may read everything here, and there is no other user to become")
    path = tmp_path / "input.jsonl"
    path.write_bytes(line_with())
    path.chmod(0)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from grounding_assets.core.dataset.input_file import read_input\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "try: list(read_input(Path(sys.argv[1])))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == f"InputError Cannot read the input {path}: Permission denied."


def _can_drop_privileges() -> bool:
    probe = [sys.executable, "-c", "import os; os.setegid(65534); os.seteuid(65534)"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["image_path", "caption", "image_id", "width", "height", "x"])


@given(st.dictionaries(names, json_values | st.just("text"), max_size=6), st.booleans())
def test_any_object_is_judged_as_the_format_says(record: dict[str, Any], ascii_only: bool) -> None:
    raw = json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        parsed = parse_line(raw)
    except ValueError:
        assert line_fault(raw)
    else:
        assert not line_fault(raw)
        assert parsed == record


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda noise: line_with()[:25] + noise))
def test_no_bytes_do_any_harm(raw: bytes) -> None:
    try:
        parse_line(raw)
    except ValueError:
        assert line_fault(raw)
    else:
        assert not line_fault(raw)


def test_damaged_bytes_of_a_good_line_are_judged_as_the_format_says() -> None:
    rng = random.Random(7)
    good = line_with(image_id="é" * 5, width=640, height=480, note=["\U0001f408", {"x": 1e5}])
    verdicts = set()
    for _ in range(4000):
        raw = bytearray(good)
        for _ in range(rng.choice([1, 1, 2, 4])):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        fault = line_fault(bytes(raw)) if b"\n" not in raw else None
        try:
            parse_line(bytes(raw))
        except ValueError as error:
            assert fault is None or fault, error
            verdicts.add("refused")
        else:
            assert not fault
            verdicts.add("taken")
    assert verdicts == {"refused", "taken"}
