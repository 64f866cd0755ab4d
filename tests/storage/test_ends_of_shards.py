"""How a run's hold on a shard in object storage ends: well, interrupted, overtaken, refused; and who looks on meanwhile."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.shards.status import STATUS, ShardStatus
from resources.object_storage import ObjectForbidden, StorageRefusal
from resources.segments import Segments
from resources.stored_shards import StoredShards
from tests.storage.servers import S3Server, changing, folder_at, use

KEY = "00000"
CHECKPOINT = "step_0_expression_extraction/.ckpt/a.json"
PARTIAL, COMPLETE = (json.dumps(ShardStatus(samples=2, done=done).to_dict()).encode() for done in (1, 2))


def stored(s3: S3Server, bucket: str, status: bytes) -> StoredShards:
    s3.put({f"s3://{bucket}/results/shards/{KEY}/{STATUS}": status})
    return StoredShards(f"s3://{bucket}/results", "a run", lambda run_id: False)


def status_at(shards: StoredShards) -> bytes | None:
    return shards.read(f"shards/{KEY}/{STATUS}")


@contextmanager
def held(shards: StoredShards) -> Iterator[Path]:
    with shards.claimed(KEY), shards.opened(KEY) as folder:
        yield folder


def put(results: Path, text: str) -> Path:
    file = results / CHECKPOINT
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("before", "raised", "after"),
    [
        (COMPLETE, None, COMPLETE),
        (COMPLETE, KeyboardInterrupt, None),
        (COMPLETE, RunStopped, None),
        (PARTIAL, KeyboardInterrupt, PARTIAL),
    ],
    ids=["well", "interrupted", "stopped", "interrupted before it was complete"],
)
def test_a_complete_shard_is_believed_again_when_its_run_ends_well(
    s3: S3Server, before: bytes, raised: type[BaseException] | None, after: bytes | None
) -> None:
    shards = stored(s3, f"ends{len(before)}{raised and raised.__name__.lower()}", before)
    if raised is None:
        with held(shards):
            assert status_at(shards) is None, "a kill in here leaves nothing that is believed"
    else:
        with pytest.raises(raised), held(shards) as folder:
            put(folder, "changed")
            raise raised("in the midst")
    assert status_at(shards) == after


def test_who_was_overtaken_puts_no_status(s3: S3Server) -> None:
    shards = stored(s3, "overtaken", COMPLETE)
    shard = f"s3://overtaken/results/shards/{KEY}"
    with pytest.raises(RunStopped, match="was taken by another run"), held(shards) as folder:
        put(folder, "of the first")
        (folder / "annotations.jsonl").write_bytes(b"of the first")
        s3.put({f"{shard}/claims/000002": b"{}", f"{shard}/segments/000002-000001.jsonl": b""})
    assert status_at(shards) is None and shards.read(f"shards/{KEY}/annotations.jsonl") is None
    assert shards.read(f"shards/{KEY}/segments/000002-000001.jsonl") == b""


def test_what_ended_the_pushing_is_said_in_place_of_its_signal(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(s3, "pushing", COMPLETE)
    refused: list[str] = []

    def first_segment(method: str, path: str) -> int | None:
        if method == "PUT" and "/segments/" in path and not refused:
            refused.append(path)
            return 401
        return None

    with changing(s3, first_segment) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        shards = StoredShards("s3://pushing/results", "a run", lambda run_id: False)
        with pytest.raises(StorageRefusal), ending_on_signals(), held(shards) as folder:
            put(folder, "made")
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                time.sleep(0.05)
        assert refused and status_at(shards) is None


def test_what_was_not_pushed_is_pushed_the_next_time(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"s3://again/other": b""})
    refuses = True
    with changing(s3, lambda method, path: 403 if refuses and method == "PUT" else None) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        folder = folder_at("s3://again/segments")
        segments = Segments(folder, tmp_path / "here", 1)
        os.utime(put(tmp_path / "here", "made").parent, (1, 1))
        with pytest.raises(ObjectForbidden):
            segments.push()
        refuses = False
        segments.push()
        (tmp_path / "there").mkdir()
        assert Segments(folder, tmp_path / "there", 2).pull() == 1
    assert (tmp_path / "there" / CHECKPOINT).read_text() == "made"


def test_who_reads_while_the_owner_compacts_reads_what_came_of_it(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"s3://compacted/other": b""})
    folder = folder_at("s3://compacted/segments")
    owner = Segments(folder, tmp_path / "owner", 1)
    gone = put(tmp_path / "owner", "first").with_name("b.json")
    gone.write_text("goes")
    owner.push()
    gone.unlink()
    put(tmp_path / "owner", "second")
    owner.push()
    reads = 0

    def compacting(method: str, path: str) -> int | None:
        nonlocal reads
        if method == "GET" and path.partition("?")[0].endswith("-000002.jsonl"):
            reads += 1
            owner.compact()
        return None

    with changing(s3, compacting) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        (tmp_path / "reader").mkdir()
        folder = folder_at("s3://compacted/segments")
        reader = Segments(folder, tmp_path / "reader", 0)
        assert reader.pull() == 1
    assert reads == 1
    files = {str(file.relative_to(tmp_path / "reader")) for file in (tmp_path / "reader").rglob("*.json")}
    assert files == {CHECKPOINT} and (tmp_path / "reader" / CHECKPOINT).read_text() == "second"
