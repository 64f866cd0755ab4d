"""What a process of its own writes to an instance, in one of three modes.

`batches` stores groups of 50 for ever and sends how many; `emitter` reports 300 partitions and ends;
`full` may not let any file grow past 300 kB, as on a full disk, and sends the error that this gives.
"""

import resource
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg

from grounding_assets.core.errors import RunStopped
from resources.event_log import BatchEmitter
from tests.resources.event_log.support import EXPRESSIONS, batched_instance, materializations, origin

GROUP = 50


def write(mode: str, folder: Path, run_id: str, connection: Connection) -> None:
    with batched_instance(folder) as instance:
        if mode == "batches":
            for group in count():
                keys = [f"{run_id}-{group}-{i}" for i in range(GROUP)]
                instance.event_log_storage.store_event_batch(materializations(run_id, EXPRESSIONS, keys))
                connection.send(group + 1)
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
                connection.send(str(error))
