"""`auto_label batch list|cancel|collect`, and waiting for jobs in `generate --wait`."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from grounding_assets.cli.terminal import duration, notice
from grounding_assets.cli.words import split_words, switch
from grounding_assets.core.batch.job import Job, Phase, save
from grounding_assets.core.batch.journal import FOLDER, read_jobs
from grounding_assets.core.batch.service import BatchService, Gone, Refused, Unreachable
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.errors import EXIT_OK, SpecError, visible
from grounding_assets.core.shards.layout import refuse_cut
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.vlm.batch.run import only_one
from resources.vlm.resource import build_batch_service


def batch(spec_file: str, overrides: Sequence[str], *, action: str) -> int:
    """Does what the action says; returns the exit code."""
    words, settings = split_words(overrides, ("id", "give_up"))
    gives_up = switch(words, "give_up")
    spec = load_spec(Path(spec_file), settings)
    if action == "collect":
        from grounding_assets.cli.generate import generate

        return generate(spec_file, [*settings, "image_grounding.vlm.batch.submit=false"])
    refuse_cut(spec)
    jobs = read_jobs(spec.results_folder)
    if action == "list":
        _print_list(jobs, spec)
        return EXIT_OK
    wanted = words.get("id", "")
    chosen = [job for job in jobs if job.phase.is_open or job.phase is Phase.COLLECTED]
    chosen = [job for job in chosen if wanted in (job.id, "all")]
    if not chosen:
        raise SpecError("Name a job that is under way: id=ID as `auto_label batch list` shows it, or id=all.")
    with only_one(spec.results_folder / FOLDER):
        for job in chosen:
            print(visible(_cancel(spec, job, gives_up=gives_up)))
    return EXIT_OK


def _cancel(spec: Spec, job: Job, *, gives_up: bool) -> str:
    folder = spec.results_folder / FOLDER / job.id
    if job.phase is Phase.SUBMITTED:
        try:
            with closing(_service(spec, [job])) as service:
                service.cancel(job.job_id)
        except (Gone, Refused, Unreachable) as error:
            if not gives_up:
                return f"{job.id}: {error} Add give_up=true to have its samples asked again; it counts as projected."
        if not gives_up:
            return f"{job.id}: the endpoint was told. What is done by then is paid for: collect it with the next run."
    elif not gives_up:
        return f"{job.id} is {job.phase}: add give_up=true to have its samples asked again; it counts as projected."
    save(folder, job.to(Phase.GIVEN_UP))
    return f"{job.id} is given up: its samples are asked again, and it counts at what was projected."


def _print_list(jobs: Sequence[Job], spec: Spec) -> None:
    price = Prices.of(spec).batch
    print(f"{len(jobs)} batch jobs of {spec.results_dir}{':' if jobs else '.'}")
    for job in jobs:
        taken = Usage(tokens_in=job.tokens_in, tokens_out=job.tokens_out)
        cost = f", at most {money(taken, price):,.2f} {price.currency}" if price else ""
        done = job.figures.get("answered", job.completed)
        state = f"{job.phase}{f' ({job.status})' if job.status not in ('', job.phase) else ''}"
        words = f"{job.id}  {state}: {done:,} of {job.requests:,} requests done, {job.failed:,} failed"
        print(visible(f"{words}, {duration(job.age_s)} old{cost}, {job.model}. {job.problem}".strip()))


def wait_for_jobs(spec: Spec) -> None:
    """Returns once a job under way has ended, telling how far they are meanwhile."""
    begun, rested = time.monotonic(), False
    with closing(_service(spec, read_jobs(spec.results_folder))) as service:
        while True:
            jobs = [job for job in read_jobs(spec.results_folder) if job.phase is Phase.SUBMITTED]
            done = 0
            for job in jobs:
                try:
                    state = service.look(job.job_id)
                except (Gone, Refused, Unreachable) as error:
                    notice(f"Batch {job.id}: {error}")
                    continue
                # what could not be fetched is tried again, but not at once
                if state.ended and (rested or not job.problem):
                    return
                done += state.completed
            asked, waited = sum(job.requests for job in jobs), duration(time.monotonic() - begun)
            notice(f"{len(jobs)} jobs under way: {done:,} of {asked:,} requests done, {waited}")
            if not jobs:
                return
            time.sleep(spec.vlm.batch.look_every)
            rested = True


def _service(spec: Spec, jobs: Sequence[Job]) -> BatchService:
    by_file = any(job.service == "file" for job in jobs)
    return build_batch_service(spec, Credentials.of(spec), by_file=by_file)
