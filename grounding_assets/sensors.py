"""The sensors: `new_samples`, for lines that are added to the input, and `batch_results`, for batch jobs that end.

What is added is found from a byte offset on, so that a tick without new lines costs next to nothing.
Everything is read from the beginning if the file was cut or replaced: samples that are registered
already are passed over.
"""

from contextlib import closing
from pathlib import Path

import dagster as dg

from grounding_assets.core.batch.job import Phase
from grounding_assets.core.batch.journal import read_jobs
from grounding_assets.core.batch.service import Gone, Refused, Unreachable
from grounding_assets.core.dataset.input_file import RejectedLine, read_input
from grounding_assets.core.dataset.read_position import ReadPosition, readable_ends
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys

MAX_SAMPLES_PER_RUN = 5_000
_OF_NEW_SAMPLES, _OF_BATCH_RESULTS = "grounding/new_samples", "grounding/batch_results"
"""Tags of the runs that a sensor asks for, with the name of the data set."""
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_new_samples(keys: DataSetKeys) -> dg.SensorDefinition:
    @dg.sensor(
        name=keys.own("new_samples"),
        asset_selection=dg.AssetSelection.assets(keys.asset("samples"))
        | keys.groups("annotation", "rollups"),
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.STOPPED,
        required_resource_keys={keys.resource},
        description="Watches the input file. Lines that are added become samples, are annotated in runs of at "
        f"most {MAX_SAMPLES_PER_RUN} samples, one run at a time, and appear in annotations.jsonl. Samples of a "
        "run that was stopped stay pending: materialize annotation_run for those.",
    )
    def new_samples(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        dataset = keys.dataset(context)
        if Step.EXTRACTION not in dataset.spec.workflow.run_steps:
            return dg.SkipReason("Without step 0, its output is the input; there is none to watch.")
        tags = {_OF_NEW_SAMPLES: keys.name}
        if context.instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=_UNFINISHED)):
            return dg.SkipReason("The samples found last are still being annotated.")
        file = dataset.input_file
        if not file.exists():
            return dg.SkipReason(f"There is no {file} yet.")
        begin, (terminated_end, end) = _begin(file, context.cursor), readable_ends(file)
        if begin == end:
            return dg.SkipReason(f"No new lines in {file}.")
        registered = set(context.instance.get_dynamic_partitions(keys.partition_set))
        new, unread = _added(file, (begin, end), dataset.sample_ids(), registered)
        position = ReadPosition.at(file, min(terminated_end, unread))
        if not new:
            return dg.SensorResult(skip_reason=f"No new samples in {file}.", cursor=position.to_text())
        return dg.SensorResult(
            cursor=position.to_text(),
            # in one go and in this order, which makes them a range
            dynamic_partitions_requests=[keys.partitions.build_add_request(new)],
            run_requests=[
                dg.RunRequest(
                    tags={
                        **tags,
                        "dagster/asset_partition_range_start": new[0],
                        "dagster/asset_partition_range_end": new[-1],
                    }
                )
            ],
        )

    return new_samples


def _begin(file: Path, cursor: str | None) -> int:
    if not cursor:
        return 0
    position = ReadPosition.from_text(cursor)
    return position.offset if position.still_holds(file) else 0


def _added(file: Path, span: tuple[int, int], ids: SampleIds, registered: set[str]) -> tuple[list[str], int]:
    """The first samples between two offsets that are not registered, and where the rest begins.

    Lines that are refused are passed over: the run lists them.
    """
    begin, end = span
    new: dict[str, None] = {}
    for line in read_input(file, start_offset=begin, end_offset=end):
        if isinstance(line, RejectedLine):
            continue
        sample_id = ids.assign(line.record)
        if sample_id not in registered and sample_id not in new:
            if len(new) == MAX_SAMPLES_PER_RUN:
                end = line.offset
                break
            new[sample_id] = None
    ids.save()
    return list(new), end


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
        tags = {_OF_BATCH_RESULTS: keys.name}
        if context.instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=_UNFINISHED)):
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
