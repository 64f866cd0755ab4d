"""The data set that a code location serves: its spec, its input, its results, its teacher.

What the one resource of the asset graph hands out. Settings enter here, once per run, so that whatever the
Launchpad or the command line overrides reaches every asset.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.account import VerifierAccount
from grounding_assets.core.budget.grants import Grants
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.dataset.extraction_edits import adopt_extractions, was_edited
from grounding_assets.core.dataset.input_file import UsableLines
from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.dataset.rollup import write_step_annotations
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.dataset.samples import STORED, SampleIndex
from grounding_assets.core.dataset.tao_results import ASIDE, set_tao_files_aside, take_tao_results_over
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.results import read_records
from grounding_assets.core.files import remove_leftovers, replacing, short_file_stamp, stopping_if_unwritable
from grounding_assets.core.images.locations import ImageLocation, ImageRoot
from grounding_assets.core.report import WrittenReport, report_file, write_results_report
from grounding_assets.core.shards.layout import check_slice, refuse_cut
from grounding_assets.core.shards.manifest import is_shard
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.fingerprint import settings_fingerprint
from resources import event_loop
from resources.credentials import Credentials
from resources.fetched_files import FetchedFiles
from resources.stored_images import ImageFolder
from resources.vlm.measurements import Measurements
from resources.vlm.resource import (
    build_batch_service,
    check_teacher,
    result_settings,
    teacher_notice,
)
from resources.vlm.session import work_with_teacher
from resources.vlm.teacher import VlmTeacher
from resources.vlm.verifier import VlmVerifier, build_verifier, check_verifier

if TYPE_CHECKING:
    from grounding_assets.core.batch.service import BatchService
    from resources.vlm.batch.batching import Batching
    from resources.vlm.doctor import Examination

T = TypeVar("T")
Tell = Callable[[str], None]


class DataSet:
    """What the assets of one run share."""

    def __init__(self, spec: Spec, credentials: Credentials, grants: Grants | None = None):
        """`grants`: of the budget, if its runs have no account in common."""
        self.spec, self.credentials, self._grants = spec, credentials, grants
        self._workspace: Workspace | None = None
        self._files = FetchedFiles(spec)
        self.notes: list[str] = []
        """What was noticed while opening the data set, for the user."""

    @property
    def results_dir(self) -> Path:
        return self.spec.results_folder

    @property
    def input_file(self) -> Path:
        """The input, or step 0's output if step 1 alone is asked for and no input is named."""
        given = self.spec.data.input_jsonl
        if given != "???" and given:
            return self._files.local("input", given)
        if self._starts_from_extractions:
            return self.extracted_file
        raise InputError(
            "No input is named: set image_grounding.data.input_jsonl to a JSONL file with image_path "
            "and caption on each line."
        )

    @property
    def _starts_from_extractions(self) -> bool:
        """Whether step 0's output file is where a run begins."""
        return Step.EXTRACTION not in self.spec.workflow.run_steps

    @property
    def gold_file(self) -> Path:
        """What `data.gold_jsonl` names; see `local_file`."""
        return self._files.local("gold", self.spec.data.gold_jsonl)

    @cached_property
    def image_root(self) -> ImageRoot:
        """Raises SpecError if the library for `data.image_root` is not installed."""
        return ImageFolder(self.spec.data.image_root, self.spec.data.image_sources)

    @property
    def extracted_file(self) -> Path:
        return self.results_dir / Step.EXTRACTION.folder / "annotations.jsonl"

    @property
    def notice(self) -> str:
        """What a user should know about the teacher before trusting it, until there are results."""
        before = (self.results_dir / step.folder / "annotations.jsonl" for step in Step)
        return "" if any(file.exists() for file in before) else teacher_notice(self.spec)

    def check(self) -> None:
        """Finds what would stop a run at once, without starting one.

        Raises:
            SpecError: the teacher cannot be made of these settings.
            InputError: the input cannot be read, or its beginning holds no usable record.
        """
        check_teacher(self.spec, self.credentials)
        if not scheme_of(self.spec.results_dir):
            check_slice(self.results_dir)
        if self.spec.data.gold_jsonl:
            next(read_records(self.gold_file), None)
        check_verifier(self.spec, self.credentials)
        self._require_extractions()
        lines = UsableLines(self.input_file)
        if next(iter(lines), None) is None:
            raise lines.nothing_usable()

    def sample_ids(self) -> SampleIds:
        """The ids given so far, as they are remembered on disk."""
        return SampleIds(self.results_dir / "samples.jsonl", of_shard=is_shard(self.results_dir))

    def workspace(self) -> Workspace:
        """The samples and how far they are; the input is read by the first caller of a run."""
        if self._workspace is None:
            refuse_cut(self.spec)
            check_slice(self.results_dir)
            begun_by_tao = self._set_tao_files_aside()
            workspace = self._open().refresh()
            if begun_by_tao:
                self.notes += take_tao_results_over(workspace).notes(self.results_dir / ASIDE)
            self._note_corrupt(workspace)
            self._note_changed_images(workspace)
            self._adopt_edits(workspace)
            self._workspace = workspace
        return self._workspace

    def _set_tao_files_aside(self) -> bool:
        # a folder with a memory of ids is ours
        if (self.results_dir / "samples.jsonl").exists() and not (self.results_dir / ASIDE).exists():
            return False
        return set_tao_files_aside(self.results_dir, keep_extractions=self._starts_from_extractions)

    def _note_changed_images(self, workspace: Workspace) -> None:
        changed = workspace.images.sample_ids
        if changed:
            self.notes.append(
                f"The image files of {len(changed)} samples were replaced since they were annotated, the first is "
                f"that of {min(changed)}: they are annotated again."
            )

    def _note_corrupt(self, workspace: Workspace) -> None:
        for results in workspace.results.values():
            if results.index.corrupt:
                self.notes.append(
                    f"{results.index.corrupt} files in {results.store.done_dir} are no checkpoints and were set "
                    f"aside in {results.store.corrupt_dir}; their samples are annotated again."
                )

    def _adopt_edits(self, workspace: Workspace) -> None:
        """Takes over what somebody changed in step 0's output; with step 1 alone, that file is the input."""
        alone = self._starts_from_extractions
        if not alone and not was_edited(self.extracted_file):
            return
        found = adopt_extractions(workspace, self.extracted_file)
        if alone:
            workspace.samples.restrict(found.sample_ids)
        if found.adopted:
            # at once: whatever comes after an edit is newer than the file
            write_step_annotations(workspace, Step.EXTRACTION)
        self.notes += found.notes(self.extracted_file)

    def _open(self) -> Workspace:
        self._require_extractions()
        ids = self.sample_ids()
        rejected, root = self.results_dir / "rejected.jsonl", self.image_root
        stored = STORED if self.spec.data.recheck_images == "on" else 0
        with stopping_if_unwritable(rejected), replacing(rejected) as stream:
            samples = SampleIndex.build(
                self.input_file,
                ids,
                rejected=stream,
                image_stamp=lambda path: _image_stamp(root / path, stored),
            )
        ids.save()
        remove_leftovers(self.results_dir)
        settings = {step: self.settings_fingerprint(step) for step in self.spec.workflow.run_steps}
        workspace = Workspace(samples, self.results_dir, self.image_root, settings)
        workspace.join_image_root = self.spec.data.join_image_root
        for step in self.spec.workflow.run_steps:
            workspace.step(step).store.prepare()
        return workspace

    def settings_fingerprint(self, step: Step) -> str:
        """Of results of the step that are made with this run's settings."""
        return settings_fingerprint(result_settings(self.spec, step))

    def write_report(self) -> tuple[Path, WrittenReport]:
        """Writes the page of the results that are there; see `core.report`."""
        settings, title = self.spec.image_grounding.report, dataset_name(self.spec)
        written = write_results_report(self.results_dir, self.image_root, title=title, settings=settings)
        return report_file(self.results_dir), written

    async def examine(self, notice: Tell) -> "Examination":
        """What the endpoint can do; how it writes boxes is kept for runs. `notice` is told what is waited for."""
        from resources.vlm.doctor import examine

        with open_account(self.spec, self.results_dir, notice) as account:
            examination = await examine(self.spec, self.credentials, account, notice)
        if examination.measurement is not None:
            Measurements(self.results_dir).keep(examination.measurement)
        return examination

    def _require_extractions(self) -> None:
        if self._starts_from_extractions and not self.extracted_file.is_file():
            raise InputError(
                f"No step-0 output at {self.extracted_file}: run with image_grounding.workflow.steps "
                '["0", "1"], or put an existing annotations.jsonl there.'
            )

    def with_teacher(
        self,
        work: Callable[[Teacher[Any]], Coroutine[Any, Any, T]],
        notice: Tell,
        warn: Tell | None = None,
        *,
        confirms: bool = False,
    ) -> T:
        """Runs `work(teacher)` on a new event loop; the teacher is made, checked and closed on it.

        `notice` is told what the user should know about the endpoint; `warn`, by default the same, what makes results doubtful.
        `confirms`: see `work_with_teacher`.
        """
        session = work_with_teacher(
            self.spec,
            self.credentials,
            self.results_dir,
            work,
            notice,
            warn or notice,
            self._grants,
            confirms=confirms,
        )
        return event_loop.run(session)

    def batch_service(self) -> "BatchService":
        """Who runs the batch jobs; to be closed. Raises SpecError if nobody does."""
        by_file = self.spec.vlm.batch.mode == "file"
        return build_batch_service(self.spec, self.credentials, by_file=by_file)

    def by_batch(
        self, teacher: Teacher[Any], notice: Tell, warn: Tell | None = None
    ) -> AbstractAsyncContextManager["Batching | None"]:
        """Within the block the teacher asks by batch jobs; None if that is off. See `batching`."""
        if not self.spec.vlm.batch.is_on or not isinstance(teacher, VlmTeacher):
            return nullcontext()
        from resources.vlm.batch.run import batching

        return batching(self.spec, self.results_dir, self.batch_service(), teacher, notice, warn or notice)

    @asynccontextmanager
    async def verifier(self, teacher: Teacher[Any]) -> AsyncIterator[VlmVerifier | None]:
        """The verifier beside `teacher`, on the same event loop; None if step 2 is not run."""
        if Step.VERIFICATION not in self.spec.workflow.run_steps:
            yield None
            return
        shared = teacher.caller.account if isinstance(teacher, VlmTeacher) else None
        with (
            nullcontext(shared)
            if shared
            else open_account(self.spec, self.results_dir, grants=self._grants) as account
        ):
            verifier = build_verifier(self.spec, self.credentials, teacher, VerifierAccount(account))
            try:
                yield verifier
            finally:
                await verifier.aclose()


def _image_stamp(image: ImageLocation, stored: int) -> int:
    """See `SampleEntry.image_stamp`; `stored` for an image that is no file of this machine."""
    return short_file_stamp(image) if isinstance(image, Path) else stored
