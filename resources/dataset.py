"""The data set that a code location serves: its spec, its input, its results, its teacher.

The one resource of the asset graph. Settings enter here, once per run, so that whatever the
Launchpad or the command line overrides reaches every asset.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import write_lines
from grounding_assets.core.input_file import InputLine, RejectedLine, read_input
from grounding_assets.core.sample_ids import SampleIds
from grounding_assets.core.samples import SampleIndex
from grounding_assets.core.spec import Spec
from grounding_assets.core.teacher import Teacher
from grounding_assets.core.workspace import STEP_FOLDERS, Workspace
from resources.credentials import Credentials
from resources.run_config import config_schema, spec_of_run
from resources.vlm.resource import build_teacher, check_teacher, teacher_notice


class DataSet:
    """What the assets of one run share."""

    def __init__(self, spec: Spec, credentials: Credentials):
        self.spec = spec
        self._credentials = credentials
        self._workspace: Workspace | None = None

    @property
    def results_dir(self) -> Path:
        return Path(self.spec.results_dir).absolute()

    @property
    def input_file(self) -> Path:
        """The input, or step 0's output where step 1 alone is asked for and no input is named."""
        given = self.spec.data.input_jsonl
        if given != "???" and given:
            return Path(given).absolute()
        if self.spec.workflow.steps == ("1",):
            return self.extracted_file
        raise InputError(
            "No input is named: set image_grounding.data.input_jsonl to a JSONL file with image_path "
            "and caption on each line."
        )

    @property
    def extracted_file(self) -> Path:
        return self.results_dir / STEP_FOLDERS["0"] / "annotations.jsonl"

    @property
    def notice(self) -> str:
        """What a user should know about the teacher before trusting it; empty where there is nothing."""
        return teacher_notice(self.spec)

    def was_annotated_before(self) -> bool:
        return any((self.results_dir / folder).is_dir() for folder in STEP_FOLDERS.values())

    def check(self) -> None:
        """Finds what would stop a run at once, without starting one.

        Raises:
            SpecError: the teacher cannot be made of these settings.
            InputError: the input cannot be read, or its beginning holds no usable record.
        """
        check_teacher(self.spec, self._credentials)
        self._require_extractions()
        first_reason = ""
        for line in read_input(self.input_file):
            if isinstance(line, InputLine):
                return
            first_reason = first_reason or f" Line {line.number}: {line.reason}."
        raise InputError(f"No input records at {self.input_file}.{first_reason}")

    def workspace(self) -> Workspace:
        """The samples and how far they are; the input is read by the first caller of a run."""
        if self._workspace is None:
            self._workspace = self._open().refresh()
        return self._workspace

    def _open(self) -> Workspace:
        self._require_extractions()
        ids = SampleIds(self.results_dir / "samples.jsonl")
        rejected: list[RejectedLine] = []
        samples = SampleIndex.build(self.input_file, ids, on_rejected=rejected.append)
        ids.save()
        write_lines(self.results_dir / "rejected.jsonl", (line.to_record() for line in rejected))
        root = self.spec.data.image_root
        workspace = Workspace(samples, self.results_dir, Path(root).absolute() if root else Path.cwd())
        for step in self.spec.workflow.steps:
            workspace.step(step).store.prepare()
        return workspace

    def _require_extractions(self) -> None:
        if self.spec.workflow.steps == ("1",) and not self.extracted_file.is_file():
            raise InputError(
                f"No step-0 output at {self.extracted_file}: run with image_grounding.workflow.steps "
                '["0", "1"], or put an existing annotations.jsonl there.'
            )

    def with_teacher(self, work: Callable[[Teacher[Any]], Any]) -> Any:
        """Runs `work(teacher)` on a new event loop; the teacher is made and closed on it."""

        async def run() -> Any:
            teacher = build_teacher(self.spec, self._credentials)
            try:
                return await work(teacher)
            finally:
                await teacher.aclose()

        return asyncio.run(run())


def dataset_resource(spec: Spec, credentials: Credentials) -> dg.ResourceDefinition:
    """The resource of a code location. Keys stay in this process: run configuration has no field for them."""

    @dg.resource(config_schema=config_schema(spec.image_grounding), description="The spec of this data set.")
    def dataset(context: dg.InitResourceContext) -> DataSet:
        return DataSet(spec_of_run(spec, context.resource_config), credentials)

    return dataset
