"""Shards, claims, segments and grants in object storage, against moto's S3 server."""

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grounding_assets.core.budget.account import BudgetReached, Intent
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.grants import Amounts, GrantedAccount, Grants
from grounding_assets.core.errors import InputError, RunStopped
from grounding_assets.core.shards.place import ShardTaken
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec, WorkflowSpec
from resources.segments import Segments
from resources.shard_claims import USUAL, Pace, StoredClaim
from resources.stored_shards import StoredShards
from tests.storage.servers import S3Server, changing, folder_at, use

QUICK = Pace(beat_s=0.05, dead_after_s=0.6, look_s=0.05)
CKPT = "step_0_expression_extraction/.ckpt"


def shards_at(s3: S3Server, bucket: str) -> StoredShards:
    s3.put({f"s3://{bucket}/other": b""})
    return StoredShards(f"s3://{bucket}/results/", "a run", lambda run_id: False)


def capped(tmp_path: Path, cap: int) -> Spec:
    workflow = {"max_calls": cap}
    return validate_spec(
        {"results_dir": str(tmp_path), "image_grounding": {"workflow": workflow}}, where="the test"
    )


def test_grants_never_pass_a_cap_whoever_takes_them(s3: S3Server) -> None:
    shards = shards_at(s3, "grants")

    def take_all(_: int) -> int:
        grants, taken = Grants(shards.grants, WorkflowSpec(max_calls=100)), 0
        while True:
            try:
                taken += grants.take().calls
            except BudgetReached:
                return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take_all, range(4))) == 100
    Grants(shards.grants, WorkflowSpec()).give_back(Amounts(calls=30))
    assert take_all(0) == 30
    grants = Grants(shards.grants, WorkflowSpec(max_calls=110))
    assert grants.take().calls == 8, "a cap that was raised has room again"


@pytest.mark.parametrize(
    "entry",
    [b'{"calls": 8, "tokens": 0, "cost": 0.0, "by": "a"}', b'{"calls": 8, "tok', b"[]", b'{"so_far": 8}'],
    ids=["without it", "cut off", "a list", "a number"],
)
def test_a_grant_that_tells_no_sum_is_refused(s3: S3Server, entry: bytes) -> None:
    shards = shards_at(s3, f"sums{len(entry)}")
    assert shards.grants.create("000000", entry)
    with pytest.raises(InputError, match="is damaged"):
        Grants(shards.grants, WorkflowSpec(max_calls=100)).take()


def test_a_run_learns_what_is_granted_from_few_entries(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put({"s3://many/other": b""})
    read: set[str] = set()

    def noting(method: str, path: str) -> None:
        if method == "HEAD":
            read.add(path)

    with changing(s3, noting) as url:
        use({"AWS_ENDPOINT_URL": url}, monkeypatch)
        entries = StoredShards("s3://many/results/", "a run", lambda run_id: False).grants
        first = Grants(entries, WorkflowSpec(max_calls=1000))
        taken = sum(first.take().calls for _ in range(20))
        read.clear()
        assert Grants(entries, WorkflowSpec(max_calls=taken + 3)).take().calls == 3
    assert len(read) < 15


def test_an_account_takes_grants_as_it_needs_them_and_gives_the_rest_back(
    s3: S3Server, tmp_path: Path
) -> None:
    shards = shards_at(s3, "accounts")
    intent = Intent(tokens_in=10, tokens_out=10)

    def book(name: str, cap: int, wanted: int, *, killed: bool = False) -> int:
        folder, spec = tmp_path / name, capped(tmp_path / name, cap)
        folder.mkdir()
        booked = 0

        async def work(account: GrantedAccount) -> None:
            nonlocal booked
            bookings = await asyncio.gather(
                *(account.book(intent) for _ in range(wanted)), return_exceptions=True
            )
            for booking in bookings:
                if isinstance(booking, str):
                    booked += 1
                    account.settle(booking, Usage(1, 5, 5))

        account = GrantedAccount(folder, spec, print, Grants(shards.grants, spec.workflow))
        asyncio.run(work(account))
        if not killed:
            account.close()
        return booked

    assert book("first", 60, 20) == 20
    assert book("second", 60, 10, killed=True) == 10
    left = 60 - 20 - 16
    assert book("third", 60, 50) == left, "two grants of 8 of the killed one stay spent, and no more"
    with pytest.raises(BudgetReached, match="max_calls=60 leaves no room"):
        book("fourth", 60, 1)


def test_a_claim_has_one_owner_and_ends_with_it(s3: S3Server) -> None:
    s3.put({"s3://owners/other": b""})
    folder = folder_at("s3://owners/claims")

    def claim(run: str, ended: str = "") -> StoredClaim:
        return StoredClaim(folder, "00000", run, ended.__eq__, QUICK)

    with claim("first") as first:
        assert first.generation == 1
        with pytest.raises(ShardTaken), claim("second"):
            pass
        with claim("third", ended="first") as third:
            assert third.generation == 2
            deadline = time.monotonic() + 60
            while not first.lost:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            with pytest.raises(RunStopped, match="was taken by another run"):
                first.make_sure()
    with claim("fourth") as fourth:
        assert fourth.generation == 3


def test_who_looks_at_a_claim_waits_for_nobody(s3: S3Server) -> None:
    s3.put({"s3://looks/other": b""})
    folder = folder_at("s3://looks/claims")

    def claim(run: str, ended: str = "", pace: Pace = USUAL) -> StoredClaim:
        return StoredClaim(folder, "00000", run, ended.__eq__, pace)

    look = claim("second")
    assert not look.is_held()
    with claim("first"):
        assert look.is_held() and look.is_held()
        assert not claim("second", ended="first").is_held()
    assert not look.is_held()
    s3.put({"s3://looks/claims/000009": json.dumps({"run": "gone", "beats": 9, "released": False}).encode()})
    look = claim("second", pace=QUICK)
    assert look.is_held()
    deadline = time.monotonic() + 60
    while look.is_held():
        assert time.monotonic() < deadline


def test_a_claim_that_nobody_keeps_is_free_after_a_while(s3: S3Server) -> None:
    s3.put({"s3://dead/claims/000004": json.dumps({"run": "gone", "beats": 9, "released": False}).encode()})
    folder = folder_at("s3://dead/claims")
    with StoredClaim(folder, "00000", "next", "".__eq__, QUICK) as claim:
        assert claim.generation == 5


def segments(s3: S3Server, bucket: str, results: Path, generation: int) -> Segments:
    s3.put({f"s3://{bucket}/other": b""})
    folder = folder_at(f"s3://{bucket}/segments")
    results.mkdir(parents=True, exist_ok=True)
    return Segments(folder, results, generation)


def files_of(folder: Path) -> dict[str, str]:
    return {str(f.relative_to(folder)): f.read_text() for f in folder.rglob("*") if f.is_file()}


def put(results: Path, name: str, text: str) -> None:
    file = results / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".partial").write_text(text)
    file.with_suffix(".partial").replace(file)


def test_what_is_pushed_is_pulled_and_the_newest_counts(s3: S3Server, tmp_path: Path) -> None:
    first = segments(s3, "pushed", tmp_path / "first", 1)
    put(tmp_path / "first", f"{CKPT}/a.json", "a, by the first")
    put(tmp_path / "first", f"{CKPT}/b.json", "b, by the first")
    put(tmp_path / "first", "samples.jsonl", "ids")
    put(tmp_path / "first", "annotations.jsonl", "made again by any run")
    first.push()
    (tmp_path / "first" / CKPT / "b.json").unlink()
    put(
        tmp_path / "first",
        "step_1_grounding/.failed/a.json",
        "failed \udce9".encode("utf-8", "replace").decode(),
    )
    first.push()
    second = segments(s3, "pushed", tmp_path / "second", 2)
    assert second.pull() == 2
    wanted = {
        f"{CKPT}/a.json": "a, by the first",
        "samples.jsonl": "ids",
        "step_1_grounding/.failed/a.json": "failed ?",
    }
    assert files_of(tmp_path / "second") == wanted
    second.push()
    put(tmp_path / "second", f"{CKPT}/a.json", "a, by the second")
    second.push()
    put(tmp_path / "first", f"{CKPT}/a.json", "too late: another run has the shard")
    first.push()
    for compacts in (False, True):
        if compacts:
            second.compact()
            second.compact()
        third = segments(s3, "pushed", tmp_path / f"third {compacts}", 3)
        assert third.pull() == (1 if compacts else 4)
        assert files_of(tmp_path / f"third {compacts}") == wanted | {f"{CKPT}/a.json": "a, by the second"}


def test_a_result_keeps_the_time_when_it_was_made(s3: S3Server, tmp_path: Path) -> None:
    name, made_ns = f"{CKPT}/a.json", 1_700_000_000_123_456_000
    first = segments(s3, "times", tmp_path / "first", 1)
    put(tmp_path / "first", name, "made long before it is pulled")
    os.utime(tmp_path / "first" / name, ns=(made_ns, made_ns))
    first.push()
    untimed = json.dumps({"file": f"{CKPT}/b.json", "text": "by an earlier version"}).encode()
    s3.put({"s3://times/segments/000001-000002.jsonl": untimed + b"\n"})
    for generation, there in ((2, 2), (3, 1)):
        results = tmp_path / f"{generation}"
        pulled = segments(s3, "times", results, generation)
        assert pulled.pull() == there
        assert (results / name).stat().st_mtime_ns == made_ns
        assert (results / CKPT / "b.json").read_text() == "by an earlier version"
        pulled.push()
        assert len(folder_at("s3://times/segments").names()) == there, "nothing is new"
        pulled.compact()


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b'{"file": "step_0_expression_extraction/.ckpt/a.json"}',
        b'{"file": "../../outside.json", "text": ""}',
        b'{"file": "step_0_expression_extraction/.ckpt/../../../a.json", "text": ""}',
        b'{"file": "/etc/passwd", "text": ""}',
        b'{"file": 1, "text": ""}',
        b'{"file": "samples.jsonl", "text": 1}',
        b'{"file": "samples.jsonl", "text": "", "ns": "1"}',
        b'{"file": "samples.jsonl", "text": "", "ns": -1}',
        b'{"file": "samples.jsonl", "text": "", "ns": 1e400}',
        b'{"file": "samples.jsonl", "text": "", "ns": 1.5}',
        b'{"file": "samples.jsonl", "text": "", "ns": 9223372036854775808}',
    ],
)
def test_a_segment_that_no_run_wrote_is_refused_by_name(s3: S3Server, tmp_path: Path, line: bytes) -> None:
    bucket = f"hostile{os.urandom(4).hex()}"
    s3.put({f"s3://{bucket}/segments/000001-000001.jsonl": line + b"\n"})
    with pytest.raises(InputError, match=r"segments/000001-000001\.jsonl holds a line that no run wrote"):
        segments(s3, bucket, tmp_path / "results", 2).pull()
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 4), (5 << 20, 5 << 20, 7)], ids=str)
def test_parts_are_joined_in_order(s3: S3Server, sizes: tuple[int, ...]) -> None:
    shards = shards_at(s3, f"joined{len(sizes)}{sum(sizes)}")
    parts = [f"shards/0000{number}/annotations.jsonl" for number in range(len(sizes))]
    contents = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    for part, content in zip(parts, contents, strict=True):
        shards.write(part, content)
    shards.join("annotations.jsonl", [*parts, "shards/00009/annotations.jsonl"])
    assert shards.read("annotations.jsonl") == b"".join(contents)


def test_a_file_is_stored_whole_or_not_at_all(s3: S3Server) -> None:
    shards = shards_at(s3, "whole")
    with shards.writing("a.jsonl") as stream:
        stream.write(b"1\n")
    with pytest.raises(ValueError, match="no"), shards.writing("a.jsonl") as stream:
        stream.write(b"2\n")
        raise ValueError("no")
    assert (shards.read("a.jsonl"), shards.size("a.jsonl"), shards.size("b.jsonl")) == (b"1\n", 2, 0)
