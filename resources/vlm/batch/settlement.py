"""What a job took, counted once: bookings are named by the job and the line, so any process can settle them."""

from grounding_assets.core.batch.job import Job
from grounding_assets.core.batch.journal import Journal, keys_of
from grounding_assets.core.batch.results import index_lines, read_line
from grounding_assets.core.budget.call_file import FileAccount
from grounding_assets.core.budget.cost import Usage
from resources.vlm.client import EndpointClient


def settle_unsent(account: FileAccount, journal: Journal) -> None:
    """Nothing is owed for jobs that were never submitted."""
    for job_id in list(journal.never_submitted):
        for booking in sorted(account.open_of(job_id)):
            account.settle(booking, Usage())
        journal.clear_away(job_id)


def settle_job(account: FileAccount, client: EndpointClient, journal: Journal, job: Job) -> None:
    """Counts what each request of a job took by its result line, if that is not counted yet.

    One that was never run took nothing; one that was run and has no line keeps what was projected.
    """
    open_ = account.open_of(job.id)
    folder = journal.folder_of(job)
    keys = [key for key, _, _ in keys_of(folder)]
    found, _ = index_lines(folder, job.service, set(keys))
    for number, key in enumerate(keys):
        booking = f"{job.id}:{number}"
        if booking not in open_:
            continue
        place = found.get(key)
        if place.never_run if place else not job.ran_to_the_end:
            account.settle(booking, Usage())
        elif place is not None:
            reply = client.counted(read_line(place).body) if place.succeeded else None
            account.settle(booking, open_[booking].taken(reply))
