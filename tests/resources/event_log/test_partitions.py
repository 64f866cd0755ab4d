"""Partitions that are remembered are never other than those that Dagster would read anew."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.resources.event_log.support import PARTITION_SET, batched_instance, shard, stock_instance

OTHER_SET = "other/samples"


def test_whatever_is_added_and_removed_by_whom(tmp_path: Path) -> None:
    """Three instances over one folder, as in three processes; the stock one remembers nothing."""
    with (
        batched_instance(tmp_path) as ours,
        batched_instance(tmp_path) as second,
        stock_instance(tmp_path) as stock,
    ):

        def all_agree() -> list[str]:
            read = list(stock.get_dynamic_partitions(PARTITION_SET))
            for instance in (ours, second):
                assert list(instance.get_dynamic_partitions(PARTITION_SET)) == read
                assert list(instance.get_dynamic_partitions(OTHER_SET)) == list(
                    stock.get_dynamic_partitions(OTHER_SET)
                )
            return read

        assert all_agree() == []
        ours.add_dynamic_partitions(PARTITION_SET, ["b", "a"])
        assert all_agree() == ["b", "a"]
        stock.add_dynamic_partitions(OTHER_SET, ["z"])
        second.add_dynamic_partitions(PARTITION_SET, ["c", "a"])
        assert all_agree() == ["b", "a", "c"]
        stock.delete_dynamic_partition(PARTITION_SET, "b")
        assert all_agree() == ["a", "c"]
        for key in ("c", "a"):
            second.delete_dynamic_partition(PARTITION_SET, key)
        assert all_agree() == []


def test_a_number_that_comes_again_is_told_by_its_time(tmp_path: Path) -> None:
    with batched_instance(tmp_path) as instance:
        instance.add_dynamic_partitions(PARTITION_SET, ["a", "b"])
        assert list(instance.get_dynamic_partitions(PARTITION_SET)) == ["a", "b"]
        with closing(sqlite3.connect(shard(instance, "index"))) as database, database:
            database.execute("UPDATE dynamic_partitions SET create_timestamp = '2001-01-01 00:00:00'")
        assert list(instance.get_dynamic_partitions(PARTITION_SET)) == ["a", "b"]
        instance.delete_dynamic_partition(PARTITION_SET, "b")
        instance.add_dynamic_partitions(PARTITION_SET, ["c"])
        assert list(instance.get_dynamic_partitions(PARTITION_SET)) == ["a", "c"]


def test_a_list_that_is_changed_is_nobody_elses(tmp_path: Path) -> None:
    with batched_instance(tmp_path) as instance:
        instance.add_dynamic_partitions(PARTITION_SET, ["a"])
        read = instance.get_dynamic_partitions(PARTITION_SET)
        assert isinstance(read, list)
        read.clear()
        assert list(instance.get_dynamic_partitions(PARTITION_SET)) == ["a"]
