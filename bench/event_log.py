"""How fast partitions are reported: Dagster's SQLite storage event by event against groups, in one run.

    python bench/event_log.py [--sizes 1000 20000] [--stock-limit 1000] [--partitions 100000]

The cost of an event does not depend on how many there are, so Dagster's own storage is timed over at most
`--stock-limit` events. The second table is what a data set of `--partitions` samples costs on our storage.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.instance import InstanceRef
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.event_log import BatchEmitter, EventOrigin

Report = Callable[[BatchEmitter, int], None]
ASSET = dg.AssetKey(["bench", "groundings"])
PARTITION_SET = "bench/samples"
SAMPLES = dg.DynamicPartitionsDefinition(name=PARTITION_SET)


@contextmanager
def fresh_instance(kind: str) -> Iterator[tuple[dg.DagsterInstance, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        config = {"base_dir": folder}
        batched = {"module": "resources.event_log", "class": "BatchedSqliteStorage", "config": config}
        storage = {"sqlite": config} if kind == "stock" else {"custom": batched}
        ref = InstanceRef.from_dir(folder, overrides={"storage": storage})
        with dg.DagsterInstance.from_ref(ref) as instance:
            yield instance, Path(folder)


def report_planned(emitter: BatchEmitter, count: int) -> None:
    emitter.planned(ASSET, (f"s{i:07d}" for i in range(count)))


def report_materialized(emitter: BatchEmitter, count: int) -> None:
    for i in range(count):
        metadata = {"expressions": 4, "seconds": 1.25, "model": "some-model"}
        tags = {"dagster/data_version": f"{i:016x}"}
        emitter.materialized(
            dg.AssetMaterialization(ASSET, partition=f"s{i:07d}", metadata=metadata, tags=tags)
        )


def origin(instance: dg.DagsterInstance) -> EventOrigin:
    run = instance.add_run(dg.DagsterRun(job_name="annotate_job", status=dg.DagsterRunStatus.STARTED))
    logging_tags = {"job_name": "annotate_job", "op_name": "annotate", "run_id": run.run_id}
    return EventOrigin(run.run_id, "annotate_job", "annotate", logging_tags=logging_tags)


def events_per_second(kind: str, report: Report, count: int) -> tuple[float, float]:
    """Events a second, and milliseconds of CPU an event, making the events included."""
    with fresh_instance(kind) as (instance, _):
        emitter = BatchEmitter(instance, origin(instance))
        started, cpu = time.perf_counter(), time.process_time()
        report(emitter, count)
        emitter.close()
        return count / (time.perf_counter() - started), (time.process_time() - cpu) / count * 1000


def compare(sizes: list[int], stock_limit: int) -> None:
    print(
        f"{'event':<14}{'events':>8}{'stock/s':>10}{'batched/s':>11}{'ratio':>8}{'CPU ms: stock':>15}{'batched':>9}"
    )
    for name, report in (("planned", report_planned), ("materialized", report_materialized)):
        for size in sizes:
            stock, stock_cpu = events_per_second("stock", report, min(size, stock_limit))
            batched, batched_cpu = events_per_second("batched", report, size)
            ratio = batched / stock
            print(
                f"{name:<14}{size:>8}{stock:>10.0f}{batched:>11.0f}{ratio:>8.0f}{stock_cpu:>15.2f}{batched_cpu:>9.2f}"
            )
            sys.stdout.flush()


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    print(f"  {what:<58}{time.perf_counter() - started:>8.2f} s", flush=True)


def data_set(partitions: int) -> None:
    print(f"\n{partitions} samples on the batching storage")
    keys = [f"s{i:07d}" for i in range(partitions)]
    with fresh_instance("batched") as (instance, folder):
        with timed("add_dynamic_partitions, 10,000 a call"):
            for start in range(0, partitions, 10_000):
                instance.add_dynamic_partitions(PARTITION_SET, keys[start : start + 10_000])
        with timed("get_dynamic_partitions"):
            instance.get_dynamic_partitions(PARTITION_SET)
        with BatchEmitter(instance, origin(instance)) as emitter:
            with timed("reporting all as planned (last few still in the queue)"):
                report_planned(emitter, partitions)
            with timed("status, first time, none materialized"):
                status(instance)
            with timed("reporting all but 1,000 as materialized, in the queue"):
                report_materialized(emitter, partitions - 1000)
            with timed("waiting for the queue"):
                emitter.close()
        with timed("status, all events new since the last time"):
            materialized, in_progress = status(instance)
        assert (materialized, in_progress) == (partitions - 1000, 1000)
        with timed("status, nothing new"):
            status(instance)
        instance.wipe_asset_cached_status([ASSET])
        with timed("status, without a cached one"):
            status(instance)
        size = sum(file.stat().st_size for file in folder.rglob("*.db*")) / 1e6
        print(f"  {'databases':<58}{size:>8.0f} MB")


def status(instance: dg.DagsterInstance) -> tuple[int, int]:
    """Materialized and in-progress partitions, as the asset's page counts them."""
    with partition_loading_context(dynamic_partitions_store=instance):
        cache = get_and_update_asset_status_cache_value(instance, ASSET, SAMPLES)
        assert cache is not None
        return (
            len(cache.deserialize_materialized_partition_subsets(SAMPLES)),
            len(cache.deserialize_in_progress_partition_subsets(SAMPLES)),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 20_000])
    parser.add_argument("--stock-limit", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=100_000)
    arguments = parser.parse_args()
    compare(arguments.sizes, arguments.stock_limit)
    data_set(arguments.partitions)


if __name__ == "__main__":
    main()
