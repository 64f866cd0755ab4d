"""`batch_results`: looks at the batch jobs under way, and has a run collect those that have ended."""

from contextlib import closing

import dagster as dg

from grounding_assets.core.batch.job import Phase
from grounding_assets.core.batch.journal import read_jobs
from grounding_assets.core.batch.service import Gone, Refused, Unreachable
from grounding_assets.partitions import DataSetKeys
from grounding_assets.sensors import UNFINISHED

_RUN_TAG = "grounding/batch_results"


def build_batch_results(keys: DataSetKeys, look_every_s: float) -> dg.SensorDefinition:
    @dg.sensor(
        name=keys.own("batch_results"),
        job_name=keys.own("annotate_pending"),
        minimum_interval_seconds=round(look_every_s),
        default_status=dg.DefaultSensorStatus.STOPPED,
        required_resource_keys={keys.resource},
        description="Looks at the batch jobs under way. Once one has ended, a run of annotate_pending takes its results, and "
        "submits what follows from them.",
    )
    def batch_results(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        dataset = keys.dataset(context)
        tags = {_RUN_TAG: keys.name}
        if context.instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=UNFINISHED)):
            return dg.SkipReason("The results found last are still being collected.")
        jobs = [job for job in read_jobs(dataset.results_dir) if job.phase.is_open]
        if not jobs:
            return dg.SkipReason("No batch job is under way.")
        problems: list[str] = []
        with closing(dataset.batch_service()) as service:
            for job in jobs:
                try:
                    if job.phase is not Phase.SUBMITTED or service.look(job.job_id).ended:
                        # one that cannot be fetched is asked for once in each state only
                        return dg.RunRequest(run_key=f"{job.id} {job.phase} {job.problem}", tags=tags)
                except (Gone, Refused, Unreachable) as error:
                    problems.append(str(error))
        return dg.SkipReason(" ".join([f"{len(jobs)} batch jobs are under way.", *problems[:1]]))

    return batch_results
