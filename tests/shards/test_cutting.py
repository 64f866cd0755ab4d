"""The input, cut into shards and joined again: nothing is lost, moved, or silently mixed up."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.errors import GroundingError, InputError, SpecError
from grounding_assets.core.review.reviews import reviews_file
from grounding_assets.core.shards.cutting import cut_input
from grounding_assets.core.shards.joining import join_shards, read_as_whole
from grounding_assets.core.shards.layout import UNCUT_UP_TO, USUAL_SIZE, refuse_cut, shard_size_of
from grounding_assets.core.shards.local import LocalShards
from grounding_assets.core.shards.manifest import Manifest, Slice, data_set_folder, part_of
from grounding_assets.core.shards.status import STATUS, ShardStatus
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step

STEPS = (Step.EXTRACTION, Step.GROUNDING)
CUT = Manifest(4, (Slice(4, 1, ""), Slice(4, 5, ""), Slice(2, 9, "")))
BAD_LINES = (b"{", b"", b"   ", b"[1]", b'{"image_path": "a.jpg"}', b"\xff")


def line_of(number: int) -> bytes:
    return json.dumps({"image_path": f"{number}.jpg", "caption": f"caption {number}"}).encode()


def cut(folder: Path, lines: list[bytes], size: int) -> Manifest:
    file = folder / "input.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return cut_input(file, size, LocalShards(folder / "results"))


def slices(folder: Path, manifest: Manifest) -> list[list[bytes]]:
    files = (folder / "results" / part_of(key, "input.jsonl") for key in manifest.keys)
    return [file.read_bytes().splitlines() for file in files]


def spec_of(folder: Path, **data: Any) -> Spec:
    tree = {
        "results_dir": str(folder / "results"),
        "image_grounding": {"data": {"input_jsonl": str(folder / "input.jsonl"), **data}},
    }
    return validate_spec(tree, where="the test")


@given(
    batches=st.lists(st.lists(st.integers(-len(BAD_LINES), 30), max_size=12), min_size=1, max_size=4),
    size=st.integers(1, 5),
)
def test_slices_are_the_usable_lines_in_order_and_stay_when_lines_are_added(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    lines: list[bytes] = []
    before: list[list[bytes]] = []
    for batch in batches:
        added = [BAD_LINES[-number - 1] if number < 0 else line_of(number) for number in batch]
        lines += added
        usable = [line for line in lines if line.startswith(b'{"image_path"') and b"caption" in line]
        if not usable:
            with pytest.raises(InputError):
                cut(folder, lines, size)
            continue
        manifest = cut(folder, lines, size)
        parts = slices(folder, manifest)
        assert [line for part in parts for line in part] == usable
        assert parts[: len(before)] == before
        assert all(0 < len(part) <= size for part in parts)
        refused = [json.loads(row) for row in (folder / "results/rejected.jsonl").read_bytes().splitlines()]
        assert [row["line"] for row in refused] == [
            number for number, line in enumerate(lines, 1) if line.strip() and line not in usable
        ]
        shard_of: dict[bytes, int] = {}
        apart = 0
        for number, part in enumerate(parts):
            for line in part:
                apart += shard_of.get(line, number) != number
                shard_of[line] = number
        assert manifest.repeated == apart
        before = parts


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda lines: [lines[0], line_of(99), *lines[2:]], "Line 2 "),
        (lambda lines: [line_of(99), *lines], "Line 1 "),
        (lambda lines: lines[1:], "Line 1 "),
        (lambda lines: [*lines[:3], b"{", *lines[4:]], "Line 5 "),
        (lambda lines: lines[:-1], "lacks lines"),
    ],
    ids=["changed", "inserted", "removed", "spoilt", "cut off"],
)
def test_a_line_that_was_cut_cannot_become_another(tmp_path: Path, change: Any, named: str) -> None:
    lines = [line_of(number) for number in range(5)]
    manifest = cut(tmp_path, lines, 2)
    before = slices(tmp_path, manifest)
    with pytest.raises(InputError, match=named):
        cut(tmp_path, change(lines), 2)
    assert slices(tmp_path, manifest) == before
    assert LocalShards(tmp_path / "results").manifest() == manifest


def test_a_line_that_is_changed_in_input_and_slice_alike_is_taken(tmp_path: Path) -> None:
    lines = [line_of(number) for number in range(4)]
    manifest = cut(tmp_path, lines, 2)
    lines[2] = line_of(99)
    slice_file = tmp_path / "results" / part_of("00001", "input.jsonl")
    slice_file.write_bytes(lines[2] + b"\n" + lines[3] + b"\n")
    changed = cut(tmp_path, lines, 2)
    assert changed.slices[0] == manifest.slices[0]
    assert changed.slices[1].sha256 != manifest.slices[1].sha256
    assert slices(tmp_path, changed) == [lines[:2], lines[2:]]


def test_an_id_in_a_shard_is_that_of_the_pair_whatever_stands_beside_it(tmp_path: Path) -> None:
    records = [{"image_id": "7", "image_path": f"{n}.jpg", "caption": "c"} for n in range(3)]
    together = [SampleIds(tmp_path / "a", of_shard=True).assign(one) for one in records]
    alone = [SampleIds(tmp_path / "b", of_shard=True).assign(one) for one in reversed(records)]
    assert together == alone[::-1] and len(set(together)) == 3
    assert all(one.startswith("7~") and len(one) == 18 for one in together)


def test_what_a_folder_is_decides_and_a_contradiction_is_refused(tmp_path: Path) -> None:
    cut(tmp_path / "sharded", [line_of(1), line_of(2)], 1)
    (tmp_path / "whole/results").mkdir(parents=True)
    (tmp_path / "whole/results/samples.jsonl").write_bytes(b"")
    (tmp_path / "new").mkdir()
    (tmp_path / "new/input.jsonl").write_bytes(line_of(1) + b"\n")

    def size(name: str, wanted: int) -> int:
        spec = spec_of(tmp_path / name, shard_size=wanted)
        return shard_size_of(spec, LocalShards(Path(spec.results_dir)))

    assert [size("sharded", wanted) for wanted in (-1, 1)] == [1, 1]
    assert [size("whole", wanted) for wanted in (-1, 0)] == [0, 0]
    assert [size("new", wanted) for wanted in (-1, 0, 5)] == [0, 0, 5]
    for name, wanted in (("sharded", 0), ("sharded", 2), ("whole", 1)):
        with pytest.raises(SpecError, match=r"data\.shard_size=\d out, or take another results_dir"):
            size(name, wanted)
    with pytest.raises(InputError, match=r"data\.shard=00000"):
        refuse_cut(spec_of(tmp_path / "sharded"))
    shard = tmp_path / "sharded/results/shards/00001"
    assert data_set_folder(shard) == tmp_path / "sharded/results"
    refuse_cut(
        spec_of(tmp_path, input_jsonl=str(shard / "input.jsonl")).model_copy(
            update={"results_dir": str(shard)}
        )
    )


def test_reviewers_marks_of_a_shard_are_those_of_the_whole(tmp_path: Path) -> None:
    cut(tmp_path, [line_of(1), line_of(2)], 1)
    results = tmp_path / "results"
    assert reviews_file(results / "shards/00001") == reviews_file(results) == results / "reviews.jsonl"
    assert reviews_file(tmp_path) == tmp_path / "reviews.jsonl"


def test_a_large_input_is_cut_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "input.jsonl"
    shards = LocalShards(tmp_path / "results")
    file.write_bytes((line_of(1) + b"\n") * UNCUT_UP_TO)
    assert shard_size_of(spec_of(tmp_path), shards) == 0
    with file.open("ab") as stream:
        stream.write(line_of(2) + b"\n")
    assert shard_size_of(spec_of(tmp_path), shards) == USUAL_SIZE
    assert shard_size_of(spec_of(tmp_path, shard_size=0), shards) == 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"shard_size": "x", "slices": []}', b'{"slices": [1]}']
)
def test_a_damaged_manifest_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shards.json").write_bytes(content)
    with pytest.raises(InputError, match=r"shards\.json is damaged"):
        LocalShards(tmp_path).manifest()


def test_parts_that_were_not_made_are_pending_and_others_do_not_count(tmp_path: Path) -> None:
    manifest = cut(tmp_path, [line_of(number) for number in range(5)], 2)
    shards = LocalShards(tmp_path / "results")
    (tmp_path / "results" / part_of("00001", "annotations.jsonl")).write_bytes(b"of nobody knows what\n")
    joined = join_shards(shards, manifest, STEPS)
    assert joined.incomplete == ("00000", "00001", "00002")
    assert (joined.total.samples, joined.total.pending, joined.total.done) == (5, 5, 0)
    assert "5 are pending" in joined.missing_words()
    assert (tmp_path / "results/annotations.jsonl").read_bytes() == b""


def joined(folder: Path) -> tuple[LocalShards, Manifest]:
    """Two shards with results, joined."""
    manifest = cut(folder, [line_of(number) for number in range(4)], 2)
    shards = LocalShards(folder / "results")
    for key in manifest.keys:
        file = folder / "results" / part_of(key, "annotations.jsonl")
        file.write_bytes(f"1 of {key}\n2 of {key}\n".encode())
        status = ShardStatus(
            steps=tuple(map(str, STEPS)),
            sha256=manifest.slice_of(key).sha256,
            samples=2,
            done=2,
            size=file.stat().st_size,
            written_ns=file.stat().st_mtime_ns,
            digest=hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        (file.parent / STATUS).write_bytes(json.dumps(status.to_dict()).encode())
    join_shards(shards, manifest, STEPS)
    return shards, manifest


@pytest.mark.parametrize(
    ("name", "content", "is_whole"),
    [
        ("annotations.jsonl", b"1 of 00000\n2 of 00000\n", False),
        ("annotations.jsonl", None, False),
        ("joined.json", None, False),
        ("shards/00001/annotations.jsonl", b"1 of 00001\n2 of 00001\n", True),
        ("shards/00001/annotations.jsonl", b"1 of 00001\n2 of 0000X\n", False),
        ("shards/00001/annotations.jsonl", None, False),
        ("shards/00001/shard.json", b"{}", False),
    ],
    ids=["cut", "removed", "of nothing", "a part copied", "a part edited", "a part removed", "no status"],
)
def test_joined_files_are_read_if_they_are_of_the_shards_as_they_are(
    tmp_path: Path, name: str, content: bytes | None, is_whole: bool
) -> None:
    shards, manifest = joined(tmp_path)
    assert read_as_whole(shards, manifest, STEPS) == ""
    file = tmp_path / "results" / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
    if is_whole:
        assert read_as_whole(shards, manifest, STEPS) == ""
    else:
        with pytest.raises(InputError, match="is not joined of the shards as they are now"):
            read_as_whole(shards, manifest, STEPS)


def test_a_shard_is_one_run_s_until_that_ends(tmp_path: Path) -> None:
    shards = LocalShards(tmp_path)
    with shards.claimed("00000"):
        pass
    with pytest.raises(GroundingError), shards.claimed("00000"):
        raise InputError("what was wrong")
    with shards.claimed("00000"):
        pass


def test_a_part_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    shards = LocalShards(tmp_path)
    with shards.writing("annotations.jsonl") as stream:
        stream.write(b"1\n")
    with pytest.raises(ValueError, match="no"), shards.writing("annotations.jsonl") as stream:
        stream.write(b"2\n")
        raise ValueError("no")
    content = shards.reading("annotations.jsonl")
    assert content is not None
    with content as kept:
        assert kept.read() == b"1\n"


@pytest.mark.parametrize(
    ("limit", "only", "lines"),
    [
        (0, "", {"00000": 4, "00001": 4, "00002": 2}),
        (3, "", {"00000": 3}),
        (4, "", {"00000": 4}),
        (5, "", {"00000": 4, "00001": 1}),
        (99, "", {"00000": 4, "00001": 4, "00002": 2}),
        (0, "00001", {"00001": 4}),
        (3, "00002", {"00002": 2}),
    ],
)
def test_a_limit_is_a_number_of_lines_of_the_data_set(limit: int, only: str, lines: dict[str, int]) -> None:
    assert CUT.lines_of_run(limit, only) == lines
