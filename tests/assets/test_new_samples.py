"""The sensor `new_samples`, tick by tick, over a real file that grows, shrinks and is replaced."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from grounding_assets.sensors import MAX_SAMPLES_PER_RUN, build_new_samples
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.storages import fresh_instance

KEYS = DataSetKeys("tested")
SENSOR = build_new_samples(KEYS)
REPOSITORY = build_defs(Spec(results_dir="unused"), name=KEYS.name).get_repository_def()


def line(number: int) -> bytes:
    return json.dumps({"image_path": f"{number}.jpg", "caption": f"Caption of {number}."}).encode() + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(map(line, numbers))


class Ticks:
    """Evaluates the sensor as the daemon does: partitions it asks for are added, its cursor is kept."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, steps: str = "01"):
        self.file, self.instance = folder / "input.jsonl", instance
        data = {"name": "tested", "input_jsonl": str(self.file)}
        section = {"vlm": {"backend": "local"}, "workflow": {"steps": list(steps)}, "data": data}
        spec = Spec.model_validate({"results_dir": str(folder / "results"), "image_grounding": section})
        self.dataset = DataSet(spec, Credentials())
        self.cursor: str | None = None
        self.skip_reason = ""

    def tick(self) -> list[str]:
        """The samples that a run is asked for, named by their numbers; none where the tick is skipped."""
        resources = {"dataset": self.dataset}
        with dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=REPOSITORY, resources=resources
        ) as context:
            result = SENSOR.evaluate_tick(context)
        self.cursor, self.skip_reason = result.cursor, result.skip_message or ""
        if not result.run_requests:
            return []
        (request,), (added,) = result.run_requests, list(result.dynamic_partitions_requests or ())
        keys = list(added.partition_keys)
        self.instance.add_dynamic_partitions(KEYS.partition_set, keys)
        assert request.tags["dagster/asset_partition_range_start"] == keys[0]
        assert request.tags["dagster/asset_partition_range_end"] == keys[-1]
        registered = list(self.instance.get_dynamic_partitions(KEYS.partition_set))
        assert registered[registered.index(keys[0]) : registered.index(keys[-1]) + 1] == keys
        return keys


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[Ticks]:
    with fresh_instance() as instance:
        yield Ticks(tmp_path, instance)


def append(ticks: Ticks, content: bytes) -> None:
    with ticks.file.open("ab") as stream:
        stream.write(content)


def test_only_added_lines_are_asked_for(ticks: Ticks) -> None:
    assert ticks.tick() == []
    assert "There is no" in ticks.skip_reason
    append(ticks, lines(1, 2, 3))
    assert ticks.tick() == ["1", "2", "3"]
    assert ticks.tick() == []
    append(ticks, lines(4) + b"\n" + b"not JSON\n" + lines(2, 5))
    assert ticks.tick() == ["4", "5"]
    append(ticks, b"not JSON either\n")
    assert ticks.tick() == []
    assert "No new samples" in ticks.skip_reason


def test_a_line_that_is_still_being_written_waits(ticks: Ticks) -> None:
    written = line(2)
    append(ticks, b"\xef\xbb\xbf" + line(1) + written[:20])
    assert ticks.tick() == ["1"]
    assert ticks.tick() == []
    append(ticks, written[20:])
    assert ticks.tick() == ["2"]


def test_a_whole_last_record_needs_no_newline(ticks: Ticks) -> None:
    append(ticks, lines(1, 2).rstrip(b"\n"))
    assert ticks.tick() == ["1", "2"]
    assert ticks.tick() == []
    append(ticks, b"\n" + line(3))
    assert ticks.tick() == ["3"]


def test_a_file_that_was_cut_is_read_anew(ticks: Ticks) -> None:
    append(ticks, lines(1, 2, 3))
    ticks.tick()
    ticks.file.write_bytes(lines(1))
    assert ticks.tick() == []
    append(ticks, lines(4))
    assert ticks.tick() == ["4"]


def test_a_file_that_was_replaced_is_read_anew(ticks: Ticks) -> None:
    append(ticks, lines(1, 2, 3))
    ticks.tick()
    other = ticks.file.with_name("other")
    other.write_bytes(lines(7, 2, 3, 8))
    other.replace(ticks.file)
    assert ticks.tick() == ["7", "8"]


def test_lines_put_in_before_the_end_are_found(ticks: Ticks) -> None:
    append(ticks, lines(*range(1, 400)))
    ticks.tick()
    content = ticks.file.read_bytes()
    at = content.index(line(200))
    ticks.file.write_bytes(content[:at] + line(900) + content[at:])
    assert ticks.tick() == ["900"]


def test_a_changed_caption_is_a_new_sample(ticks: Ticks) -> None:
    append(ticks, lines(1, 2))
    ticks.tick()
    ticks.file.write_bytes(ticks.file.read_bytes().replace(b"Caption of 2", b"Another caption of 2"))
    (changed,) = ticks.tick()
    assert changed.startswith("2~")


def test_runs_are_bounded_and_one_at_a_time(ticks: Ticks) -> None:
    append(ticks, lines(*range(MAX_SAMPLES_PER_RUN + 2)))
    assert len(ticks.tick()) == MAX_SAMPLES_PER_RUN
    run = ticks.instance.add_run(
        dg.DagsterRun("a job", tags={"grounding/new_samples": "tested"}, status=dg.DagsterRunStatus.STARTED)
    )
    assert ticks.tick() == []
    assert "still being annotated" in ticks.skip_reason
    ticks.instance.report_run_failed(run)
    assert ticks.tick() == [str(MAX_SAMPLES_PER_RUN), str(MAX_SAMPLES_PER_RUN + 1)]


def test_without_step_0_nothing_is_watched(tmp_path: Path) -> None:
    with fresh_instance() as instance:
        ticks = Ticks(tmp_path, instance, steps="1")
        append(ticks, lines(1))
        assert ticks.tick() == []
        assert "Without step 0" in ticks.skip_reason


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(1, 1200), max_size=8), last_newline=st.booleans())
def test_however_a_file_grows_every_line_is_asked_for_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], last_newline: bool
) -> None:
    content = lines(*range(20))
    content = content if last_newline else content[:-1]
    edges = sorted({0, *(cut for cut in cuts if cut < len(content)), len(content)})
    asked: list[str] = []
    with fresh_instance() as instance:
        ticks = Ticks(tmp_path_factory.mktemp("growing"), instance)
        for start, end in pairwise(edges):
            append(ticks, content[start:end])
            asked += ticks.tick()
    assert asked == [str(number) for number in range(20)]
