"""What may befall an endpoint in a night, while a run is under way; what the run says, and what must be true at its end.

Each trouble lasts until the run has noticed it, and `hold_s` longer.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import HOST, Ended, Run, generating
from tests.endurance.soak import Records, about_samples, results_of

WORKERS = 8
SECONDS_TO_NOTICE = 300.0


@dataclass
class Night:
    """One run under way, and the story of it."""

    project: Project
    run: Run
    pictures: Pictures
    endpoints: list[SimulatedEndpoint]
    """The one that is there at first, and those that come after it."""
    story: list[str] = field(default_factory=list)
    _told: int = 0

    def happens(self, what: str) -> None:
        """What the run has said so far, then this."""
        self._listen()
        self.story.append(f"[{time.strftime('%H:%M:%S')}] {what}")

    def until_said(self, words: str) -> None:
        self.run.until(lambda: words in self.run.stderr, f"'{words}'")

    def ends(self) -> Ended:
        ended = self.run.ended(SECONDS_TO_NOTICE)
        self._listen()
        self.story.append(ended.stdout.strip())
        return ended

    @property
    def asked(self) -> int:
        """Requests about samples that reached an endpoint and were not answered by a fault."""
        sent = (request for endpoint in self.endpoints for request in endpoint.requests)
        return sum(not request.fault for request in about_samples(sent))

    @property
    def refused(self) -> int:
        sent = (request for endpoint in self.endpoints for request in endpoint.requests)
        return sum(bool(request.fault) for request in about_samples(sent))

    def _listen(self) -> None:
        said = self.run.stderr
        self.story += said[self._told :].splitlines()
        self._told = len(said)


Trouble = Callable[[Night, ExitStack, float], None]


def outage(night: Night, stack: ExitStack, hold_s: float) -> None:
    """The server's process ends: connections break, new ones are refused."""
    stack.pop_all().close()
    night.happens("The server is gone.")
    night.until_said("Paused at")
    time.sleep(hold_s)
    again = _endpoint(night.pictures, port=night.endpoints[0].port)
    night.happens("The server is back.")
    night.endpoints.append(stack.enter_context(running(again)))


def no_names(night: Night, stack: ExitStack, hold_s: float) -> None:
    """No host name is resolved any more."""
    names = night.project.folder / "names"
    names.unlink()
    night.happens("Names are resolved no more.")
    night.until_said("Paused at")
    assert "No such host" in night.run.stderr
    time.sleep(hold_s)
    night.happens("Names are resolved again.")
    names.touch()


def sleep(night: Night, stack: ExitStack, hold_s: float) -> None:
    """The machine of the run sleeps for longer than a call may take."""
    night.happens("The machine goes to sleep.")
    night.run.send(signal.SIGSTOP)
    time.sleep(hold_s + 3 * TIMEOUT_S)
    night.happens("The machine wakes up.")
    night.run.send(signal.SIGCONT)


def rate_limit_wave(night: Night, stack: ExitStack, hold_s: float) -> None:
    """All requests are told to come back in two seconds."""
    endpoint = night.endpoints[0]
    night.happens("Every request is told to come later.")
    endpoint.faults = Faults((Rule(Fault.RATE_LIMITED_SECONDS),), retry_after=2.0)
    night.run.until(lambda: endpoint.recorder.by_fault["rate_limited_seconds"] >= WORKERS, "429s")
    time.sleep(hold_s)
    night.happens("The rate limit lets requests through.")
    endpoint.faults = Faults()


def quota(night: Night, stack: ExitStack, hold_s: float) -> None:
    """The account has used up what it paid for."""
    night.happens("The quota is used up.")
    night.endpoints[0].faults = Faults((Rule(Fault.QUOTA_EXHAUSTED),))


TIMEOUT_S = 3.0
PASSING: Mapping[str, Trouble] = {
    "outage": outage,
    "names": no_names,
    "sleep": sleep,
    "rate limit": rate_limit_wave,
}


def passes(folder: Path, pictures: Pictures, calm: Records, trouble: Trouble, *, hold_s: float) -> list[str]:
    """A run through a trouble that passes; its story. All must be done, and next to nothing asked twice."""
    with _night(folder, pictures) as (night, stack):
        trouble(night, stack, hold_s)
        ended = night.ends()
    assert ended.code == 0, ended.output
    assert results_of(night.project) == calm
    assert not night.project.lines("failures.jsonl")
    # what was in flight when the trouble came is asked again
    assert night.asked <= 2 * len(calm) + WORKERS
    said = "\n".join(night.story)
    assert said.count("Paused at") == said.count("Going on at") <= 1, said
    return night.story


def stops(folder: Path, pictures: Pictures, calm: Records) -> list[str]:
    """A run whose quota is used up, and the next one after it was raised; the story."""
    with _night(folder, pictures) as (night, stack):
        quota(night, stack, 0)
        ended = night.ends()
        assert ended.code == 1, ended.output
        assert night.refused <= WORKERS, "no more than were in flight"
        last = ended.stderr.splitlines()[-1]
        assert "serves this account no longer (429)" in last and "check your plan" in last
        done = results_of(night.project)
        assert 0 < len(done) < len(calm) and done.items() <= calm.items(), "the files hold what is there"
        assert not night.project.lines("failures.jsonl")
        night.happens("The quota is raised, and the same command run again.")
        night.endpoints[0].faults = Faults()
        with _generating(night.project) as again:
            following = Night(night.project, again, pictures, night.endpoints)
            assert following.ends().code == 0
        assert results_of(night.project) == calm
        assert night.asked == 2 * len(calm), "nothing was asked twice"
    return night.story + following.story


@contextmanager
def _night(folder: Path, pictures: Pictures) -> Iterator[tuple[Night, ExitStack]]:
    """A run in the middle of its work; the stack holds the endpoint."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(running(_endpoint(pictures)))
        settings: dict[str, Any] = json.loads(endpoint_settings(endpoint))
        settings["openai"] |= {"base_url": endpoint.base_url.replace("127.0.0.1", HOST), "timeout": TIMEOUT_S}
        project = make_project(folder, json.dumps(settings), image_root=pictures.folder)
        project.write_input(pictures.rows)
        (folder / "names").touch()
        with _generating(project) as run:
            night = Night(project, run, pictures, [endpoint])
            run.until(
                lambda: len(about_samples(endpoint.requests)) >= len(pictures.rows) // 2, "some replies"
            )
            yield night, stack


def _endpoint(pictures: Pictures, port: int = 0) -> SimulatedEndpoint:
    return SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.2, keeps_alive=False, port=port)


def _generating(project: Project) -> Run:
    workers = f"image_grounding.workflow.max_workers={WORKERS}"
    return generating(project, workers, names=project.folder / "names")
