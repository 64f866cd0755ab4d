"""What a job took, counted once: bookings are named by the job and the line, so any process can settle them."""

from grounding_assets.core.batch.job import ERRORS, OUTPUT, Job
from grounding_assets.core.batch.journal import Journal, keys_of
from grounding_assets.core.batch.results import LinePlace, index_lines, read_line
from grounding_assets.core.budget.account import BatchAccount
from grounding_assets.core.budget.cost import Usage
from resources.vlm.client import EndpointClient


def settle_unsent(account: BatchAccount, journal: Journal) -> None:
    """Nothing is owed for jobs that were never submitted."""
    for job_id in list(journal.never_submitted):
        for booking in sorted(account.open_of(job_id)):
            account.settle(booking, Usage())
        journal.clear_away(job_id)


def settle_job(account: BatchAccount, client: EndpointClient, journal: Journal, job: Job) -> None:
    """Counts what each request of a job took by its result line, if that is not counted yet.

    One that was never run took nothing; one that was run and has no line keeps what was projected.
    """
    open_ = account.open_of(job.id)
    folder = journal.folder_of(job)
    keys = [key for key, _, _ in keys_of(folder)]
    found: dict[str, LinePlace] = {}
    for name in (OUTPUT, ERRORS):
        index_lines(folder / name, job.service, dict.fromkeys(keys), found)
    for number, key in enumerate(keys):
        booking = f"{job.id}:{number}"
        if booking not in open_:
            continue
        place = found.get(key)
        if place is None:
            if not job.ran_to_the_end:
                account.settle(booking, Usage())
            continue
        account.settle(booking, _usage(client, job, place))


def _usage(client: EndpointClient, job: Job, place: LinePlace) -> Usage:
    if place.never_run:
        return Usage()
    line = read_line(place, job.service)
    reply = client.counted(line.body) if place.succeeded else None
    if reply is None:
        return Usage(calls=1)
    return Usage(
        1, reply.tokens_in, reply.tokens_out, reply.tokens_cached, projected=0 if reply.counted else 1
    )
