"""The spec: every setting of a run, its default and its limits. Validated once, immutable afterwards.

Names and defaults of TAO's `image_grounding` are kept. Reading YAML and overrides is `spec_file`'s job.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)

from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.export_settings import ExportSpec
from grounding_assets.core.spec.model_settings import (
    Section,
    VerifierSpec,
    VlmSpec,
    as_switch,
    verifier_or_default,
)
from grounding_assets.core.spec.paths import Location, StoragePrefix, scheme_of, shown_address
from grounding_assets.core.steps import Step, in_order

SUPPORTED_TYPE = "image_grounding"
StepName = Literal["0", "1", "2"]


def _as_step_names(steps: object) -> object:
    if isinstance(steps, (str, int)) and not isinstance(steps, bool):
        steps = [steps]
    if isinstance(steps, (list, tuple)):
        return tuple(str(step) if isinstance(step, int) else step for step in steps)
    return steps


class WorkflowSpec(Section):
    """What a run does."""

    steps: Annotated[tuple[StepName, ...], BeforeValidator(_as_step_names)] = ("0", "1")
    """"0" expression extraction, "1" grounding, "2" verification of each box; "1" alone reads step 0's
    annotations.jsonl."""
    max_workers: int = Field(default=4, ge=1, le=4096)
    """Requests in flight at most, at each endpoint, of each process."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes of `auto_label generate` that take shards side by side; a data set that is not cut takes one."""
    patience: float = Field(default=3600, ge=0, le=604_800)
    """How long a run waits for an endpoint that has worked, or says that it is loading, to answer again, in seconds;
    0: it stops at once."""
    share_pictures: Annotated[Literal["off", "on", "auto"], BeforeValidator(as_switch)] = "off"
    """Ask step 1 about all captions of a picture together, identical expressions once; step 0 of all samples goes first.
    auto: where `auto_label evaluate other=` has seen that boxes stay as good."""
    joint: bool = False
    """Ask for the cleaned caption, its expressions and their boxes in one call; a reply that fails any check is split into the
    two ordinary calls."""
    force_reprocess: bool = False
    """Redo samples that are done; their old results are kept aside."""
    redo: Literal["none", "rejected"] = "none"
    """rejected: ask again for what reviewers rejected, and for nothing else; see `auto_label review`."""
    max_cost: float = Field(default=0, ge=0)
    """Most that this data set may cost in all its runs, in the currency of the prices; 0: no cap. Needs the price of each
    model that is asked."""
    max_tokens: int = Field(default=0, ge=0)
    """Most tokens, in and out, that this data set may take in all its runs; 0: no cap."""
    max_calls: int = Field(default=0, ge=0)
    """Most requests that this data set may take in all its runs, failed ones included; 0: no cap."""
    min_recall: float = Field(default=0, ge=0, le=1)
    """Gate: least share of the boxes of data.gold_jsonl that the results so far find; 0: no gate."""
    max_unboxed: float = Field(default=1, ge=0, le=1)
    """Gate: largest share of expressions without a box in the results so far; 1: no gate."""
    max_failed: float = Field(default=1, ge=0, le=1)
    """Gate: largest share of the samples tried so far that failed; 1: no gate."""
    limit: int = Field(default=0, ge=0)
    """Annotate only the first samples of the input, this many; 0: all. For a pilot."""
    sample: int = Field(default=0, ge=0)
    """Annotate only a seeded random choice of this many samples, which a larger number adds to; 0: all."""
    seed: int = 0
    """Which samples `sample` chooses."""

    @property
    def run_steps(self) -> tuple[Step, ...]:
        """What `steps` names."""
        return in_order(self.steps)

    @property
    def asks_jointly(self) -> bool:
        """Whether one call is to answer steps 0 and 1; not if one of them is left out."""
        return self.joint and {Step.EXTRACTION, Step.GROUNDING} <= set(self.run_steps)

    @property
    def is_pilot(self) -> bool:
        """Whether a run takes a part of the set only."""
        return bool(self.limit or self.sample)

    @property
    def redoes(self) -> bool:
        """Whether a run makes again what is done."""
        return self.force_reprocess or self.redo != "none"

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if self.limit and self.sample:
            raise ValueError("set limit or sample, not both; 0 switches one off")
        return self

    @field_validator("steps")
    @classmethod
    def _each_step_once(cls, steps: tuple[StepName, ...]) -> tuple[StepName, ...]:
        if not steps:
            raise ValueError('choose ["0"], ["1"] or ["0", "1"], and "2" for verification')
        if set(steps) == {"0", "2"}:
            raise ValueError('step "2" verifies the boxes of step "1": add it')
        return tuple(sorted(set(steps)))


class DataSpec(Section):
    """What is annotated."""

    input_jsonl: Location = "???"
    """JSONL file with image_path and caption on each line, a path or an address such as s3://bucket/in.jsonl. Required,
    except for steps ["1"] alone."""
    image_root: Location = ""
    """Folder that a relative image_path starts from, a path or an address; empty: the working directory."""
    image_sources: tuple[StoragePrefix, ...] = ("s3://", "gs://")
    """How an image_path that is an address may begin, besides image_root; []: no other address is read."""
    recheck_images: Annotated[Literal["off", "on"], BeforeValidator(as_switch)] = "on"
    """At each start, ask object storage whether images of results were replaced: a request each, some 0.40 dollars a
    million. off: such changes are not noticed. Files of this machine are always looked at."""
    join_image_root: bool = False
    """Write image_path with image_root before it, as TAO does, for readers that know no root; else as it is given."""
    gold_jsonl: Location = ""
    """JSONL file of records with human boxes, which results are measured on; empty: none."""
    name: str = Field(default="", pattern=r"^([A-Za-z0-9_]{1,80})?$")
    """Name of the data set in Dagster; empty: chosen once and kept in results_dir."""
    shard_size: int = Field(default=-1, ge=-1, le=1_000_000)
    """Lines of each shard that the input is cut into; 0: it is not cut; -1: 10,000 for an input of more than 100,000 lines
    and for results in object storage, else 0. An existing results_dir stays what it is."""
    shard: str = Field(default="", pattern=r"^([0-9]{5,})?$")
    """The shard to work on alone, such as 00042, as a data set with a partition for each sample (in object storage: one for the
    shard); empty: the whole."""
    owner: str = Field(default="", pattern=r"^(team:\S+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})?$")
    """Who owns the data set's assets in Dagster: an e-mail address or team:NAME."""


class ChecksSpec(Section):
    """Limits of the checks on annotations.jsonl; beyond its limit a check fails, and nothing is thrown away."""

    max_unaccounted_lines: int = Field(default=0, ge=0)
    """Input lines that are neither annotated, failed, rejected nor pending. An error."""
    max_wrong_spans: int = Field(default=0, ge=0)
    """Expressions whose char_span does not give their text. An error."""
    max_boxes_outside: int = Field(default=0, ge=0)
    """Boxes that are not whole pixels inside the image. An error."""
    max_out_of_range_share: float = Field(default=0.05, ge=0, le=1)
    """Share of the model's boxes beyond its frame before they were clamped. An error."""
    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """Share of tried lines without a result. A warning."""
    max_without_box_share: float = Field(default=0.5, ge=0, le=1)
    """Share of expressions without a box. A warning."""
    max_duplicate_share: float = Field(default=0.05, ge=0, le=1)
    """Share of boxes that say an object of the same expression again, dropped ones included. A warning."""


class ReportSpec(Section):
    """The report that people look at."""

    max_samples: int = Field(default=10_000, ge=0)
    """Of a larger set a seeded sample of this many is shown; 0 shows all."""
    thumbnail_px: int = Field(default=640, ge=64, le=4096)
    """Longer side of a photo in pixels; made smaller if there are many."""
    renew_up_to: int = Field(default=2000, ge=0)
    """After `auto_label generate` the page is written again if the data set has at most so many samples; 0: never."""


class ImageGroundingSpec(Section):
    """The image_grounding pipeline."""

    vlm: VlmSpec = VlmSpec()
    vlm_verifier: Annotated[VerifierSpec, BeforeValidator(verifier_or_default)] = VerifierSpec()
    workflow: WorkflowSpec = WorkflowSpec()
    data: DataSpec = DataSpec()
    checks: ChecksSpec = ChecksSpec()
    report: ReportSpec = ReportSpec()
    export: ExportSpec = ExportSpec()

    @model_validator(mode="after")
    def _limits_have_their_measure(self) -> Self:
        own_verifier = Step.VERIFICATION in self.workflow.steps and self.vlm_verifier.backend != "same"
        prices = self.vlm.price, self.vlm_verifier.price
        if self.workflow.max_cost and self.vlm.backend != "local" and not prices[0].is_known:
            raise ValueError(
                "workflow.max_cost needs vlm.price.input_per_million and output_per_million: what a million tokens cost"
            )
        if self.workflow.max_cost and own_verifier and not prices[1].is_known:
            raise ValueError(
                "workflow.max_cost needs vlm_verifier.price.input_per_million and output_per_million, too: step "
                '"2" asks a model other than vlm, whose tokens have their own price'
            )
        if all(price.is_known for price in prices) and prices[0].currency != prices[1].currency:
            raise ValueError(
                f"vlm.price is in {prices[0].currency} and vlm_verifier.price in {prices[1].currency}: give "
                "both in one currency, since they are added up"
            )
        if self.workflow.share_pictures == "on" and self.vlm.batch.is_on:
            raise ValueError(
                "workflow.share_pictures goes with ordinary calls: set vlm.batch.mode=off, or share nothing"
            )
        if self.workflow.share_pictures == "on" and self.workflow.asks_jointly:
            raise ValueError(
                "workflow.joint asks about each caption alone: set it to false, or share_pictures to off"
            )
        if self.workflow.min_recall and not self.data.gold_jsonl:
            raise ValueError("workflow.min_recall needs data.gold_jsonl: records with human boxes")
        return self


class Spec(Section):
    """A whole spec. Relative paths start from the working directory."""

    results_dir: Location = Field(min_length=1)
    """Folder of all results, or an address such as s3://bucket/folder, if the data set is cut into shards. Required."""
    autolabel_type: str = SUPPORTED_TYPE
    """Only image_grounding is supported."""
    image_grounding: ImageGroundingSpec = ImageGroundingSpec()
    _ignored: tuple[str, ...] = PrivateAttr(default=())

    @property
    def results_folder(self) -> Path:
        """The results folder on this machine.

        Raises:
            SpecError: it is in object storage.
        """
        if scheme_of(self.results_dir):
            raise SpecError(
                f"The results are in {shown_address(self.results_dir)}, and this works on a folder of this machine: copy "
                "annotations.jsonl and failures.jsonl to one, and add results_dir=FOLDER."
            )
        return Path(self.results_dir).absolute()

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names in the spec file that are of TAO's other pipelines, and have no effect."""
        return self._ignored

    def ignoring(self, names: tuple[str, ...]) -> Self:
        """The same spec, which tells that its file held these as well."""
        self._ignored = names
        return self

    @field_validator("results_dir")
    @classmethod
    def _given(cls, results_dir: str) -> str:
        if results_dir == "???":
            raise ValueError("required: set it in the spec or as results_dir=DIR")
        return results_dir

    @field_validator("autolabel_type")
    @classmethod
    def _supported(cls, name: str) -> str:
        if name != SUPPORTED_TYPE:
            raise ValueError(f"'{name}' is not supported; set autolabel_type: {SUPPORTED_TYPE}")
        return name

    @property
    def vlm(self) -> VlmSpec:
        return self.image_grounding.vlm

    @property
    def workflow(self) -> WorkflowSpec:
        return self.image_grounding.workflow

    @property
    def data(self) -> DataSpec:
        return self.image_grounding.data
