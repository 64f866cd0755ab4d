"""`auto_label generate`: the asset graph, run in this process over everything that is pending."""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.pilot import full_run_command, pilot_words
from grounding_assets.cli.terminal import TerminalProgress, closing_words
from grounding_assets.core.errors import EXIT_OK, EXIT_SAMPLES_FAILED, RunStopped
from grounding_assets.core.pilot import chosen_samples
from grounding_assets.core.spec import Spec
from grounding_assets.core.spec_file import load_spec
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.run_config import overrides_from

_ASSETS = ("samples", "annotation_run", "step_0_annotations", "step_1_annotations", "annotations")


def generate(spec_file: str, overrides: Sequence[str]) -> int:
    """Annotates what is pending and writes the rollups; returns the exit code."""
    spec = load_spec(Path(spec_file), overrides)
    credentials = Credentials.of(spec, os.environ)
    dataset = DataSet(spec, credentials)
    dataset.check()
    progress = TerminalProgress()
    try:
        _materialize(spec, credentials, progress)
    except dg.Failure as failure:
        if progress.summary is None:
            raise RunStopped(failure.description or "The run failed.") from None
    summary = progress.summary
    if summary is None:
        raise RunStopped("The run ended before it reached a sample.")
    print(closing_words(summary))
    if summary.stopped_by is not None:
        raise summary.stopped_by
    results = dataset.results_dir
    print(f"Annotations: {results / 'annotations.jsonl'}")
    complete = summary.done_before + summary.done >= summary.requested
    if not complete:
        print(f"Failures:    {results / 'failures.jsonl'}; the same command tries them again.")
    if spec.workflow.is_pilot:
        _end_pilot(dataset, spec_file, overrides)
    return EXIT_OK if complete else EXIT_SAMPLES_FAILED


def _end_pilot(dataset: DataSet, spec_file: str, overrides: Sequence[str]) -> None:
    chosen = chosen_samples(dataset.workspace().samples.ids, dataset.spec.workflow)
    file, _ = dataset.write_report()
    print(pilot_words(dataset, chosen))
    print(f"Look at it:  {file}")
    print(f"The full set: {full_run_command(spec_file, overrides)}")


def _materialize(spec: Spec, credentials: Credentials, progress: TerminalProgress) -> None:
    keys = DataSetKeys(spec.dataset_name)
    base = Spec(results_dir=spec.results_dir)
    defs = build_defs(base, credentials, progress=progress, name=spec.dataset_name)
    run_config = {
        "resources": {"dataset": {"config": overrides_from(spec, base)}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    with persistent_instance() as instance:
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            run_config=run_config,
            instance=instance,
            asset_selection=[keys.asset(name) for name in _ASSETS],
        )
