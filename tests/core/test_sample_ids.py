"""Sample ids: one per sample, for ever, and harmless as file names and partition keys."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from dagster._core.definitions.partitions.utils.base import raise_error_on_invalid_partition_key_substring
from hypothesis import given, settings
from hypothesis import strategies as st

from grounding_assets.core.dataset.sample_ids import MAX_ID_CHARS, SampleIds, image_id_of, pair_key, safe_id
from grounding_assets.core.errors import InputError, Reason, SampleFailure
from grounding_assets.core.files import file_stamp, replacing
from grounding_assets.core.store.checkpoint_store import CheckpointStore

NASTY = './\\:*?"<>|~ \t\n\x00\u200b\u202e\u2028Ééßıſ\u0130\u212a\u0301\u1e9e한\u1100\u1161\u11a8'
wanted_ids = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=140)
    | st.text(NASTY + "ab1", max_size=12)
    | st.sampled_from(["con", "CON.jpg", "nul", "com1.x", "..", ".", "...", "a...b", " a", "a.", "", "id"])
    | st.integers(0, 400).map(lambda length: "x" * length)
    | st.integers(0, 130).map(lambda length: "\U0001d518" * length)
)


def record(image_id: object = None, path: str = "a.jpg", caption: str = "A cat.") -> dict[str, Any]:
    return {"image_id": image_id, "image_path": path, "caption": caption}


def assigned(folder: Path, records: list[dict[str, Any]]) -> list[str]:
    """The ids that a run gives, remembering and saving as a run does."""
    ids = SampleIds(folder / "samples.jsonl")
    given = [ids.assign(row) for row in records]
    ids.save()
    return given


def folded(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


@pytest.mark.parametrize(
    ("row", "image_id"),
    [
        (record("42"), "42"),
        (record(42), 42),
        (record(0), 0),
        (record("", "a/b.c.jpg"), "b.c"),
        (record(None, "photos/été 7.png"), "été 7"),
        (record(None, "C:\\pictures\\7.jpg"), "7"),
        (record(None, ".jpg"), ".jpg"),
        (record(None, "folder/"), "folder"),
        (record(None, "/"), ""),
        ({"image_path": "x/1.jpg"}, "1"),
    ],
)
def test_image_id_is_the_given_one_or_the_file_names_stem(row: dict[str, Any], image_id: object) -> None:
    assert image_id_of(row) == image_id
    assert type(image_id_of(row)) is type(image_id)


@pytest.mark.parametrize(
    "name", ["42", "été 7", "COCO_val2014_000000000042", "a~b", "a..b", "日本", "x" * 120]
)
def test_an_ordinary_id_stays_as_it_is(name: str) -> None:
    assert safe_id(name) == name


@given(wanted_ids)
def test_an_id_is_a_file_name_and_a_partition_key(wanted: str) -> None:
    name = safe_id(wanted)
    assert 0 < len(name) <= MAX_ID_CHARS and len(name.encode()) <= 205
    assert name.isprintable() and name == name.strip(" .")
    assert not set(name) & set('/\\:*?"<>|') and "..." not in name
    assert name.split(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}
    assert safe_id(name) == name
    raise_error_on_invalid_partition_key_substring([name])


@given(wanted_ids, wanted_ids)
def test_two_wanted_ids_give_two_ids(one: str, other: str) -> None:
    assert (safe_id(one) == safe_id(other)) == (one == other)


pairs = st.tuples(
    st.sampled_from(["a.jpg", "b/a.jpg", "A.JPG"]), st.sampled_from(["A cat.", "Two cats.", "ß"])
)


@settings(deadline=None)
@given(st.lists(st.tuples(wanted_ids | st.integers(0, 5), pairs), max_size=12), st.randoms())
def test_ids_are_injective_and_stay(tmp_path_factory: Any, rows: list[Any], random: Any) -> None:
    folder = tmp_path_factory.mktemp("ids")
    records = [record(image_id, *pair) for image_id, pair in rows]
    before = dict(zip(map(_pair, records), assigned(folder, records), strict=True))
    assert len({folded(name) for name in before.values()}) == len(before)
    shuffled = [row for row in records if random.random() < 0.7] + [record("new", "new.jpg", "new")]
    random.shuffle(shuffled)
    after = dict(zip(map(_pair, shuffled), assigned(folder, shuffled), strict=True))
    for pair, name in after.items():
        assert name == before.get(pair, name)
    again = dict(zip(map(_pair, records), assigned(folder, records), strict=True))
    assert again == before


def _pair(row: dict[str, Any]) -> tuple[str, str]:
    return row["image_path"], row["caption"]


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_a_pair_key_belongs_to_one_pair(path: str, caption: str, path2: str, caption2: str) -> None:
    same = (path, caption) == (path2, caption2)
    assert (pair_key(path, caption) == pair_key(path2, caption2)) == same
    assert pair_key(path + caption, "") != pair_key(path, caption) or not caption


def test_five_captions_of_one_image_are_five_samples(tmp_path: Path) -> None:
    given = assigned(tmp_path, [record(42, "42.jpg", f"caption {i}") for i in range(5)])
    assert given[0] == "42" and len(set(given)) == 5
    for name, i in zip(given[1:], range(1, 5), strict=True):
        assert name == f"42~{pair_key('42.jpg', f'caption {i}')[:8]}"


def test_one_name_in_two_folders_is_two_samples(tmp_path: Path) -> None:
    first, second = assigned(tmp_path, [record(None, "a/1.jpg"), record(None, "b/1.jpg")])
    assert first == "1" and second.startswith("1~")


def test_the_same_pair_twice_is_one_sample(tmp_path: Path) -> None:
    assert assigned(tmp_path, [record("a"), record("b"), record("a")]) == ["a", "a", "a"]


def test_names_that_a_file_system_takes_for_one_are_told_apart(tmp_path: Path) -> None:
    names = ["Straße", "STRASSE", "e\u0301", "\u00e9", "\u00c9", "\u212a", "k", "K"]
    given = assigned(tmp_path, [record(name, caption=str(i)) for i, name in enumerate(names)])
    assert len({folded(name) for name in given}) == len(names)


@pytest.mark.parametrize("name", ["con.jpg", "nul.x/y", "x" * 118, "x" * 120, "\U0001d518" * 50, "é" * 100])
def test_long_and_reserved_names_are_recognised_again(tmp_path: Path, name: str) -> None:
    rows = [record(name, caption=caption) for caption in "abc"]
    first = assigned(tmp_path, rows)
    assert len(set(first)) == 3
    assert assigned(tmp_path, rows[::-1]) == first[::-1]


def test_made_up_ids_cannot_make_the_assignment_hang(tmp_path: Path) -> None:
    last = record("x", "target.jpg", "caption")
    digest = pair_key("target.jpg", "caption")
    taken = ["x", *(f"x~{digest[:length]}" for length in range(4, 33, 4)), f"x~{digest[:8]}-2"]
    rows = [record(name, caption=str(i)) for i, name in enumerate(taken)]
    given = assigned(tmp_path, [*rows, last])
    assert len(set(given)) == len(given)


@pytest.mark.parametrize(
    "wanted",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/../../b",
        "..\\..\\x",
        "\u202egpj.exe",
        "a\x00b",
        ".ckpt",
        "~",
    ],
)
def test_no_id_leaves_the_folder(tmp_path: Path, wanted: str) -> None:
    [name] = assigned(tmp_path / "results", [record(wanted)])
    store = CheckpointStore(tmp_path / "results" / "step")
    store.prepare()
    store.save_failure(name, "", SampleFailure(Reason.TIMEOUT, "x"))
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "samples.jsonl"]
    assert [path.parent for path in written] == [store.failed_dir]
    assert written[0].name == f"{name}.json"


@given(wanted_ids)
def test_every_file_name_made_of_an_id_fits(tmp_path_factory: Any, wanted: str) -> None:
    path = tmp_path_factory.mktemp("names") / f"{safe_id(wanted)}.json"
    with replacing(path) as stream:
        [partial] = [file.name for file in path.parent.iterdir()]
        stream.write(b"{}")
    assert max(len(name.encode()) for name in (partial, path.name)) <= 255
    assert list(path.parent.iterdir()) == [path]


DAMAGED = {
    "cut": '{"sample_id": "a", "pa',
    "not an object": "5",
    "a field missing": '{"sample_id": "a"}',
    "id of a path": '{"sample_id": "../a", "pair": "1"}',
    "id of a number": '{"sample_id": 5, "pair": "1"}',
    "one id for two": '{"sample_id": "a", "pair": "1"}\n{"sample_id": "A", "pair": "2"}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_memory_is_said_so(tmp_path: Path, text: str) -> None:
    memory = tmp_path / "samples.jsonl"
    memory.write_text(text)
    with pytest.raises(InputError, match=r"samples\.jsonl, line \d"):
        SampleIds(memory)


def test_the_memory_is_written_only_where_it_has_changed(tmp_path: Path) -> None:
    rows = [record("a"), record("b", caption="2")]
    assigned(tmp_path, rows)
    memory = tmp_path / "samples.jsonl"
    before = file_stamp(memory), memory.stat().st_ino
    assigned(tmp_path, rows[::-1])
    assert (file_stamp(memory), memory.stat().st_ino) == before
    assert [json.loads(line)["sample_id"] for line in memory.read_text().splitlines()] == ["a", "b"]
