"""The account: booked before, settled after, caps that hold beside other processes and across their deaths."""

import asyncio
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.annotation.calls import Finish, ModelReply
from grounding_assets.core.budget.account import BudgetReached, Intent, VerifierAccount
from grounding_assets.core.budget.call_file import read_ledger
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.ledger import Ledger, booked_row, settled_row
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec

PRICE = {"input_per_million": 0.25, "output_per_million": 1.5}
INTENT = Intent(tokens_in=1000, tokens_out=4096)
UNCOUNTED = ModelReply("x" * 300, Finish.COMPLETE, 0, 0, counted=False)
_context = multiprocessing.get_context("forkserver")


def capped(**caps: Any) -> Spec:
    tree = {"vlm": {"price": PRICE}, "workflow": caps}
    return validate_spec({"results_dir": "unused", "image_grounding": tree}, where="the test")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def spent(folder: Path) -> Usage:
    return read_ledger(folder, has_verifier=False).spent().teacher


async def spend(folder: Path, spec: Spec, draw, workers: int) -> tuple[int, int]:
    """Calls of random length on one event loop until the cap; returns the tokens in flight there and the most."""
    in_flight: dict[int, Usage] = {}
    at_the_cap = []

    async def worker(number: int) -> None:
        while not at_the_cap:
            try:
                booking = await account.book(INTENT)
            except BudgetReached:
                at_the_cap.append(sum(usage.tokens for usage in in_flight.values()))
                return
            in_flight[number], turns = draw()
            for _ in range(turns):
                await asyncio.sleep(0)
            account.settle(booking, in_flight.pop(number))

    with open_account(spec, folder) as account:
        await asyncio.gather(*(worker(n) for n in range(workers)))
    return at_the_cap[0], workers


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_a_token_cap_is_exceeded_by_no_more_than_what_was_in_flight(tmp_path: Path, workers: int):
    rng = np.random.default_rng(workers)

    def draw():
        return Usage(1, 1000, int(np.exp(rng.normal(6, 1.0)))), int(rng.integers(1, 12))

    in_flight, _ = asyncio.run(spend(tmp_path, capped(max_tokens=200_000), draw, workers))
    tokens = spent(tmp_path).tokens
    assert tokens <= 200_000 + in_flight
    # what stops the run is the cap, not caution: no more than the calls in flight are left unused
    assert tokens >= 200_000 - (workers + 1) * 6_000


def test_a_call_cap_is_exact_and_raising_it_goes_on(tmp_path: Path):
    rng = np.random.default_rng(1)

    def draw():
        return Usage(1, 500, 20), int(rng.integers(1, 9))

    for cap in (37, 60):
        asyncio.run(spend(tmp_path, capped(max_calls=cap), draw, 8))
        assert spent(tmp_path).calls == cap


def test_calls_in_flight_count_with_the_mean_so_far(tmp_path: Path):
    # 1,000 tokens out at 1.50 a million are 0.0015 each; a cap of 0.0061 holds four of them, not five
    async def four() -> None:
        account.settle(await account.book(INTENT), Usage(1, 0, 1000))
        for _ in range(3):
            await account.book(INTENT)
        with pytest.raises(BudgetReached, match=r"max_cost=0\.0061 .* 0\.0015 spent, 3 calls in flight"):
            await account.book(INTENT)

    with open_account(capped(max_cost=0.0061), tmp_path) as account:
        asyncio.run(four())


def test_before_the_first_reply_what_goes_in_is_projected(tmp_path: Path):
    async def two() -> None:
        await account.book(INTENT)
        await account.book(INTENT)
        with pytest.raises(BudgetReached, match="max_tokens=2,500"):
            await account.book(INTENT)

    with open_account(capped(max_tokens=2500), tmp_path) as account:
        asyncio.run(two())


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=60), st.integers(1, 60_000)
)
def test_one_call_at_a_time_exceeds_the_cap_by_less_than_that_call(calls, cap):
    ledger, last, spec = Ledger(), 0, capped(max_tokens=cap)
    for number, (tokens_in, tokens_out) in enumerate(calls):
        intent = Intent(tokens_in, 10_000)
        if ledger.reached(spec.workflow, Prices.of(spec), intent):
            break
        last = tokens_in + tokens_out
        ledger.read(booked_row(f"a:{number}", intent))
        ledger.read(settled_row(Usage(1, tokens_in, tokens_out), f"a:{number}"))
    assert ledger.spent().teacher.tokens <= cap + last


def _spend_until_the_cap(folder: str, cap: int, begin: Any, counted: Any) -> None:
    async def run() -> None:
        with open_account(capped(max_calls=cap), Path(folder)) as account:
            begin.wait()
            booked = 0
            try:
                while True:
                    booking = await account.book(INTENT)
                    booked += 1
                    account.settle(booking, Usage(1, 900, 50))
            except BudgetReached:
                counted.put(booked)

    asyncio.run(run())


def test_processes_side_by_side_take_the_cap_together_to_the_last_call(tmp_path: Path):
    begin, counted = _context.Barrier(4), _context.Queue()
    processes = [
        _context.Process(target=_spend_until_the_cap, args=(str(tmp_path), 1000, begin, counted))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    counts = [counted.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(counts) == 1000 == spent(tmp_path).calls
    assert sum(count > 0 for count in counts) > 1, "they ran side by side"


def _book_and_wait(folder: str, booked: Any) -> None:
    async def run() -> None:
        with open_account(capped(), Path(folder)) as account:
            account.settle(await account.book(INTENT), Usage(1, 1200, 50))
            for _ in range(3):
                booked.put(await account.book(INTENT))
            await asyncio.sleep(600)

    asyncio.run(run())


def test_what_a_process_has_in_flight_counts_at_the_most_once_it_is_killed(tmp_path: Path):
    queue = _context.Queue()
    process = _context.Process(target=_book_and_wait, args=(str(tmp_path), queue))
    process.start()
    bookings = [queue.get(timeout=60) for _ in range(3)]
    assert spent(tmp_path) == Usage(1, 1200, 50), "in flight is not spent"

    async def one_more(cap: int) -> None:
        with open_account(capped(max_calls=cap), tmp_path) as account:
            account.settle(await account.book(INTENT), Usage())

    with pytest.raises(BudgetReached, match="1 spent, 3 calls in flight"):
        asyncio.run(one_more(4))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    # as much in as the dearest call known at the booking, and out what the request allows
    assert spent(tmp_path) == Usage(4, 1200 + 1000 + 2 * 1200, 50 + 3 * 4096, projected=3)
    with pytest.raises(BudgetReached, match="4 spent, 0 calls in flight"):
        asyncio.run(one_more(4))
    # who finds out later what one of them took, says so: a batch is collected by another process
    with open_account(capped(), tmp_path) as account:
        account.settle(bookings[0], Usage(1, 1100, 40))
    assert spent(tmp_path) == Usage(4, 1200 + 1100 + 2 * 1200, 50 + 40 + 2 * 4096, projected=2)


@pytest.mark.parametrize(
    "damage",
    [
        b'{"booked": "a:1", "calls": 1, "tok',
        b'\xff\x00\n[1, 2]\n17\n{"calls": -5}\n{"booked": "a:1", "calls": -1}\n',
        b'{"calls": "many"}\n',
        b'{"settled": 3, "calls": true}\n',
        b"[" * 5000 + b"\n",
    ],
)
def test_lines_that_were_cut_short_or_spoiled_count_as_nothing(tmp_path: Path, damage: bytes):
    (tmp_path / "calls.jsonl").write_bytes(b'{"calls": 2, "tokens_in": 20, "tokens_out": 4}\n' + damage)
    before = spent(tmp_path)
    assert before == Usage(2, 20, 4)

    async def one() -> None:
        with open_account(capped(max_calls=4), tmp_path) as account:
            account.settle(await account.book(INTENT), Usage(1, 10, 2))

    asyncio.run(one())
    assert spent(tmp_path) == before + Usage(1, 10, 2)


def test_a_file_that_is_emptied_under_a_run_stops_it(tmp_path: Path):
    async def two() -> None:
        with open_account(capped(), tmp_path) as account:
            await account.book(INTENT)
            await account.book(INTENT)
            os.truncate(tmp_path / "calls.jsonl", 0)
            await account.book(INTENT)

    with pytest.raises(RunStopped, match="was changed while this run"):
        asyncio.run(two())


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ({"max_calls": 50, "max_tokens": 9000}, "workflow.max_calls=50 holds"),
        ({"max_cost": 1}, "set workflow.max_calls"),
    ],
)
def test_unreported_tokens_are_said_once_with_the_cap_that_holds(tmp_path: Path, caps, words: str):
    said: list[str] = []

    async def three() -> None:
        with open_account(capped(**caps), tmp_path, said.append) as account:
            for _ in range(3):
                account.settle(await account.book(INTENT), INTENT.taken(UNCOUNTED))

    asyncio.run(three())
    assert len(said) == 1 and words in said[0]
    assert spent(tmp_path) == Usage(3, 3000, 300, projected=3)


def test_a_verifier_of_its_own_is_counted_apart_under_the_same_caps(tmp_path: Path):
    async def three() -> None:
        with open_account(capped(max_calls=2), tmp_path) as account:
            verifier = VerifierAccount(account)
            account.settle(await account.book(INTENT), Usage(1, 10, 1))
            verifier.settle(await verifier.book(INTENT), Usage(1, 20, 2))
            with pytest.raises(BudgetReached):
                await verifier.book(INTENT)

    asyncio.run(three())
    found = read_ledger(tmp_path, has_verifier=True).spent()
    assert (found.teacher, found.verifier) == (Usage(1, 10, 1), Usage(1, 20, 2))
    assert [row.get("model") for row in lines(tmp_path) if "booked" in row] == [None, "vlm_verifier"]
