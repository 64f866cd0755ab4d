"""A process of its own that writes to an instance: `python writer_process.py MODE FOLDER RUN_ID`.

`batches` stores groups of 50 for ever and prints how many; `emitter` reports 300 partitions and ends;
`full` may not let any file grow past 300 kB, as on a full disk, and prints the error that this gives.
"""

import resource
import sys
from itertools import count
from pathlib import Path

import dagster as dg

from grounding_assets.core.errors import RunStopped
from resources.event_log import BatchEmitter
from tests.resources.event_log.support import EXPRESSIONS, batched_instance, materializations, origin

GROUP = 50


def main(mode: str, folder: str, run_id: str) -> None:
    with batched_instance(Path(folder)) as instance:
        if mode == "batches":
            for group in count():
                keys = [f"{run_id}-{group}-{i}" for i in range(GROUP)]
                instance.event_log_storage.store_event_batch(materializations(run_id, EXPRESSIONS, keys))
                print(group + 1, flush=True)
        elif mode == "emitter":
            keys = [f"{run_id}-{i}" for i in range(300)]
            with BatchEmitter(instance, origin(run_id), batch_size=GROUP) as emitter:
                emitter.planned(EXPRESSIONS, keys)
                for key in keys:
                    emitter.materialized(dg.AssetMaterialization(EXPRESSIONS, partition=key))
        elif mode == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
            emitter = BatchEmitter(instance, origin(run_id), batch_size=GROUP)
            try:
                emitter.planned(EXPRESSIONS, (f"s{i}" for i in range(5000)))
                emitter.close()
            except RunStopped as error:
                print(error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
