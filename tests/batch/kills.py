"""A batch life under kill -9. `python -m tests.batch.kills 30` kills as often, and prints what came of it."""

import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.budget.call_file import read_ledger
from tests.batch.runs import jobs_ended
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.batching import BatchPlan
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate, generating

ON = ("image_grounding.vlm.batch.mode=on", "image_grounding.vlm.batch.max_requests=9")
_MOST_EVENTS, _LONGEST_WAIT_S = 14, 0.15
_MOST_RUNS = 12


@dataclass
class Life:
    """What a batch life came to."""

    samples: int
    lines: int
    materialized: tuple[int, int]
    """Of step 0 and step 1, as Dagster shows them."""
    paid_most: int
    """Times that the most often run request was run."""
    jobs: int
    jobs_of_one_id: int
    """Most jobs at the endpoint with one id of ours."""
    lost: int
    """Calls that the account counts at what was projected."""
    counted: int
    run: int
    """Requests that the endpoint ran."""
    kills: int


def live(folder: Path, kills: int, samples: int, seed: int = 0) -> Life:
    """Kills run after run, each at a random request or shortly after it, then lets the set come to its end."""
    rng = random.Random(seed)
    with running(SimulatedEndpoint("vllm", batch=BatchPlan(delay_s=0.05))) as endpoint:
        assert endpoint.batch is not None
        batches = endpoint.batch.batches
        settings = endpoint_settings(endpoint)[:-1] + ', "measure": false}'
        project = make_project(folder, settings)
        project.write_input(coco24_rows(samples))
        killed = 0
        while killed < kills:
            with generating(project, *ON) as run:
                events = endpoint.recorder.by_path.total() + rng.randint(0, _MOST_EVENTS)
                run.until_or_end(lambda at=events: endpoint.recorder.by_path.total() >= at)
                at = time.monotonic() + _LONGEST_WAIT_S * rng.random()
                run.until_or_end(lambda at=at: time.monotonic() >= at)
                run.kill()
                killed += 1
            if rng.random() < 0.5:
                jobs_ended(endpoint)
        for _ in range(_MOST_RUNS):
            jobs_ended(endpoint)
            if generate(project, *ON).code == 0:
                break
        marks = [job.mark["grounding_batch"] for job in batches.jobs.values()]
        spent = read_ledger(project.results, has_verifier=False).spent().batch
        return Life(
            samples=samples,
            lines=len(project.lines()),
            materialized=(
                project.status("expressions")["materialized"],
                project.status("groundings")["materialized"],
            ),
            paid_most=max(batches.run.values()),
            jobs=len(marks),
            jobs_of_one_id=max(map(marks.count, marks)),
            lost=spent.projected,
            counted=spent.calls,
            run=sum(batches.run.values()),
            kills=killed,
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(live(Path(folder), int(sys.argv[1]), 40, seed=int(sys.argv[2]) if len(sys.argv) > 2 else 0))
