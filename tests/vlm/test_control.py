"""Another model behind the same name, and a cache that goes by the text: noticed, whenever it begins."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.boxes.calibration import CardReply, judge
from grounding_assets.core.boxes.cards import control_card
from grounding_assets.core.errors import BoxesInDoubt, RunStopped
from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.vlm.control import BoxControl
from resources.vlm.doctor import examine
from resources.vlm.measurements import Measurements
from resources.vlm.resource import build_teacher, endpoint_of, make_sure_of_boxes
from resources.vlm.session import controlled, work_with_teacher
from resources.vlm.teacher import VlmTeacher
from tests.endpoints.gateway import caching_gateway, switching_gateway
from tests.endpoints.model import Behaviour
from tests.endpoints.server import SimulatedEndpoint, running

GRID, PIXELS = "qwen3_vl", "qwen2_5_vl"


def spec_of(url: str, results: Path, model: str = "prod") -> Any:
    openai = {"base_url": url, "model_name": model}
    return validate_spec(
        {
            "results_dir": str(results),
            "image_grounding": {"vlm": {"backend": "openai", "openai": openai}},
        },
        where="the test",
    )


def session(url: str, results: Path, work: Callable[[VlmTeacher], Any], model: str = "prod") -> list[str]:
    """One session with the endpoint; returns what was said."""
    said: list[str] = []
    spec = spec_of(url, results, model)
    asyncio.run(
        work_with_teacher(spec, Credentials.of(spec, {}), results, work, said.append, said.append)  # type: ignore[arg-type]
    )
    return said


async def asks_once(teacher: VlmTeacher) -> None:
    teacher.results_with_boxes += 1


async def asks_nothing(teacher: VlmTeacher) -> None: ...


def age(results: Path, seconds: float) -> None:
    """As if the last confirmation were so long ago."""
    file = results / "endpoint.json"
    rows = json.loads(file.read_bytes())
    for row in rows.values():
        row["confirmed_ns"] = time.time_ns() - round(seconds * 1e9)
    file.write_text(json.dumps(rows))


def test_a_model_that_stays_is_asked_about_one_more_card(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", GRID, model="prod")) as endpoint:
        for asked, work in ((1, asks_once), (0, asks_nothing), (1, asks_once)):
            before = len(endpoint.requests)
            session(endpoint.base_url, tmp_path, work)
            measured = 2 if before == 0 else 0
            assert len(endpoint.requests) - before == asked + measured
        age(tmp_path, 3600)
        before = len(endpoint.requests)
        session(endpoint.base_url, tmp_path, asks_nothing)
        assert len(endpoint.requests) - before == 1
        pictures = {request.image_sha256 for request in endpoint.requests}
        assert len(pictures) == len(endpoint.requests), "no card is shown twice"


@pytest.mark.parametrize(("first", "then"), [(GRID, PIXELS), (PIXELS, GRID), (GRID, "gemini")])
@pytest.mark.parametrize("when", ["while it works", "before a later run"])
def test_another_model_behind_the_name_stops_the_run(
    tmp_path: Path, first: str, then: str, when: str
) -> None:
    with (
        running(SimulatedEndpoint("vllm", first, model="prod")) as one,
        running(SimulatedEndpoint("vllm", then, model="prod")) as other,
    ):
        serving = [one]

        async def works(teacher: VlmTeacher) -> None:
            serving[0] = other
            await asks_once(teacher)

        with switching_gateway(lambda body, number: serving[0]) as url:
            begun = time.time_ns()
            if when == "before a later run":
                session(url, tmp_path, asks_once)
                age(tmp_path, 3600)
                begun, serving[0] = 0, other
            with pytest.raises(BoxesInDoubt, match="prod no longer answers as it was measured") as doubt:
                session(url, tmp_path, works)
            assert begun <= doubt.value.right_until_ns <= time.time_ns()


@pytest.mark.parametrize(
    ("model", "family", "outcome"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", GRID, "a cache that goes by the text alone answers"),
        ("prod", GRID, "a cache that goes by the text alone answers"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", PIXELS, "no longer answers as it was measured"),
    ],
)
def test_a_cache_that_ignores_pictures_stops_the_run(
    tmp_path: Path, model: str, family: str, outcome: str
) -> None:
    with (
        running(SimulatedEndpoint("vllm", family, model=model)) as endpoint,
        caching_gateway(endpoint) as url,
        pytest.raises(RunStopped, match=outcome),
    ):
        session(url, tmp_path, asks_once, model)


async def _confirmed(spec: Any, results: Path, times: int) -> int:
    """How many of so many controls found the boxes right."""
    teacher, measurements = build_teacher(spec, Credentials.of(spec, {})), Measurements(results)
    assert isinstance(teacher, VlmTeacher)
    right = 0
    try:
        await make_sure_of_boxes(spec, teacher, measurements)
        measured = measurements.find(*endpoint_of(spec))
        assert measured is not None
        control = BoxControl(teacher, measurements, measured, results, chance=random.Random(5))
        for _ in range(times):
            try:
                await control.confirm()
            except BoxesInDoubt:
                continue
            right += 1
    finally:
        await teacher.aclose()
    return right


def test_one_of_two_copies_that_is_another_model_is_noticed_sooner_or_later(tmp_path: Path) -> None:
    chance = random.Random(3)
    with (
        running(SimulatedEndpoint("vllm", GRID, model="prod")) as one,
        running(SimulatedEndpoint("vllm", PIXELS, model="prod")) as other,
        switching_gateway(lambda body, number: one if number < 2 else chance.choice((one, other))) as url,
    ):
        assert asyncio.run(_confirmed(spec_of(url, tmp_path), tmp_path, 10)) <= 7


@pytest.mark.parametrize("behaviour", [Behaviour(noise=0.02), Behaviour(noise=0.01, drop=0.25)])
@pytest.mark.parametrize("family", [GRID, PIXELS])
def test_a_model_that_is_a_little_off_is_not_suspected(
    tmp_path: Path, family: str, behaviour: Behaviour
) -> None:
    with running(SimulatedEndpoint("vllm", family, model="prod", behaviour=behaviour)) as endpoint:
        assert asyncio.run(_confirmed(spec_of(endpoint.base_url, tmp_path), tmp_path, 10)) == 10


def test_the_watch_stops_the_teacher(tmp_path: Path) -> None:
    async def watched(spec: Any) -> str:
        teacher, measurements = build_teacher(spec, Credentials.of(spec, {})), Measurements(tmp_path)
        assert isinstance(teacher, VlmTeacher)
        try:
            await make_sure_of_boxes(spec, teacher, measurements)
            measured = measurements.find(*endpoint_of(spec))
            assert measured is not None
            control = BoxControl(teacher, measurements, measured, tmp_path, every_s=0.01)
            await asks_once(teacher)
            serving[0] = other
            with pytest.raises(BoxesInDoubt):
                await control.watch()
            with pytest.raises(BoxesInDoubt) as stop:
                await make_sure_of_boxes(spec, teacher, Measurements(tmp_path / "anew"))
            return str(stop.value)
        finally:
            await teacher.aclose()

    with (
        running(SimulatedEndpoint("vllm", GRID, model="prod")) as one,
        running(SimulatedEndpoint("vllm", PIXELS, model="prod")) as other,
    ):
        serving = [one]
        with switching_gateway(lambda body, number: serving[0]) as url:
            assert "xyxy_px_sent" in asyncio.run(watched(spec_of(url, tmp_path)))


async def _ends_after_the_doubt(spec: Any, results: Path, switch: Callable[[], None]) -> None:
    teacher, measurements = build_teacher(spec, Credentials.of(spec, {})), Measurements(results)
    assert isinstance(teacher, VlmTeacher)

    async def works() -> None:
        """The last replies are in when the doubt comes: nobody asks the stopped teacher again."""
        await asks_once(teacher)
        switch()
        while not (found := measurements.find(*endpoint_of(spec))) or not found.doubts:
            await asyncio.sleep(0.005)

    try:
        await make_sure_of_boxes(spec, teacher, measurements)
        measured = measurements.find(*endpoint_of(spec))
        assert measured is not None
        control = BoxControl(teacher, measurements, measured, results, every_s=0.01)
        await controlled(control, works, lambda text: None, confirms=False)
    finally:
        await teacher.aclose()


def test_a_doubt_that_comes_with_the_last_replies_is_heard(tmp_path: Path) -> None:
    with (
        running(SimulatedEndpoint("vllm", GRID, model="prod")) as one,
        running(SimulatedEndpoint("vllm", PIXELS, model="prod")) as other,
    ):
        serving = [one, other]
        with switching_gateway(lambda body, number: serving[0]) as url, pytest.raises(BoxesInDoubt):
            asyncio.run(_ends_after_the_doubt(spec_of(url, tmp_path), tmp_path, serving.reverse))


def test_a_new_measurement_that_contradicts_the_one_before_leaves_a_doubt(tmp_path: Path) -> None:
    with (
        running(SimulatedEndpoint("vllm", GRID, model="prod")) as one,
        running(SimulatedEndpoint("vllm", PIXELS, model="prod")) as other,
    ):
        serving, found = [one], []
        with switching_gateway(lambda body, number: serving[0]) as url:
            spec = spec_of(url, tmp_path)
            for serving[0] in (one, one, other, one):
                examination = asyncio.run(examine(spec, Credentials.of(spec, {})))
                assert examination.measurement is not None
                Measurements(tmp_path).keep(examination.measurement)
                kept = Measurements(tmp_path).find(*endpoint_of(spec))
                assert kept is not None
                found.append(kept)
    times = [measured.confirmed_ns for measured in found]
    assert [len(measured.doubts) for measured in found] == [0, 0, 1, 2]
    assert [tuple(one) for one in found[-1].doubts] == [(times[1], times[2]), (times[2], times[3])]


@pytest.mark.parametrize("size", [(1428, 700), (924, 1036)])
def test_boxes_of_one_control_card_are_seldom_right_for_the_next(size: tuple[int, int]) -> None:
    chance = random.Random(1)
    right = 0
    for _ in range(40):
        shown, asked = control_card(size, chance), control_card(size, chance)
        boxes = tuple((tuple(map(float, shape.box)),) for shape in shown.shapes)
        finding = judge([CardReply(asked, boxes)], "xyxy_px_sent")  # type: ignore[arg-type]
        right += finding.convention == "xyxy_px_sent" and finding.size_is_kept
    assert right <= 3
