"""The index of a step's checkpoints equals a reading of all files, whatever happened to its journal."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_index import CheckpointIndex
from grounding_assets.core.store.checkpoint_store import CheckpointStore

JOURNAL = ".index.tsv"


def checkpoint(name: str, fingerprint: str = "f") -> Checkpoint:
    return Checkpoint(name, fingerprint, f"out {name}", "settings", "A cat.", (), (9, 9), {}, ())


def cold(store: CheckpointStore) -> dict[str, tuple[str, str, str]]:
    """What is in the files, read one by one."""
    found = {}
    for path in store.done_dir.glob("[!.]*.json"):
        loaded = store.load(path.stem)
        if loaded is not None:
            found[path.stem] = (loaded.fingerprint, loaded.output_fingerprint, loaded.settings_fingerprint)
    return found


def known(index: CheckpointIndex) -> dict[str, tuple[str, str, str]]:
    return {
        name: (entry.fingerprint, entry.output_fingerprint, entry.settings_fingerprint)
        for name, entry in index.entries.items()
    }


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """Five checkpoints, noted and flushed."""
    store = CheckpointStore(tmp_path / "step")
    store.prepare()
    index = CheckpointIndex(store)
    for name in ("a", "b", "c~1", "é", "日本"):
        index.save(checkpoint(name))
    index.flush()
    return store


Damage = Callable[[CheckpointStore], Any]


def on_journal(edit: Callable[[bytes], bytes]) -> Damage:
    def damage(store: CheckpointStore) -> None:
        path = store.step_dir / JOURNAL
        path.write_bytes(edit(path.read_bytes()))

    return damage


def with_stamps(raw: bytes, *stamps: bytes) -> bytes:
    """The second field of each line replaced."""
    lines = [line.split(b"\t") for line in raw.splitlines()]
    return b"".join(
        b"\t".join((name, stamp, *digests)) + b"\n"
        for (name, _, *digests), stamp in zip(lines, stamps, strict=True)
    )


DAMAGES: dict[str, Damage] = {
    "none": lambda store: None,
    "journal deleted": lambda store: (store.step_dir / JOURNAL).unlink(),
    "journal empty": on_journal(lambda raw: b""),
    "journal cut in a line": on_journal(lambda raw: raw[: len(raw) * 2 // 3]),
    "journal cut, then appended to": on_journal(lambda raw: raw[:-20] + raw[-90:]),
    "journal begins in a line": on_journal(lambda raw: raw[50:]),
    "journal binary": on_journal(lambda raw: bytes(range(256)) * 9),
    "journal of other lines": on_journal(lambda raw: b'{"id": "a"}\n\n\t\t\t\t\na\n' + raw),
    "journal with bytes of no text": on_journal(lambda raw: raw.replace(b"\t", b"\xff\t", 3)),
    "journal with a field too few": on_journal(lambda raw: raw.replace(b"\tsettings", b"")),
    "journal with a field too many": on_journal(lambda raw: raw.replace(b"\tsettings", b"\tx\tsettings")),
    "journal with impossible stamps": on_journal(
        lambda raw: with_stamps(raw, b"-1", b"9" * 60, b"", b"x", b"1.5")
    ),
    "journal of lies": on_journal(lambda raw: with_stamps(raw, b"1", b"2", b"3", b"4", b"5")),
    "journal twice": on_journal(lambda raw: raw + raw),
    "journal backwards": on_journal(lambda raw: b"".join(raw.splitlines(keepends=True)[::-1])),
    "checkpoint deleted": lambda store: store.path("a").unlink(),
    "checkpoint changed": lambda store: store.save(checkpoint("b", "of another caption")),
    "checkpoint added": lambda store: store.save(checkpoint("new")),
    "checkpoint cut": lambda store: store.path("é").write_bytes(store.path("é").read_bytes()[:40]),
    "checkpoint renamed": lambda store: store.path("a").rename(store.path("z")),
    "checkpoints removed": lambda store: [store.path(name).unlink() for name in "ab"],
    "a link to nothing": lambda store: store.path("dangling").symlink_to("nowhere"),
    "partial file left": lambda store: (store.done_dir / ".a.json.1-2.partial").write_bytes(b"{"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_index_equals_a_cold_reading(store: CheckpointStore, damage: Damage) -> None:
    damage(store)
    index = CheckpointIndex(store).refresh()
    assert known(index) == cold(store)
    again = CheckpointIndex(store).refresh()
    assert known(again) == known(index) and again.corrupt == 0


def test_an_intact_journal_saves_reading(store: CheckpointStore) -> None:
    """The files' content is swapped for nonsense of the same size and time: nobody looks at it."""
    for path in store.done_dir.iterdir():
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert set(CheckpointIndex(store).refresh().entries) == {"a", "b", "c~1", "é", "日本"}


def test_a_journal_with_nothing_new_is_not_rewritten(store: CheckpointStore) -> None:
    CheckpointIndex(store).refresh()
    before = (store.step_dir / JOURNAL).stat()
    CheckpointIndex(store).refresh()
    assert (store.step_dir / JOURNAL).stat() == before


def test_many_notes_are_appended_without_a_flush(store: CheckpointStore) -> None:
    index = CheckpointIndex(store)
    before = (store.step_dir / JOURNAL).stat().st_size
    status = store.path("a").stat()
    for _ in range(300):
        index.note(checkpoint("a"), status)
    assert (store.step_dir / JOURNAL).stat().st_size > before


def test_what_is_removed_under_the_run_is_counted_and_stops_the_next_one_saved(
    store: CheckpointStore,
) -> None:
    index = CheckpointIndex(store).refresh()
    index.save(checkpoint("a"))
    store.path("a").unlink()
    index.forget("a")
    assert index.vanished == 1
    shutil.rmtree(store.step_dir)
    index.flush()
    with pytest.raises(RunStopped, match="was removed during the run"):
        index.save(checkpoint("b"))
    assert set(CheckpointIndex(store).refresh().entries) == {"b"}, "what is paid for is kept"


class Journal(RuleBasedStateMachine):
    """Saves, notes, deletions, lost notes, cut journals and second processes, in any order."""

    names = st.sampled_from("abcd")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = CheckpointStore(Path(self.folder.name) / "step")
        self.store.prepare()
        self.index = CheckpointIndex(self.store).refresh()

    @rule(name=names, fingerprint=st.sampled_from(["f", "g", "longer"]), noted=st.booleans())
    def save(self, name: str, fingerprint: str, noted: bool) -> None:
        one = checkpoint(name, fingerprint)
        status = self.store.save(replace(one, replies=(fingerprint * 3,)))
        if noted:
            self.index.note(one, status)

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.store.path(name).unlink(missing_ok=True)

    @rule(name=names)
    def spoil(self, name: str) -> None:
        if self.store.path(name).exists():
            self.store.path(name).write_bytes(b"{")

    @rule()
    def flush(self) -> None:
        self.index.flush()

    @rule(kept=st.floats(0, 1))
    def cut_journal(self, kept: float) -> None:
        path = self.store.step_dir / JOURNAL
        if path.exists():
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])

    @rule()
    def restart(self) -> None:
        self.index = CheckpointIndex(self.store).refresh()

    @invariant()
    def a_new_process_knows_what_is_there(self) -> None:
        assert known(CheckpointIndex(self.store).refresh()) == cold(self.store)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestJournal = Journal.TestCase
TestJournal.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
