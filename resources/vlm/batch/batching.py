"""A run by batch: what is under way is looked after first, then samples are annotated from the answers that are there,
and what they ask beyond those goes into new jobs.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from grounding_assets.core import prompts
from grounding_assets.core.annotation.asking import Asker
from grounding_assets.core.annotation.calls import ModelRequest
from grounding_assets.core.annotation.listener import Listener
from grounding_assets.core.batch.job import Job, Phase
from grounding_assets.core.batch.journal import Journal
from grounding_assets.core.batch.request_file import RequestFile
from grounding_assets.core.batch.service import BatchService
from grounding_assets.core.budget.account import OF_BATCH, Intent
from grounding_assets.core.budget.call_file import FileAccount
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.usual_tokens import usual_tokens_out
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import RunStopped, SampleFailure
from grounding_assets.core.files import to_json
from grounding_assets.core.spec.model_settings import BatchSpec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from resources.vlm.batch.cards import CARDS
from resources.vlm.batch.settlement import settle_job, settle_unsent
from resources.vlm.batch.submission import Submission
from resources.vlm.client import EndpointClient
from resources.vlm.teacher import VlmTeacher


class Batching:
    """The jobs of one run. Create it by `batching`."""

    def __init__(
        self,
        settings: BatchSpec,
        journal: Journal,
        service: BatchService,
        client: EndpointClient,
        account: FileAccount,
        teacher: VlmTeacher,
        notice: Callable[[str], None],
        prices: Prices,
    ):
        self._prices = prices
        self._settings, self._journal, self._service = settings, journal, service
        self._client, self._account, self._notice = client, account, notice
        self._submission = Submission(service, journal, notice)
        self._made_with = made_with(teacher, client, service)
        self._identity = teacher.identity
        self._max_requests = min(service.max_requests, settings.max_requests)
        self._max_bytes = min(service.max_bytes, settings.max_megabytes * 1_000_000)
        self._building: RequestFile | None = None
        self._workspace: Workspace | None = None
        self._usual_out: dict[Step, int] = {}
        """Tokens that a reply is booked at."""
        self._adding = asyncio.Lock()
        self.is_full = not settings.submit
        """Whether nothing more is submitted, since the quota of waiting tokens is used up: the rest is held back."""
        self.submitted: list[Job] = []
        """By this run."""
        self.boxes_are_known = True
        """False while calibration cards wait in a job: no sample is asked about before."""
        self._behind_cards: set[str] = set()

    # -- before the first sample ---------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Goes on with every job where an earlier process left it, and collects those that have ended.

        Raises:
            RunStopped: a job was made with other settings, or cannot be submitted for now.
        """
        self._journal.refresh()
        settle_unsent(self._account, self._journal)
        for job in self._journal.jobs.values():
            self._check_settings(job)
        for job in self._journal.open:
            if job.phase is not Phase.SUBMITTED:
                job = await self._submission.submit(job)
            await self._collect(await self._submission.look(job))

    async def _collect(self, job: Job) -> None:
        if job.phase is Phase.COLLECTED:
            await asyncio.to_thread(settle_job, self._account, self._client, self._journal, job)
            self._journal.collected(job)
            self._notice(self._collected_words(self._journal.jobs[job.id]))
            if job.fits_later:
                self.is_full = True
            elif job.problem:
                raise RunStopped(
                    f"Batch {job.id} failed as a whole, and nothing is owed for it: {job.problem} Run again to submit it once more."
                )
        elif job.problem:
            self._notice(
                f"The state of batch {job.id} is not known: {job.problem} Its samples wait; `auto_label batch cancel id={job.id}` "
                "gives it up, and they are asked again."
            )

    def _collected_words(self, job: Job) -> str:
        figures = job.figures
        words = f"Batch {job.id} is {job.status}: {figures['answered']:,} of {job.requests:,} requests are answered"
        odd = {
            "twice": "lines came twice",
            "foreign": "lines belong to no request of it",
            "unreadable": "are unreadable",
        }
        words += "".join(f", {figures[name]:,} {text}" for name, text in odd.items() if figures[name])
        return f"{words}. {job.problem}".strip()

    def _check_settings(self, job: Job) -> None:
        if job.phase in (Phase.FINISHED, Phase.GIVEN_UP) or job.made_with == self._made_with:
            return
        raise RunStopped(
            f"Batch {job.id} ({job.requests:,} requests to {job.model}) was made with other settings than this run's: run with "
            f"those to collect it, or give it up by `auto_label batch cancel id={job.id}`."
        )

    def heard_by(self, listener: Listener) -> Listener:
        """The same listener; an answer is used up once what became of it is on disk."""
        return _UsingUp(listener, self._journal)

    def ordered(self, pending: Sequence[PendingSample], workspace: Workspace) -> Iterator[PendingSample]:
        """Those with answers first; without those that wait for a job, and no more once no job has room."""
        self._workspace = workspace
        most = int(self._identity["max_tokens"])
        # before the first result of this run is stored
        self._usual_out = {
            step: usual_tokens_out(workspace, step, most) for step in (Step.EXTRACTION, Step.GROUNDING)
        }
        for sample_id, step in self._journal.waiting():
            if sample_id == CARDS:
                continue
            known = sample_id in workspace.samples.entries
            if not known or not workspace.needs(sample_id, Step(step)):
                self._journal.used(sample_id, step)
        if not self.boxes_are_known:
            self._behind_cards = {one.sample_id for one in pending}
            return
        held = self._journal.held()
        answered = {sample_id for sample_id, _ in self._journal.waiting()}
        free = [one for one in pending if one.sample_id not in held]
        yield from (one for one in free if one.sample_id in answered)
        for one in free:
            if self.is_full:
                return
            if one.sample_id not in answered:
                yield one

    # -- while samples are annotated -----------------------------------------------------------------

    async def put(self, key: str, asker: Asker, request: ModelRequest) -> None:
        """Into the job under construction, or the next one.

        Raises:
            BudgetReached: a cap has no room for it.
            RunStopped: it cannot be written, or a job not be submitted.
        """
        async with self._adding:
            if self.is_full:
                return
            parts = [self._service.line_start(key), *self._client.encoded(request), b"}\n"]
            size, intent = sum(map(len, parts)), self._intent(asker.step, request)
            if not self._has_quota_for(intent):
                self.is_full = True
                return
            if self._building is None or not self._building.has_room_for(size):
                await self.submit()
                self._building = RequestFile(self._journal.folder, self._max_requests, self._max_bytes)
            building = self._building
            building.has_room_for(size)
            await self._account.book_as(f"{building.id}:{building.requests}", intent)
            building.add(key, asker, parts, intent.tokens_in, intent.tokens_out)

    def _has_quota_for(self, intent: Intent) -> bool:
        limit = self._settings.max_enqueued_tokens
        waiting = sum(job.tokens_in for job in self._journal.open)
        waiting += self._building.tokens_in if self._building else 0
        return not limit or not waiting or waiting + intent.tokens_in <= limit

    def _intent(self, step: Step, request: ModelRequest) -> Intent:
        tokens_out = min(request.max_tokens, self._usual_out.get(step, request.max_tokens))
        return Intent(Intent.of(request).tokens_in, tokens_out, OF_BATCH)

    async def submit(self) -> None:
        """What is under construction. Raises RunStopped."""
        building, self._building = self._building, None
        if building is None or not building.requests:
            return
        if self._workspace is not None:
            # an order to redo is what the answers will be for: the runs that read them must know of it
            await asyncio.to_thread(self._workspace.redo.write_down)
        await asyncio.to_thread(building.seal)
        identity = self._identity
        job = Job(
            id=building.id,
            phase=Phase.PREPARED,
            service=self._service.name,
            made_with=self._made_with,
            model=str(identity["model"]),
            base_url=self._client.models_url,
            requests=building.requests,
            bytes=building.bytes,
            tokens_in=building.tokens_in,
            tokens_out=building.tokens_out,
            prepared_at=time.time(),
        )
        self._journal.note(job)
        self.submitted.append(await self._submission.submit(job))

    def discard(self) -> None:
        """Drops what is under construction: nothing of it was submitted."""
        if self._building is not None:
            building, self._building = self._building, None
            building.close()
            self._journal.never_submitted.append(building.id)
        settle_unsent(self._account, self._journal)

    @property
    def waiting(self) -> set[str]:
        """Samples whose requests are in jobs under way; all of them while calibration cards are."""
        held = self._journal.held()
        return held - {CARDS} | self._behind_cards if CARDS in held else held

    def words(self) -> str:
        """On what was submitted, what it will cost at most, and when to look again."""
        open_, new = self._journal.open, self.submitted
        if not open_:
            return ""
        words = f"{sum(job.requests for job in open_):,} requests are under way in {len(open_)} jobs"
        if new:
            taken = Usage(
                tokens_in=sum(job.tokens_in for job in new), tokens_out=sum(job.tokens_out for job in new)
            )
            price = self._prices.batch
            cost = f", which should cost at most {money(taken, price):,.2f} {price.currency}" if price else ""
            words = f"{sum(job.requests for job in new):,} requests were submitted in {len(new)} jobs{cost}; {words}"
        words += "; the rest is held back for the quota" if self.is_full and self._settings.submit else ""
        words += "" if self.boxes_are_known else ": calibration cards, before the first sample is asked about"
        if self._service.name == "file":
            folder = self._journal.folder / "<id>"
            return (
                f"{words}. For each of {', '.join(job.id for job in open_)}: vllm run-batch -i {folder}/requests.jsonl "
                f"-o {folder}/results.jsonl --model {open_[0].model}; then run again."
            )
        return f"{words}. Results are due within a day: run again then, or now with --wait."


class _UsingUp:
    """See `core.annotation.listener.Listener`."""

    def __init__(self, listener: Listener, journal: Journal):
        self._listener, self._journal = listener, journal
        self.started, self.finished, self.waiting = listener.started, listener.finished, listener.waiting

    def done(self, checkpoint: Checkpoint, step: Step) -> None:
        self._listener.done(checkpoint, step)
        self._journal.used(checkpoint.sample_id, step)

    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None:
        self._listener.failed(sample_id, step, failure)
        self._journal.used(sample_id, step)


def made_with(teacher: VlmTeacher, client: EndpointClient, service: BatchService) -> str:
    """Digest of all that decides what a request holds and how its reply is read."""
    family = teacher.family
    settings = [
        service.name,
        client.models_url,
        dict(teacher.identity),
        [prompts.version(name) for step in (Step.EXTRACTION, Step.GROUNDING) for name in step.prompts],
        [
            family.name,
            family.convention,
            sorted(
                f"{name} {value}"
                for name, value in asdict(family.image).items()
                if not isinstance(value, frozenset)
            ),
        ],
    ]
    return hashlib.sha256(to_json(settings)).hexdigest()[:16]
