"""Which family a model's name tells, by names that the makers publish."""

import pytest

from resources.vlm.families import family_of

NAMES = {
    "Qwen/Qwen3-VL-8B-Instruct": "qwen3_vl",
    "Qwen/Qwen3.5-35B-A3B": "qwen3_vl",
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2_5_vl",
    "zai-org/GLM-4.1V-9B-Thinking": "glm_v",
    "zai-org/GLM-4.6V-Flash": "glm_v",
    "glm-5v-turbo": "glm_v",
    "GLM-5.1": "unknown",
    # nothing is published on how it writes boxes, so it is measured
    "Qwen/Qwen3.6-27B": "unknown",
}


@pytest.mark.parametrize("model", NAMES)
def test_the_name_tells_the_family(model: str) -> None:
    assert family_of(model).name == NAMES[model]
