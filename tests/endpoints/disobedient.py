"""Named simulated models that do not write what they were asked for, and what is right for each.

A table to go through: `MODELS` maps a name to how the model is served, in which form, unit and order it writes,
what its server does to pictures, what goes wrong inside its answers, and what a run against it may end with:

- `boxes`: every sample has every box that the model gave, at its place;
- `boxes or stop`: that, or a stop before the first sample, or failed samples, with a true reason;
- `stop`: a stop or failed samples. Nobody can tell which box belongs to what, or where it is.

Never right: exit code 0 with a box missing or displaced. Decided from makers' documents before anything read a
reply. `python -m tests.endpoints vllm --case NAME` starts one of them, `--list-cases` prints the table as JSON.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.endpoints.families import Family
from tests.endpoints.forms import FORMS
from tests.endpoints.frames import (
    Frame,
    claude_pixels,
    grid,
    own_pixels,
    qwen_pixels,
    server_resize,
)
from tests.endpoints.manner import Manner

NATIVE_FORMS: Mapping[str, tuple[str, ...]] = {
    "claude": ("markdown", "json_list"),
    "deepseek_vl2": ("deepseek",),
    "glm_v": ("glm", "glm_sentence"),
    "internvl": ("internvl",),
    "molmo": ("points",),
    "qwen2_vl": ("object_bboxes", "qwen_tokens"),
}
"""What the families of `families.py` fall into; those that are not here write `json_list`."""
Right = Literal["boxes", "boxes or stop", "stop"]


@dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of a box count."""

    frame: Frame
    digits: int | None = None
    highest: float | None = None


UNITS: Mapping[str, Unit] = {
    "0-1000": Unit(grid(1000)),
    "0-999": Unit(grid(999)),
    "000-999": Unit(grid(1000), highest=999),
    "0-1024": Unit(grid(1024), highest=1023),
    "percent": Unit(grid(100), digits=1),
    "0-1": Unit(grid(1), digits=3),
    "pixels": Unit(own_pixels),
    "qwen pixels": Unit(qwen_pixels()),
    "mimo pixels": Unit(qwen_pixels(4096 * 28 * 28)),
    "claude pixels": Unit(claude_pixels),
}
"""`pixels` are those of the picture that the server passes on."""


@dataclass(frozen=True, slots=True)
class DisobedientModel:
    """One row of the table."""

    name: str
    served_as: str
    forms: tuple[str, ...] = ("json_list",)
    """Names of `FORMS`, chosen by the picture where there are several; none: it obeys."""
    unit: str = "0-1000"
    order: Literal["xyxy", "yxyx", "xywh"] = "xyxy"
    key: str = "bbox_2d"
    labels: str = "text"
    flaw: str = ""
    """Hits photos alone: whoever measures with other pictures sees a model without it."""
    fractions: Literal["", "picture", "box"] = ""
    server: str = ""
    """As `server_resize` reads it."""
    thinks: bool = False
    right: Right = "boxes"

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its forms come from."""
        return tuple(FORMS[form].source for form in self.forms)

    def endpoint_options(self) -> dict[str, Any]:
        """Keyword arguments of `SimulatedEndpoint`, besides its kind."""
        unit = UNITS[self.unit]
        family = Family(
            self.name,
            self.served_as,
            frame=unit.frame,
            key=self.key,
            order=self.order,
            digits=unit.digits,
            highest=unit.highest,
            thinks=self.thinks,
        )
        manner = Manner(self.forms, self.labels, self.flaw, fractions=self.fractions)
        return {
            "family": family,
            "manner": manner if self.forms else None,
            "server": server_resize(self.server),
        }


_ = DisobedientModel
_FAMILIES = (
    _("gemini", "google/gemini-2.5-flash", order="yxyx", key="box_2d"),
    _("gemini-bare", "gemini-3-flash-preview", ("bare_list",), order="yxyx", key="box_2d"),
    _("gemma3", "google/gemma-3-27b-it", order="yxyx", key="box_2d"),
    _("gemma4-fences", "gemma-4-31b-it:free", ("fence_each", "json_list"), order="yxyx", key="box_2d"),
    _("qwen2-vl", "Qwen/Qwen2-VL-7B-Instruct", ("object_bboxes", "qwen_tokens")),
    _("qwen2_5-vl", "Qwen/Qwen2.5-VL-7B-Instruct", unit="qwen pixels"),
    _("qwen2_5-vl-ids", "qwen2_5_vl-72b-awq", ("id_and_label",), "qwen pixels"),
    _("qwen-vl-max", "qwen-vl-max-latest", unit="qwen pixels", right="boxes or stop"),
    _("mimo-vl", "XiaomiMiMo/MiMo-VL-7B-RL", unit="mimo pixels", thinks=True),
    _("holo1", "Hcompany/Holo1-7B", ("bare_list",), "qwen pixels"),
    _("ui-tars-boxes", "ByteDance-Seed/UI-TARS-1.5-7B", unit="qwen pixels"),
    _("ui-tars-clicks", "ByteDance-Seed/UI-TARS-1.5-7B", ("ui_tars",), "qwen pixels", right="stop"),
    _("qwen3-vl", "Qwen/Qwen3-VL-8B-Instruct"),
    _("qwen3-vl-thinking", "Qwen/Qwen3-VL-8B-Thinking", thinks=True),
    _("qwen3_5", "Qwen3_5-35B-A3B", ("json_list", "ndjson")),
    _("qwen3_5-overshoot", "qwen3.5-plus", flaw="overshoot"),
    _("qwen3_6", "qwen3.6-plus", ("id_and_label", "json_list")),
    _("cosmos-reason2", "nvidia/Cosmos-Reason2-8B", key="box_2d"),
    _("internvl", "OpenGVLab/InternVL3-8B", ("internvl",)),
    _("internvl-fractions", "OpenGVLab/InternVL3_5-8B", ("internvl",), fractions="picture", right="boxes or stop"),
    _("internvl-mixed", "OpenGVLab/InternVL3_5-14B", ("internvl",), fractions="box", right="boxes or stop"),
    _("nova", "amazon.nova-lite-v1:0", ("nova",), "000-999"),
    _("nova-2", "us.amazon.nova-2-lite-v1:0", ("nova", "json_list"), "000-999", key="bbox"),
    _("ernie", "baidu/ERNIE-4.5-VL-28B-A3B-Thinking", ("ernie",), thinks=True),
    _("glm", "zai-org/GLM-4.5V", ("glm",), thinks=True),
    _("glm-sentence", "glm-4.6v", ("glm_sentence", "glm")),
    _("glm-json", "zai-org/GLM-4.1V-9B-Thinking", ("glm_json",), thinks=True),
    _("glm-nameless", "zai-org/GLM-4.5V-FP8", ("glm_nameless",), right="boxes or stop"),
    _("glm-4v-9b", "THUDM/glm-4v-9b", ("ernie",), "pixels", server="letterbox:1120", right="boxes or stop"),
    _("glm-4v-9b-corner", "zai-org/glm-4v-9b", ("ernie",), "pixels", server="square:1120", right="boxes or stop"),
    _("minicpm", "openbmb/MiniCPM-V-4_5", ("minicpm",)),
    _("minicpm-nameless", "openbmb/MiniCPM-V-2_6", ("minicpm_nameless",), right="boxes or stop"),
    _("seed", "doubao-seed-1-6-vision-250815", ("seed", "seed_lines"), "0-999"),
    _("seed-in-json", "doubao-1-5-vision-pro", ("bbox_in_string",), "0-999"),
    _("seed-thinking", "ByteDance-Seed/Seed-1.8", ("seed",), "0-999", flaw="closed_reasoning"),
    _("rex-omni", "IDEA-Research/Rex-Omni", ("rex_omni",), "0-999"),
    _("locate-anything", "nvidia/LocateAnything-3B", ("locate",)),
    _("youtu", "tencent/Youtu-VL-4B-Instruct", ("youtu",), "pixels"),
    _("youtu-in-json", "tencent/youtu-vl-4b-instruct-gguf", ("youtu_in_string",), "pixels"),
    _("deepseek-vl2", "deepseek-ai/deepseek-vl2-small", ("deepseek",), "0-999"),
    _("deepseek-ocr", "deepseek-ai/DeepSeek-OCR", ("deepseek",), "0-999"),
    _("hunyuan-ocr", "tencent/HunyuanOCR", ("hunyuan",)),
    _("muse", "muse-spark-1.1", ("no_brackets",)),
    _("grok-percent", "grok-4.5", unit="percent", key="box_2d", right="boxes or stop"),
    _("grok", "x-ai/grok-4.6", ("json_list", "markdown"), key="box_2d", right="boxes or stop"),
    _("gpt-5.2", "gpt-5.2", ("contract",), "pixels", server="longest:2048", right="boxes or stop"),
    _("gpt-5", "gpt-5-mini", ("named_corners",), "0-1", right="boxes or stop"),
    _("gpt-4o", "gpt-4o", ("markdown", "numbered"), "pixels", server="longest:2048+shortest:768", right="boxes or stop"),
    _("claude", "claude-sonnet-4-5", ("markdown", "json_list"), "claude pixels", key="bbox"),
    _("kimi", "moonshotai/Kimi-VL-A3B-Thinking-2506", unit="0-1", thinks=True),
    _("kimi-k2.5", "kimi-k2.5", unit="0-1", right="boxes or stop"),
    _("cogvlm", "THUDM/cogvlm-grounding-generalist-hf", ("cogvlm",), "000-999"),
    _("molmo", "allenai/Molmo-7B-D-0924", ("points",), "percent", right="stop"),
    _("molmo2", "allenai/Molmo2-8B", ("molmo2",), "000-999", right="boxes or stop"),
    _("paligemma", "google/paligemma2-3b-mix-448", ("paligemma",), "0-1024", "yxyx", right="boxes or stop"),
    _("florence", "microsoft/Florence-2-large", ("florence",), "0-999", right="boxes or stop"),
    _("moondream", "moondream/moondream3-preview", ("named_corners",), "0-1", right="boxes or stop"),
    _("llama-4", "meta-llama/Llama-4-Scout-17B-16E-Instruct", ("fence_each", "numbered"), "0-1", right="boxes or stop"),
    _("pixtral", "mistralai/Pixtral-12B-2409", ("markdown", "table"), "pixels", server="longest:1024", right="boxes or stop"),
    _("gpt-oss", "openai/gpt-oss-20b", flaw="only_prose", right="stop"),
)  # fmt: skip
_UNLISTED = (
    _("unlisted-prod", "prod", unit="pixels", right="boxes or stop"),
    _("unlisted-finetune", "my-finetune-7b", unit="qwen pixels", right="boxes or stop"),
    _("unlisted-large", "vision-large", order="yxyx", key="box_2d", right="boxes or stop"),
    _("unlisted-acme", "acme/locator-v2", ("locate",), right="boxes or stop"),
    _("unlisted-default", "default", ("declared_xywh",), order="xywh", right="boxes or stop"),
    _("unlisted-model", "model", ("width_and_height",), "pixels", "xywh", right="boxes or stop"),
    _("unlisted-silent-xywh", "vlm", ("contract",), "pixels", "xywh", right="boxes or stop"),
    _("unlisted-grid-xywh", "team-a/boxes-2026-10", ("json_list",), "0-1000", "xywh", right="boxes or stop"),
    _("unlisted-percent", "deployment-1", ("contract",), "percent", right="boxes or stop"),
    _("unlisted-fractions", "local-model", ("by_label",), "0-1", right="boxes or stop"),
    _("unlisted-1024", "checkpoint-4200", ("json_list",), "0-1024", right="boxes or stop"),
    _("unlisted-path", "/models/current", ("by_id",), "0-999", right="boxes or stop"),
    _("unlisted-corners", "vlm-router", ("nested_corners",), "pixels", right="boxes or stop"),
    _("unlisted-ndjson", "blue-whale", ("ndjson",), "pixels", server="scale:0.9", right="boxes or stop"),
    _("unlisted-table", "detector-xl", ("table", "sentences"), right="boxes or stop"),
    _("unlisted-lists", "acme/reader-v3", ("parallel_lists",), "000-999", right="boxes or stop"),
    _("unlisted-tiles", "eu-west/vision", ("json_list",), "pixels", server="tiles:448", right="boxes or stop"),
    _("unlisted-y-pixels", "lora-merged", ("contract",), "pixels", "yxyx", right="boxes or stop"),
    _("unlisted-letterbox", "experimental-v", ("json_list",), server="letterbox:1024", right="boxes or stop"),
    _("unlisted-many-forms", "phoenix-12b", ("json_list", "ernie", "internvl", "by_label"), right="boxes or stop"),
    _("unlisted-corner-points", "acme/see-1", ("corner_points", "corner_prose"), right="boxes or stop"),
    _("unlisted-strings", "vision-mini", ("boxes_as_strings",), "pixels", right="boxes or stop"),
    _("unlisted-percent-signs", "panorama", ("percent_signs",), "percent", right="boxes or stop"),
    _("unlisted-by-id-objects", "acme/see-2", ("by_id_objects",), right="boxes or stop"),
    _("unlisted-xywh-lines", "acme/see-3", ("declared_xywh_lines",), "pixels", "xywh", right="boxes or stop"),
    _("unlisted-csv", "acme/see-4", ("csv", "yaml"), right="boxes or stop"),
    _("unlisted-tuples", "acme/see-5", ("tuples", "voc"), right="boxes or stop"),
    _("misnamed-qwen3", "Qwen/Qwen3-VL-8B-Instruct", unit="qwen pixels", right="boxes or stop"),
    _("misnamed-qwen2_5", "Qwen/Qwen2.5-VL-7B-Instruct", order="yxyx", right="boxes or stop"),
    _("misnamed-gemini", "gemini-2.5-flash", key="box_2d", right="boxes or stop"),
    _("unlisted-bare", "candidate", ("nameless_list",), right="boxes or stop"),
)  # fmt: skip
_OBEYING = tuple(
    replace(model, name=f"{model.name}-obeys", forms=(), flaw="", fractions="")
    for model in (*_FAMILIES, *_UNLISTED)
    if model.name
    in (
        *(
            "claude",
            "ernie",
            "gemma3",
            "glm",
            "glm-4v-9b",
            "gpt-4o",
            "gpt-5",
            "grok",
            "grok-percent",
            "holo1",
        ),
        *("kimi-k2.5", "llama-4", "mimo-vl", "minicpm", "muse", "nova", "nova-2", "pixtral", "qwen-vl-max"),
        *("qwen3_5", "qwen3_6", "seed", "unlisted-1024", "unlisted-finetune", "unlisted-letterbox"),
        *("unlisted-prod", "unlisted-tiles", "youtu"),
    )
)
"""The same numbers in the JSON that was asked for, where the model or one like it is known to write that."""
_LABELS_RIGHT: Mapping[str, Right] = {
    "indexed": "boxes",
    "numbered": "boxes or stop",
    "lower": "boxes",
    "id_before": "boxes",
    "id": "boxes",
    "paraphrased": "stop",
    "chinese": "stop",
    "german": "stop",
    "category": "boxes or stop",
}
_FLAWS_RIGHT: Mapping[str, tuple[tuple[str, ...], Right]] = {
    "cut_stop": (("contract", "json_list", "ndjson", "ernie", "internvl"), "stop"),
    "cut_length": (("contract", "json_list", "ernie", "minicpm"), "stop"),
    "unclosed_reasoning": (("contract", "json_list", "ernie"), "stop"),
    "closed_reasoning": (("contract", "json_list", "ernie"), "boxes"),
    "draft_cut": (("contract", "json_list", "ernie"), "stop"),
    "draft_then_answer": (("contract", "json_list", "ernie"), "boxes or stop"),
    "shifted_ids": (("contract", "ids_alone", "by_id"), "stop"),
    "duplicate_ids": (("contract", "ids_alone"), "boxes or stop"),
    "ids_against_labels": (("id_and_label",), "boxes or stop"),
    "corrected": (("contract", "json_list", "ernie"), "boxes or stop"),
    "sloppy_ids": (("contract", "ids_alone", "id_and_label"), "boxes"),
    "unequal_lists": (("parallel_lists",), "stop"),
    "repeated": (("contract", "json_list", "ernie"), "boxes"),
    "prose": (("contract", "json_list", "ndjson"), "boxes"),
    "only_prose": (("contract",), "stop"),
}
_LABELS = tuple(
    _(f"labels-{labels}", "Qwen/Qwen3-VL-8B-Instruct", labels=labels, right=right)
    for labels, right in _LABELS_RIGHT.items()
)
_FLAWS = tuple(
    _(f"flaw-{flaw}-{form}", "Qwen/Qwen3-VL-8B-Instruct", (form,), flaw=flaw, right=right)
    for flaw, (forms, right) in _FLAWS_RIGHT.items()
    for form in forms
)
CAPS = (200_704, 401_408, 802_816, 1_003_520, 2_000_000)
SIDES = (500, 1024, 2048)
SHRINKING_SERVERS = (
    *(f"{kind}:{cap}" for cap in CAPS for kind in ("qwen28", "pixels")),
    "qwen32:401408",
    *(f"longest:{side}" for side in SIDES),
    *(f"shortest:{side}" for side in SIDES[:2]),
    "scale:0.9",
)
_SHRUNK = tuple(
    _(f"{known}@{server}", served_as, forms, "pixels", server=server, right="boxes or stop")
    for known, served_as, forms in (
        ("qwen2_5-vl", "Qwen/Qwen2.5-VL-7B-Instruct", ()),
        ("nobody", "prod", ()),
    )
    for server in SHRINKING_SERVERS
)


def _by_name(rows: Iterable[DisobedientModel]) -> dict[str, DisobedientModel]:
    named: dict[str, DisobedientModel] = {}
    for row in rows:
        if row.name in named:
            raise ValueError(f"two models are called {row.name!r}")
        named[row.name] = row
    return named


MODELS: Mapping[str, DisobedientModel] = _by_name(
    (*_FAMILIES, *_UNLISTED, *_OBEYING, *_LABELS, *_FLAWS, *_SHRUNK)
)
