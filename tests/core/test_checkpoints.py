"""The store of results: whole or not at all, damaged ones set aside, and an index that only saves reading."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.store.checkpoint import FORMAT, Checkpoint, CorruptCheckpoint
from grounding_assets.core.store.checkpoint_index import CheckpointIndex
from grounding_assets.core.store.checkpoint_store import CheckpointStore
from tests.corpus import PROJECT

texts = st.text(max_size=12)  # lone surrogates included: replies may hold them
scores = st.floats(0, 1)


@st.composite
def expressions(draw: st.DrawFn, caption: str, size: tuple[int, int]) -> Expression:
    start = draw(st.integers(0, len(caption) - 1))
    end = draw(st.integers(start + 1, len(caption)))
    instances = []
    for _ in range(draw(st.integers(0, 2))):
        x1, y1 = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        box = (x1, y1, draw(st.integers(x1 + 1, size[0])), draw(st.integers(y1 + 1, size[1])))
        instances.append(Instance(box, draw(scores), draw(st.sampled_from(["model", "default"]))))
    return Expression(
        caption[start:end],
        (start, end),
        draw(texts),
        draw(st.sampled_from(["exact", "repaired"])),
        tuple(instances),
        draw(st.none() | st.sampled_from(list(GroundingStatus))),
    )


@st.composite
def checkpoints(draw: st.DrawFn, sample_id: str = "s") -> Checkpoint:
    caption = draw(texts)
    size = draw(st.integers(1, 5000)), draw(st.integers(1, 5000))
    found = draw(st.lists(expressions(caption, size), max_size=3)) if caption else []
    provenance = st.dictionaries(
        texts, texts | st.integers() | st.none() | st.lists(texts, max_size=2), max_size=3
    )
    digests = st.text("0123456789abcdef", max_size=24)
    return Checkpoint(
        sample_id,
        draw(digests),
        draw(digests),
        draw(digests),
        caption,
        tuple(found),
        size,
        draw(provenance),
        tuple(draw(st.lists(texts, max_size=2))),
    )


def plain(sample_id: str = "a", fingerprint: str = "f") -> Checkpoint:
    cat = Expression(
        "cat", (2, 5), "cat", "exact", (Instance((1, 2, 30, 40), 0.5, "model"),), GroundingStatus.BOXED
    )
    return Checkpoint(sample_id, fingerprint, "o", "s", "A cat.", (cat,), (64, 48), {"calls": 1}, ("raw",))


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    store = CheckpointStore(tmp_path / "step")
    store.prepare()
    return store


@settings(deadline=None)
@given(checkpoints())
def test_a_checkpoint_comes_back_as_it_was(tmp_path_factory: Any, checkpoint: Checkpoint) -> None:
    store = CheckpointStore(tmp_path_factory.mktemp("round") / "step")
    store.save(checkpoint)
    assert store.load("s") == checkpoint
    assert [path.name for path in store.done_dir.iterdir()] == ["s.json"]


def test_what_is_not_there_is_none(store: CheckpointStore) -> None:
    assert store.load("a") is None and store.load_failure("a") is None


def test_saving_forgets_an_earlier_failure(store: CheckpointStore) -> None:
    failure = SampleFailure(Reason.TIMEOUT, "No reply.", replies=["half a \ud83d"], attempts=3)
    store.save_failure("a", "f", failure)
    row = store.load_failure("a")
    assert row is not None and row["time"]
    assert (row["sample_id"], row["fingerprint"], row["reason"]) == ("a", "f", "timeout")
    assert (row["message"], row["attempts"], row["replies"]) == ("No reply.", 3, ["half a \ud83d"])
    store.save(plain())
    assert store.load_failure("a") is None


def edited(**fields: Any) -> bytes:
    return json.dumps({**plain().to_json(), **fields}).encode()


def in_record(**fields: Any) -> bytes:
    tree = plain().to_json()
    tree["record"].update(fields)
    return json.dumps(tree).encode()


def in_expression(**fields: Any) -> bytes:
    tree = plain().to_json()
    tree["record"]["expressions"][0].update(fields)
    return json.dumps(tree).encode()


def in_instance(**fields: Any) -> bytes:
    tree = plain().to_json()
    tree["record"]["expressions"][0]["instances"][0].update(fields)
    return json.dumps(tree).encode()


WHOLE = json.dumps(plain().to_json()).encode()
CORRUPT = {
    "empty": b"",
    "zeros, as after a power cut": bytes(len(WHOLE)),
    "binary": bytes(range(256)),
    "cut": WHOLE[: len(WHOLE) // 2],
    "cut at the end": WHOLE[:-1],
    "two in one": WHOLE + WHOLE,
    "not an object": b"[1, 2]",
    "null": b"null",
    "too deep": b"[" * 100_000,
    "an older format": edited(format=0),
    "a newer format": edited(format=FORMAT + 1),
    "no format": b'{"image_id": "a", "expressions": []}',
    "TAO's own": b'{"image_id": "a", "image_path": "a.jpg", "caption": "A cat.", "width": 640, "height": 480, '
    b'"expressions": [{"expression_id": "a_0", "text": "cat", "instances": []}]}',
    "of another sample": edited(sample_id="b"),
    "digest a number": edited(fingerprint=5),
    "replies of numbers": edited(replies=[5]),
    "provenance a list": edited(provenance=5),
    "caption null": in_record(cleaned_caption=None),
    "caption of other words": in_record(cleaned_caption="A dog."),
    "width null": in_record(width=None),
    "width infinite": in_record(width=float("inf")),
    "span elsewhere": in_expression(char_span=[1, 4]),
    "span of one": in_expression(char_span=[1]),
    "text a number": in_expression(text=5),
    "noun chunk missing": in_expression(noun_chunk=None),
    "status unknown": in_expression(grounding_status="perhaps"),
    "box outside": in_instance(bbox=[0, 0, 65, 48]),
    "box inverted": in_instance(bbox=[9, 0, 5, 48]),
    "box of three": in_instance(bbox=[9, 0, 5]),
    "score not a number": in_instance(score=float("nan")),
    "score above 1": in_instance(score=1.5),
    "score unsourced": in_instance(score_source="guess"),
    "not a number in provenance": edited(provenance={"x": float("nan")}),
}


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_a_corrupt_checkpoint_is_set_aside_and_counted(store: CheckpointStore, content: bytes) -> None:
    store.save(plain("b"))
    store.path("a").write_bytes(content)
    index = CheckpointIndex(store).refresh()
    assert set(index.entries) == {"b"} and index.corrupt == 1
    assert not store.path("a").exists()
    assert [path.read_bytes() for path in (store.step_dir / ".corrupt").iterdir()] == [content]
    assert CheckpointIndex(store).refresh().corrupt == 0
    store.save(plain())
    assert store.load("a") == plain()


@pytest.mark.parametrize("kind", ["a pipe", "a link to a device", "a dangling link"])
def test_what_is_no_file_among_the_checkpoints_is_passed_over(store: CheckpointStore, kind: str) -> None:
    store.save(plain("b"))
    odd = store.path("a")
    if kind == "a pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("/dev/zero" if "device" in kind else odd.with_name("nothing"))
    index = CheckpointIndex(store).refresh()
    assert set(index.entries) == {"b"} and index.corrupt == (kind != "a dangling link")
    assert store.load("a") is None


def test_damaged_bytes_never_make_a_result_that_breaks_the_format(store: CheckpointStore) -> None:
    rng = random.Random(3)
    for _ in range(1500):
        raw = bytearray(WHOLE)
        for _ in range(rng.choice([1, 2, 5])):
            raw[rng.randrange(len(raw))] = rng.choice(b'0123456789-.eE"[]{},: abcnull\xff\x00')
        store.path("a").write_bytes(raw)
        loaded = store.load("a")
        assert loaded is None or (loaded.sample_id == "a" and loaded.defect() == "")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b'{"reason": "timeout"}', b'{"reason": []}', b"\xff"]
)
def test_a_corrupt_failure_is_none(store: CheckpointStore, content: bytes) -> None:
    (store.failed_dir / "a.json").write_bytes(content)
    assert store.load_failure("a") is None


def test_a_result_that_breaks_the_format_is_not_stored(store: CheckpointStore) -> None:
    bad = replace(plain(), cleaned_caption="A dog.")
    with pytest.raises(AssertionError, match="a teacher broke the output format for a: char_span"):
        store.save(bad)
    assert store.load("a") is None


def test_from_json_says_what_is_wrong() -> None:
    with pytest.raises(CorruptCheckpoint, match="format 7 instead of 1"):
        Checkpoint.from_json({"format": 7})


def test_a_folder_where_a_checkpoint_should_be_is_said_so(store: CheckpointStore) -> None:
    store.path("a").mkdir()
    with pytest.raises(RunStopped, match=r"Cannot read .*a\.json: Is a directory"):
        store.load("a")


def test_writing_leaves_the_old_result_or_the_new_one(store: CheckpointStore) -> None:
    """A process that only replaces one checkpoint is killed at random moments."""
    program = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from grounding_assets.core.store.checkpoint_store import CheckpointStore\n"
        "store = CheckpointStore(Path(sys.argv[1])); one = store.load('a'); n = 0\n"
        "while True:\n"
        "    n += 1; store.save(replace(one, fingerprint=str(n), replies=('x' * (n * 977 % 200_000),)))\n"
        "    print(n, flush=True)\n"
    )
    store.save(plain())
    for kill_after in (1, 4, 9):
        command = [sys.executable, "-c", program, str(store.step_dir)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [int(process.stdout.readline()) for _ in range(kill_after)][-1]
            process.kill()
        loaded = store.load("a")
        assert loaded is not None and int(loaded.fingerprint) >= said
        assert len(loaded.replies[0]) == int(loaded.fingerprint) * 977 % 200_000
    assert CheckpointIndex(store).refresh().corrupt == 0


def test_every_result_that_is_replaced_is_kept_aside(store: CheckpointStore) -> None:
    for text in ("first", "second", "third"):
        store.save(replace(plain("a"), replies=(text,)))
    store.save(plain("b"))
    kept = [store.load_file(path, "a") for path in store.retired("a")]
    assert [one.replies for one in kept if one is not None] == [("second",), ("first",)], "the last first"
    assert store.retired("b") == []
    assert [path.stem for path in store.retired("a")] == ["a", "a"]


def test_a_full_disk_stops_the_run_with_a_message(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: writing beyond it fails in the same place."""
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from grounding_assets.core.store.checkpoint_index import CheckpointIndex\n"
        "from grounding_assets.core.store.checkpoint import Checkpoint\n"
        "from grounding_assets.core.store.checkpoint_store import CheckpointStore\n"
        "from grounding_assets.core.errors import RunStopped\n"
        "store = CheckpointStore(Path(sys.argv[1])); store.prepare(); index = CheckpointIndex(store)\n"
        "small = Checkpoint('a', 'f', '', '', 'x', (), (1, 1), {}, ())\n"
        "large = Checkpoint('a', 'g', '', '', 'x' * 9000, (), (1, 1), {}, ())\n"
        "index.save(small)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: store.save(large); index.flush()\n"
        "except RunStopped as error: sys.stderr.write(str(error))\n"
    )
    for limit in ("4096", "0"):
        folder = tmp_path / limit
        run = subprocess.run(
            [sys.executable, "-c", program, str(folder), limit],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stderr.startswith(f"Cannot write {folder}/.ckpt/a.json: File too large. What is finished")
        loaded = CheckpointStore(folder).load("a")
        assert loaded is not None and loaded.fingerprint == "f"
        assert [path.name for path in folder.rglob("*.json")] == ["a.json"]


def test_a_file_in_the_place_of_the_folder_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "step").write_text("")
    with pytest.raises(RunStopped, match="Cannot write"):
        CheckpointStore(tmp_path / "step").save(plain())
