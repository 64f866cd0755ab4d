"""The forms that models fall into when they do not write the JSON that they were asked for.

A form is a function of the answers, in the family's own numbers, and of the family's key. An absent target is left
out unless the form has a way to say so. Where a form comes from stands beside it. Written from makers' documents
and published replies, never from what a reader of replies expects. Not here: who uses which form
(`disobedient.py`), how labels and answers go wrong (`manner.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.endpoints import json_forms, text_forms
from tests.endpoints.families import Answer

Write = Callable[[Sequence[Answer], str], str]


@dataclass(frozen=True, slots=True)
class Form:
    write: Write
    source: str
    """The maker's or a user's document that shows it."""
    nothing: str = "There is no such object in the image."
    """What is written where no target is there at all; "" leaves it to the form."""


FORMS: Mapping[str, Form] = {
    "contract": Form(json_forms.contract, "the JSON that was asked for", ""),
    "json_list": Form(json_forms.json_list, "QwenLM/Qwen3-VL and google-gemini cookbooks: fenced array, a box each", "```json\n[]\n```"),
    "bare_list": Form(json_forms.bare_list, "google-gemini cookbook: array without a fence", "[]"),
    "id_and_label": Form(json_forms.id_and_label, "a list in Qwen's form that keeps the ids of the question", "[]"),
    "ids_alone": Form(json_forms.ids_alone, "the same without labels", "[]"),
    "object_bboxes": Form(json_forms.object_bboxes, "Blaizzy/mlx-vlm object_detection.ipynb (Qwen2-VL)", "[]"),
    "ndjson": Form(json_forms.ndjson, "one object a line, as small models write lists"),
    "fence_each": Form(json_forms.fence_each, "a fence for each expression, as Gemma and Llama write several answers"),
    "named_corners": Form(json_forms.named_corners, "roboflow/inference (GPT-5, Moondream): x_min, y_min, x_max, y_max", "[]"),
    "no_brackets": Form(json_forms.objects_without_brackets, "roboflow/inference (Muse): objects without the array's brackets"),
    "nested_corners": Form(json_forms.nested_corners, "corners in an object, as OpenAI's structured outputs are often shown", '{"objects": []}'),
    "declared_xywh": Form(json_forms.declared_xywh, "COCO's bbox, declared in the reply itself", '{"format": "xywh", "objects": []}'),
    "width_and_height": Form(json_forms.width_and_height, "roboflow/inference: x, y, width, height by name", "[]"),
    "by_label": Form(json_forms.by_label, "an object keyed by label", "{}"),
    "by_id": Form(json_forms.by_id, "an object keyed by id", ""),
    "nova": Form(json_forms.nova, "AWS Nova guide, multimodal prompting: [{\"label\": [x1, y1, x2, y2]}]", "[]"),
    "parallel_lists": Form(json_forms.parallel_lists, "Florence-2's post_process_generation: bboxes beside labels", '{"bboxes": [], "labels": []}'),
    "bbox_in_string": Form(json_forms.bbox_in_string, "Volcengine Ark visual grounding: the tag inside the JSON asked for", ""),
    "youtu_in_string": Form(json_forms.youtu_in_string, "TencentCloudADP/youtu-vl: the token box as a JSON string", "[]"),
    "corner_points": Form(json_forms.corner_points, "named corners as points: top_left, bottom_right", "[]"),
    "boxes_as_strings": Form(json_forms.boxes_as_strings, "numbers in a string, as small models write under a schema", "[]"),
    "percent_signs": Form(json_forms.percent_signs, "percent, with the sign", "[]"),
    "by_id_objects": Form(json_forms.by_id_objects, "an object keyed by id, with a label in each", ""),
    "corner_prose": Form(text_forms.corner_prose, "chat models: top-left (x, y), bottom-right (x, y)"),
    "declared_xywh_lines": Form(text_forms.declared_xywh_lines, "COCO's bbox, declared in a first line"),
    "csv": Form(text_forms.csv, "a table with commas"),
    "yaml": Form(text_forms.yaml, "YAML in a fence"),
    "tuples": Form(text_forms.tuples, "Python tuples behind a dash"),
    "voc": Form(text_forms.voc, "Pascal VOC's XML"),
    "ernie": Form(text_forms.ernie, "PaddlePaddle/ERNIE#1364: label: [[...]]"),
    "markdown": Form(text_forms.markdown, "chat models without a form of their own: a list in Markdown"),
    "numbered": Form(text_forms.numbered, "the same, numbered"),
    "table": Form(text_forms.table, "the same, as a table"),
    "sentences": Form(text_forms.sentences, "OpenGVLab/InternVL#625: a sentence for each"),
    "internvl": Form(text_forms.internvl, "InternVL docs, grounding data: <ref>L</ref><box>[[...]]</box>"),
    "minicpm": Form(text_forms.minicpm, "OpenBMB/MiniCPM-V#772: <ref>L</ref><box>x1 y1 x2 y2</box>"),
    "minicpm_nameless": Form(text_forms.minicpm_nameless, "OpenBMB/MiniCPM-V#982: the box alone"),
    "seed": Form(text_forms.seed, "bytedance/UI-TARS and Volcengine Ark: <bbox>x1 y1 x2 y2</bbox> behind the name"),
    "seed_lines": Form(text_forms.seed_lines, "the same, a line for each box"),
    "rex_omni": Form(text_forms.rex_omni, "IDEA-Research/Rex-Omni paper and parser: <12><42><512><612>", ""),
    "locate": Form(text_forms.locate, "NVlabs/Eagle, LocateAnything: <ref>L</ref><box><a><b><c><d></box>, <box>none</box>", ""),
    "youtu": Form(text_forms.youtu, "TencentCloudADP/youtu-vl: <ref>L</ref><box><x_1><y_2><x_3><y_4></box>"),
    "deepseek": Form(text_forms.deepseek, "deepseek-ai/DeepSeek-VL2 README: <|ref|>L<|/ref|><|det|>[[...]]<|/det|>"),
    "hunyuan": Form(text_forms.hunyuan, "Tencent-Hunyuan/HunyuanOCR: text(x1,y1),(x2,y2)"),
    "qwen_tokens": Form(text_forms.qwen_tokens, "Qwen2-VL: <|object_ref_start|>...<|box_start|>(x1,y1),(x2,y2)<|box_end|>"),
    "glm": Form(text_forms.glm, "zai-org/GLM-V: label: <|begin_of_box|>[[...]]<|end_of_box|>"),
    "glm_sentence": Form(text_forms.glm_sentence, "a published reply of GLM-4.6V: a sentence around the tokens"),
    "glm_nameless": Form(text_forms.glm_nameless, "zai-org/GLM-V#118: boxes come without a label"),
    "glm_json": Form(text_forms.glm_json, "zai-org/GLM-V: a JSON list in the tokens", "<|begin_of_box|>[]<|end_of_box|>"),
    "cogvlm": Form(text_forms.cogvlm, "zai-org/CogVLM#25, #165: [[x1,y1,x2,y2;...]], three digits"),
    "molmo2": Form(text_forms.molmo2, "users of MolmoAct2: <boxes coords=\"1 1 x1 y1 x2 y2\">L</boxes>"),
    "points": Form(text_forms.points, "allenai/Molmo: points, no boxes"),
    "paligemma": Form(text_forms.paligemma, "PaliGemma in transformers: <loc0051> x 4 and the label, y first"),
    "florence": Form(text_forms.florence, "Florence-2 in transformers: label<loc_1>..."),
    "ui_tars": Form(text_forms.ui_tars, "bytedance/UI-TARS README: an action at a point"),
    "nameless_list": Form(text_forms.nameless_list, "a bare list of lists", "[]"),
}  # fmt: skip


def write(form: str, answers: Sequence[Answer], key: str) -> str:
    """The reply in a form; raises KeyError for a form that is not in `FORMS`."""
    wanted = FORMS[form]
    if not wanted.nothing or any(answer.boxes for answer in answers):
        return wanted.write(answers, key)
    return wanted.nothing
