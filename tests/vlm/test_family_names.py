"""Which family a model's name tells, by names that makers publish and users type."""

import pytest

from grounding_assets.core.spec.loading import validate_spec
from resources.vlm.families import BY_NAME, FAMILIES, family_called, family_of, plain_name
from resources.vlm.resource import family_of_spec

NAMES = {
    "gemini": (
        "gemini-2.5-flash",
        "models/gemini-3.1-flash-lite-preview",
        "google/gemini-2.5-pro",
        "gemini-3-flash-preview:free",
    ),
    "nova": (
        "amazon.nova-lite-v1:0",
        "us.amazon.nova-pro-v1:0",
        "us.amazon.nova-2-lite-v1:0",
        "amazon/nova-premier-v1",
        "nova-lite",
    ),
    "qwen3_vl": (
        "Qwen/Qwen3-VL-8B-Instruct",
        "qwen3_vl_8b",
        "qwen3-vl:235b-cloud",
        "Qwen/Qwen3.5-35B-A3B",
        "Qwen3_5-35B-A3B",
        "qwen3.6-plus",
        "Qwen/Qwen3.6-27B",
        "Qwen3.8-Flash-Next",
        "Qwen/Qwen3-Omni-30B-A3B-Instruct",
        "openrouter/qwen/qwen3-vl-32b-instruct:free",
    ),
    "qwen2_5_vl": (
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen2_5_VL-7B-Instruct-AWQ",
        "qwen2_5_vl-72b-awq",
        "qwen2.5vl:7b",
        "qwen2.5-vl-72b-instruct:free",
        "Qwen/Qwen2.5-Omni-7B",
        "/data/models/qwen2.5-vl-7b/checkpoint-4200",
        "unsloth/Qwen2.5-VL-3B-Instruct-bnb-4bit",
    ),
    "qwen2_5_descendant": (
        "qwen-vl-max",
        "qwen-vl-max-latest",
        "qwen-vl-plus",
        "ByteDance-Seed/UI-TARS-1.5-7B",
        "XiaomiMiMo/MiMo-VL-7B-RL",
        "Hcompany/Holo1-7B",
        "allenai/olmOCR-7B-0225-preview",
    ),
    "qwen2_vl": (
        "Qwen/Qwen2-VL-7B-Instruct",
        "qwen2_vl_2b",
    ),
    "internvl": (
        "OpenGVLab/InternVL3-8B",
        "OpenGVLab/InternVL3_5-8B",
        "internvl2.5-78b",
        "internlm/internlm-xcomposer2d5-7b",
    ),
    "cosmos_reason2": (
        "nvidia/Cosmos-Reason2-8B",
        "cosmos_reason2",
    ),
    "cosmos_reason1": (
        "nvidia/Cosmos-Reason1-7B",
        "nvidia/cosmos-reason1",
    ),
    "ernie_vl": (
        "baidu/ERNIE-4.5-VL-28B-A3B-Thinking",
        "ernie-4.5-turbo-vl",
    ),
    "glm_v": (
        "zai-org/GLM-4.5V",
        "zai-org/GLM-4.1V-9B-Thinking",
        "zai-org/GLM-4.6V-Flash",
        "glm-4.6v",
        "glm-5v-turbo",
        "z-ai/glm-4.5v:free",
        "GLM_4_5V",
    ),
    "minicpm_v": (
        "openbmb/MiniCPM-V-4_5",
        "openbmb/MiniCPM-V-2_6",
        "minicpm-v:8b",
        "openbmb/MiniCPM-o-2_6",
    ),
    "seed": (
        "doubao-seed-1-6-vision-250815",
        "doubao-1-5-vision-pro",
        "ByteDance-Seed/Seed-1.8",
        "doubao-1.5-thinking-vision-pro",
    ),
    "rex_omni": (
        "IDEA-Research/Rex-Omni",
        "rex_omni",
    ),
    "locate_anything": ("nvidia/LocateAnything-3B",),
    "youtu_vl": ("tencent/Youtu-VL-4B-Instruct",),
    "deepseek_vl2": (
        "deepseek-ai/deepseek-vl2",
        "deepseek-ai/deepseek-vl2-small",
        "deepseek_vl2",
        "deepseek-ai/DeepSeek-OCR",
    ),
    "hunyuan_ocr": ("tencent/HunyuanOCR",),
    "paligemma": (
        "google/paligemma2-3b-mix-448",
        "paligemma",
    ),
    "gemma": (
        "google/gemma-3-27b-it",
        "gemma3:4b",
        "gemma-4-31b-it:free",
        "models/gemma-3-12b-it",
    ),
    "gpt_5_2": (
        "gpt-5.2",
        "openai/gpt-5.4",
        "gpt-5.6-mini",
        "azure/gpt-5.2-chat",
        "my-gpt-5.4-deployment",
    ),
    "gpt_5": (
        "gpt-5",
        "gpt-5.1",
        "gpt-5-mini",
        "gpt-5-2025-08-07",
        "openai/gpt-5-nano",
        "gpt-5.1-2025-11-13",
    ),
    "gpt_4o": (
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1",
        "azure/gpt-4.1-mini",
        "openai/gpt-4o:extended",
        "chatgpt-4o-latest",
    ),
    "claude": (
        "claude-sonnet-4-5",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "us.anthropic.claude-opus-4-1-20250805-v1:0",
        "anthropic/claude-haiku-4.5",
    ),
    "grok": (
        "grok-4.5",
        "x-ai/grok-4.6",
    ),
    "muse": (
        "muse-spark-1.1",
        "meta/muse-spark",
    ),
    "kimi_vl": (
        "moonshotai/Kimi-VL-A3B-Instruct",
        "kimi_vl",
    ),
    "cogvlm": ("THUDM/cogvlm-grounding-generalist-hf",),
    "molmo2": (
        "allenai/Molmo2-8B",
        "allenai/MolmoAct2-7B",
    ),
    "molmo": (
        "allenai/Molmo-7B-D-0924",
        "allenai/MolmoE-1B-0924",
    ),
    "text_only": (
        "openai/gpt-oss-20b",
        "gpt-oss:120b",
        "gpt-oss-120b:free",
        "deepseek-r1",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        "deepseek/deepseek-chat-v3.1:free",
        "DeepSeek-V3.2",
        "llama-3.3-70b",
        "meta-llama/Llama-3.1-8B-Instruct",
        "llama3.2:1b",
        "qwen3-32b",
        "Qwen/Qwen3-8B",
        "Qwen3-30B-A3B-Instruct-2507",
        "qwen3-coder",
        "Qwen/Qwen2.5-7B-Instruct",
        "qwq-32b",
        "o1-mini",
        "openai/o3-mini",
        "gpt-3.5-turbo",
        "gpt-4",
        "gpt-4-0613",
        "amazon.nova-micro-v1:0",
        "mistral-7b-instruct",
        "mixtral-8x7b",
        "phi-4",
        "moonshotai/kimi-k2-instruct",
        "google/gemma-2-9b-it",
        "gemma3:1b",
        "codestral-latest",
    ),
    "unknown": (
        "prod",
        "my-vlm-prod",
        "vlm",
        "default",
        "deepseek-ai/deepseek-vl-7b-chat",
        "ovis/o1-9b",
        "AIDC-AI/Ovis2-8B",
        "THUDM/glm-4v-9b",
        "GLM-5.1",
        "kimi-k2.5",
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
        "mistralai/Pixtral-12B-2409",
        "stepfun-ai/step3",
        "MiniMax-VL-01",
        "HuggingFaceTB/SmolVLM-Instruct",
        "microsoft/Phi-4-multimodal-instruct",
        "nvidia/Llama-3.1-Nemotron-Nano-VL-8B-V1",
    ),
}
CASES = [(name, family) for family, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("model", "family"), CASES, ids=[name for name, _ in CASES])
def test_the_name_tells_the_family(model: str, family: str) -> None:
    assert family_of(model).name == family


def test_every_family_has_a_name_in_this_table() -> None:
    assert set(NAMES) == set(BY_NAME)


@pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])
def test_a_spelling_with_underscores_capitals_or_a_tag_tells_the_same(family: object) -> None:
    for model in NAMES[family.name]:  # type: ignore[attr-defined]
        for spelled in (model.upper(), f"models/{model}", plain_name(model), plain_name(model) + ":latest"):
            assert family_of(spelled) is family, spelled


@pytest.mark.parametrize(
    ("name", "model", "family"),
    [
        ("auto", "prod", "unknown"),
        ("qwen3_vl", "gpt-4o", "qwen3_vl"),
        ("gpt", "openai/gpt-4.1-mini", "gpt_4o"),
        ("gpt", "gpt-5", "gpt_5"),
        ("gpt", "gpt-5.4", "gpt_5_2"),
        ("gpt", "prod", "gpt_5_2"),
        ("gpt", "our-qwen3-vl", "gpt_5_2"),
    ],
)
def test_a_family_can_be_named_and_gpt_means_the_generation_of_the_model(
    name: str, model: str, family: str
) -> None:
    assert family_called(name, model).name == family
    vlm = {"family": name, "backend": "openai", "openai": {"model_name": model}}
    spec = validate_spec({"results_dir": "r", "image_grounding": {"vlm": vlm}}, where="test")
    assert family_of_spec(spec).name == family
