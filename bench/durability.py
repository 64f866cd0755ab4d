"""What it costs that results survive a power cut: time of storing one, by what is synced when.

    python -m bench.durability [--folder .] [--results 2000] [--threads 8]

`--folder` must be on the disk that is to be measured: in memory a sync costs nothing.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_store import CheckpointStore

CAPTION = "a cat near two dogs"


def result(number: int) -> Checkpoint:
    box = Instance((10, 20, 300, 400), 0.9, "model")
    expressions = tuple(
        Expression(
            CAPTION[slice(*span)], span, "cat", instances=(box,), grounding_status=GroundingStatus.BOXED
        )
        for span in ((0, 5), (11, 19))
    )
    return Checkpoint(
        sample_id=f"{number:06d}",
        fingerprint="0" * 24,
        output_fingerprint="",
        settings_fingerprint="0" * 24,
        cleaned_caption=CAPTION,
        expressions=expressions,
        image_size=(640, 480),
        provenance={"backend": "bench", "settings": {"temperature": 0.0}},
        replies=('{"boxes": []}' * 100,),
    )


def milliseconds_each(store: CheckpointStore, results: int, threads: int, after: Callable[[], None]) -> float:
    def save(number: int) -> None:
        store.save(result(number))
        after()

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(save, range(results)))
    store.sync()
    return 1e3 * (time.perf_counter() - began) / results


def once_a_second(store: CheckpointStore, ended: Event) -> None:
    while not ended.wait(1.0):
        store.sync()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--results", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        for title in ("folders at the end", "folders once a second", "folders with each result"):
            store = CheckpointStore(Path(name) / title)
            store.prepare()
            ended = Event()
            syncing = Thread(target=once_a_second, args=(store, ended))
            if title == "folders once a second":
                syncing.start()
            after = store.sync if title == "folders with each result" else lambda: None
            each = milliseconds_each(store, given.results, given.threads, after)
            ended.set()
            if syncing.ident is not None:
                syncing.join()
            print(f"{title}: {each:.2f} ms a result, {given.threads} threads")


if __name__ == "__main__":
    main()
