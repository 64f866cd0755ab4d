"""A simulated VLM endpoint: a real HTTP server on loopback in front of a simulated model.

Nothing here is a model. Every response carries `x-simulated-endpoint`, naming the kind and the family.

    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        client = AsyncOpenAI(base_url=endpoint.base_url, api_key=endpoint.key or "EMPTY")

`/_sim/stats`, `/_sim/reset` and `/_sim/faults` steer it from another process. Here: configuration and
lifecycle. Not here: serving a request (`service.py`), wire formats (`*_kind.py`), the model (`model.py`).
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from aiohttp import web

from tests.endpoints.batching import BatchPlan
from tests.endpoints.families import FAMILIES, Family
from tests.endpoints.faults import GEMINI_ONLY, FaultPlan, Faults
from tests.endpoints.frames import Server, untouched
from tests.endpoints.gemini_batching import GeminiBatchRoutes
from tests.endpoints.gemini_kind import GeminiKind
from tests.endpoints.manner import Manner
from tests.endpoints.model import Behaviour, SimulatedModel
from tests.endpoints.openai_batching import OpenAiBatchRoutes
from tests.endpoints.openai_common import OpenAIKind
from tests.endpoints.openai_kinds import CustomKind, LmStudioKind, NimKind, VllmKind
from tests.endpoints.photos import GoldPhoto, PhotoAlbum, coco24_photos
from tests.endpoints.record import ReceivedRequest, Recorder
from tests.endpoints.service import Service
from tests.endpoints.tao_kind import TaoKind
from tests.endpoints.verifying import SimulatedVerifier
from tests.endpoints.wire import roll

KindName = Literal["gemini", "nim", "tao", "vllm", "lmstudio", "custom"]
KINDS: Mapping[str, type[OpenAIKind] | type[GeminiKind]] = {
    kind.name: kind for kind in (GeminiKind, NimKind, TaoKind, VllmKind, LmStudioKind, CustomKind)
}


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the last byte of a request to its reply: fixed, or log-normal where `p95` is given."""

    median: float = 0.0
    p95: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.p95 is not None and not 0 < self.median <= self.p95:
            raise ValueError(f"p95 {self.p95} needs a median above 0 and not above it, not {self.median}")

    def seconds(self, *key: object) -> float:
        """The latency of one request, by its content."""
        if self.p95 is None:
            return self.median
        # Of a log-normal, ln(p95 / median) is sigma times the 95 % quantile of the standard normal.
        sigma_ratio = NormalDist().inv_cdf(0.999998 * roll(self.seed, "latency", *key) + 0.000001)
        return self.median * (self.p95 / self.median) ** (sigma_ratio / NormalDist().inv_cdf(0.95))


class SimulatedEndpoint:
    """One endpoint: a kind, a model of some family behind it, faults, latency, and a record of its requests."""

    def __init__(
        self,
        kind: KindName,
        family: str | Family | None = None,
        *,
        model: str = "",
        key: str = "",
        refuses: Iterable[str] | None = None,
        quirks: Mapping[str, Any] | None = None,
        behaviour: Behaviour | None = None,
        manner: Manner | None = None,
        server: Server = untouched,
        gold: Iterable[GoldPhoto] | None = None,
        faults: Faults | None = None,
        latency: float | Latency = 0.0,
        cheap: bool = False,
        keep_requests: int | None = None,
        keeps_alive: bool = True,
        batch: BatchPlan | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ):
        """`family` defaults to gemini behind gemini and to qwen3_vl elsewhere, `model` and `key` to what the
        family and the kind have of their own; `refuses` and `quirks` go to the kind. With a `manner` the model
        writes boxes in that, whatever it was asked for; `server` is what happens to pictures on their way to it.

        `gold` replaces the corpus's photos. `cheap` neither decodes images, calibration cards apart, nor
        checks the request: every expression gets the box from a quarter to three quarters of a 640x480 image.
        Without `keeps_alive`, each connection serves one request. With `batch` it runs batch jobs as well.
        """
        family = family or ("gemini" if kind == "gemini" else "qwen3_vl")
        self.family = FAMILIES[family] if isinstance(family, str) else family
        self.model = model or self.family.served_as
        self.kind = KINDS[kind](self.model, key, refuses, **(quirks or {}))
        self.key = self.kind.key
        self.latency = latency if isinstance(latency, Latency) else Latency(latency)
        self.cheap = cheap
        behaviour = behaviour or Behaviour()
        if cheap:
            behaviour = Behaviour(constant_box=(0.25, 0.25, 0.75, 0.75), fences=False, seed=behaviour.seed)
        self.server = server
        self.simulated_model = SimulatedModel(self.family, behaviour, manner, server)
        self.album = PhotoAlbum(() if cheap else coco24_photos() if gold is None else gold)
        self.verifier = None if cheap else SimulatedVerifier(self.album, behaviour)
        self.recorder = Recorder(keep_requests)
        self.plan = FaultPlan(self._checked(faults or Faults()))
        self.keeps_alive = keeps_alive
        self.batch = self._batch_routes(batch) if batch else None
        self.host, self.port = host, port
        self._runner: web.AppRunner | None = None

    @property
    def faults(self) -> Faults:
        """The faults in force; assign others while it runs."""
        return self.plan.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.plan.use(self._checked(faults))

    @property
    def url(self) -> str:
        """Scheme, host and port; the port is known once it runs."""
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a client of this kind is configured with."""
        return self.url + self.kind.base_path

    @property
    def connections(self) -> int:
        """How many clients are connected, as far as they have been accepted."""
        served = self._runner.server if self._runner is not None else None
        return len(served.connections) if served is not None else 0

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Requests for a generation so far, in the order of completion."""
        return self.recorder.requests

    @property
    def description(self) -> str:
        return f"{self.kind.name}; family={self.family.name}; model={self.model}; not a real model"

    async def serve(self, listening: Callable[[], object], stop: asyncio.Event) -> None:
        """Serves until `stop` is set or the task is cancelled; `port` is final when it calls `listening`."""
        runner = web.AppRunner(
            Service(self).application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        await runner.setup()
        self._runner = runner
        try:
            site = web.TCPSite(runner, self.host, self.port, backlog=1024)
            await site.start()
            self.port = runner.addresses[0][1]
            if self.batch is not None:
                self.batch.start(self.url)
            listening()
            await stop.wait()
        finally:
            await runner.cleanup()

    def _batch_routes(self, plan: BatchPlan) -> OpenAiBatchRoutes | GeminiBatchRoutes:
        if self.kind.name == "gemini":
            return GeminiBatchRoutes(plan, self.key, self.model)
        return OpenAiBatchRoutes(plan, self.key)

    def _checked(self, faults: Faults) -> Faults:
        named = {rule.fault for rule in faults.rules} | {faults.limit_fault}
        if self.kind.name != "gemini" and named & GEMINI_ONLY:
            raise ValueError(f"only gemini has the faults {sorted(named & GEMINI_ONLY)}")
        return faults


@contextmanager
def running(endpoint: SimulatedEndpoint) -> Iterator[SimulatedEndpoint]:
    """Serves the endpoint on a thread of its own, with its own event loop, until the block is left.

    Requests that are being served then, hanging ones too, are cut off. Raises what starting raised.
    """
    started = threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        handles.append((asyncio.get_running_loop(), stop))
        await endpoint.serve(started.set, stop)

    with ThreadPoolExecutor(1, thread_name_prefix=f"simulated {endpoint.kind.name}") as thread:
        served = thread.submit(lambda: asyncio.run(serve()))
        served.add_done_callback(lambda _: started.set())
        started.wait()
        try:
            if not served.done():
                yield endpoint
        finally:
            if not served.done():
                loop, stop = handles[0]
                loop.call_soon_threadsafe(stop.set)
            served.result(timeout=10)
