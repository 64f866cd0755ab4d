"""The spec's sections on models: which one annotates, which one verifies, what they cost. See `spec`."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)


class Section(BaseModel):
    """Immutable, and unknown fields are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        # pydantic would take them for 1 and 0
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in (int, float):
            raise ValueError(f"give a number, not {str(value).lower()}")
        return value


StructuredOutput = Literal["auto", "json_schema", "json_object", "plain"]


def _checked_url(url: str) -> str:
    """Refuses addresses that would carry a secret into logs and stored configurations."""
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with http:// or https:// and name a host")
    if parts.username or parts.password or parts.query:
        raise ValueError("must not hold a user, password or query; give the key as api_key")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_checked_url)]
"""Empty, or an address of http or https without a slash at its end."""


class GeminiSpec(Section):
    """Google's Gemini API."""

    api_key: SecretStr = SecretStr("")
    """API key; empty: the environment variable GOOGLE_API_KEY. Never stored."""
    base_url: BaseUrl = ""
    """Another address of the same API, such as a proxy; empty: Google's own."""
    model: str = "gemini-3.1-flash-lite-preview"
    """Model name."""
    media_resolution: Literal["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"] = (
        "MEDIA_RESOLUTION_HIGH"
    )
    """How finely the model looks at the image; lower is cheaper and localizes worse."""
    temperature: float = Field(default=0.3, ge=0, le=2)
    """Sampling temperature."""
    structured_output: StructuredOutput = "auto"
    """How a reply's form is asked for; auto: by a schema, and one step less if the endpoint refuses that."""
    max_output_tokens: int = Field(default=8192, ge=64)
    """Limit of a reply, in tokens."""
    timeout: float = Field(default=120, gt=0)
    """Limit of a request, in seconds."""


def _none_or_enough(pixels: int) -> int:
    if 0 < pixels < 40_000:
        raise ValueError("give 40,000 pixels or more (200 x 200), or 0 for what the family takes")
    return pixels


class OpenAiSpec(Section):
    """Any endpoint that speaks OpenAI's chat completions: NIM, TAO microservice, vLLM, custom."""

    api_key: SecretStr = SecretStr("")
    """API key; empty: the environment variable OPENAI_API_KEY, and without it no key. Never stored."""
    base_url: Annotated[BaseUrl, AfterValidator(lambda url: url.removesuffix("/chat/completions"))] = ""
    """Base URL without `/chat/completions`, such as http://localhost:8000/v1."""
    model_name: str = ""
    """Model name as the endpoint lists it."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=4096, ge=64)
    """Limit of a reply, in tokens."""
    timeout: float = Field(default=60, gt=0)
    """Limit of a request, in seconds."""
    structured_output: StructuredOutput = "auto"
    """How a reply's form is asked for; auto: by a schema, and one step less if the endpoint refuses that."""
    max_image_bytes: int = Field(default=0, ge=0)
    """Largest image file to send, in bytes; 0: 134,900 at NVIDIA's hosted endpoints, 20 MB elsewhere."""
    max_image_pixels: Annotated[int, AfterValidator(_none_or_enough)] = Field(default=0, ge=0)
    """Most pixels to send of an image, 40,000 or more; 0: as many as the family takes. `auto_label estimate sizes=true` tells
    what fewer would save."""


class LocalSpec(Section):
    """The embedded demonstration teacher: 80 kinds of things, no key, no network."""

    tiles: bool = True
    """Look at four overlapping tiles of the photo besides the whole; false: a fifth of the time, misses small things."""
    single_threshold: float = Field(default=0, ge=0, le=1)
    """Lowest detector score for an expression that names one thing, from 0.05; 0: 0.24 with tiles, 0.2 without."""
    plural_threshold: float = Field(default=0, ge=0, le=1)
    """Lowest detector score for each box of an expression that names several things; 0: 0.4 with tiles, 0.35 without."""

    @field_validator("single_threshold", "plural_threshold")
    @classmethod
    def _above_the_floor(cls, threshold: float) -> float:
        if 0 < threshold < 0.05:
            raise ValueError("the detector reports no score below 0.05; give 0.05 to 1, or 0 for the default")
        return threshold

    @property
    def in_use(self) -> "LocalSpec":
        """These settings with the thresholds that hold for the way to look at a photo."""
        single, plural = (0.24, 0.4) if self.tiles else (0.2, 0.35)
        thresholds = {
            "single_threshold": self.single_threshold or single,
            "plural_threshold": self.plural_threshold or plural,
        }
        return self.model_copy(update=thresholds)


FamilyName = Literal[
    "auto", "claude", "cogvlm", "cosmos_reason1", "cosmos_reason2", "deepseek_vl2", "ernie_vl", "gemini",
    "gemma", "glm_v", "gpt", "gpt_4o", "gpt_5", "gpt_5_2", "grok", "hunyuan_ocr", "internvl", "kimi_vl",
    "locate_anything", "minicpm_v", "molmo", "molmo2", "muse", "nova", "paligemma", "qwen2_5_descendant",
    "qwen2_5_vl", "qwen2_vl", "qwen3_vl", "rex_omni", "seed", "youtu_vl", "unknown",
]  # fmt: skip


class PriceSpec(Section):
    """What the model costs; while both are 0 it is not known, and tokens are shown alone."""

    input_per_million: float = Field(default=0, ge=0)
    """Price of a million input tokens, images included."""
    cached_input_per_million: float = Field(default=0, ge=0)
    """Price of a million input tokens that the endpoint reports as cached; 0: that of other input."""
    output_per_million: float = Field(default=0, ge=0)
    """Price of a million output tokens."""
    batch_share: float = Field(default=0.5, gt=0, le=1)
    """Price of a request in a batch, as a share of the ordinary one; the makers ask for half."""
    currency: str = Field(default="USD", min_length=1, max_length=10)
    """The currency of both prices; a name to show, nothing is converted."""

    @property
    def is_known(self) -> bool:
        return bool(self.input_per_million or self.output_per_million)


def as_switch(mode: object) -> object:
    """The words that YAML takes for truth values as words again."""
    return {True: "on", False: "off"}[mode] if isinstance(mode, bool) else mode


class BatchSpec(Section):
    """Batch jobs instead of single calls: half the price, within a day."""

    mode: Annotated[Literal["off", "on", "file"], BeforeValidator(as_switch)] = "off"
    """on: by the endpoint's batch jobs; file: request files are written and result files read, for `vllm run-batch`."""
    rest: Literal["calls", "batch"] = "calls"
    """How the few requests of a job that failed or must be put again are asked: by ordinary calls, or in the next job."""
    submit: bool = True
    """Submit new jobs; false: only collect those under way."""
    max_requests: int = Field(default=50_000, ge=1, le=1_000_000)
    """Most requests of one job; endpoints of OpenAI's form take 50,000."""
    max_megabytes: int = Field(default=200, ge=1, le=2_000)
    """Most megabytes of one job's request file; endpoints of OpenAI's form take 200."""
    max_enqueued_tokens: int = Field(default=0, ge=0)
    """Most projected input tokens of all jobs under way, as the account's quota allows; the rest is held back. 0: no limit."""
    look_every: float = Field(default=300, ge=1, le=86_400)
    """Between two looks at the jobs under way, in seconds, where something waits for them."""

    @property
    def is_on(self) -> bool:
        return self.mode != "off"


class VlmSpec(Section):
    """Which model annotates."""

    backend: Literal["gemini", "openai", "local"] = "gemini"
    """gemini, openai (any compatible endpoint) or local (embedded, offline)."""
    family: FamilyName = "auto"
    """Model family, which decides prompt and box coordinates; auto: by the model's name; gpt: the generation by its name."""
    measure: bool = True
    """Ask an endpoint about calibration cards before its first sample, and stop if its boxes contradict the family
    or a server's resizing displaces them. Kept in results_dir, so it costs two to a dozen calls once."""
    gemini: GeminiSpec = GeminiSpec()
    openai: OpenAiSpec = OpenAiSpec()
    local: LocalSpec = LocalSpec()
    price: PriceSpec = PriceSpec()
    batch: BatchSpec = BatchSpec()


class VerifierSpec(Section):
    """Which model verifies if workflow.steps hold "2"; the fields are those of vlm."""

    backend: Literal["same", "gemini", "openai"] = "same"
    """same (as vlm), gemini or openai (any compatible endpoint)."""
    family: FamilyName = "auto"
    """Model family, which decides the size of pictures and whether a reply schema helps; auto: by the name."""
    gemini: GeminiSpec = GeminiSpec()
    openai: OpenAiSpec = OpenAiSpec()
    price: PriceSpec = PriceSpec()

    def as_vlm(self) -> VlmSpec:
        """The same settings as those of a model that annotates. Raises ValueError if it is "same"."""
        return VlmSpec(**dict(self))


def verifier_or_default(verifier: object) -> object:
    return VerifierSpec() if verifier is None else verifier
