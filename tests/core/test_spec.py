"""The spec: TAO's names and defaults, Hydra's overrides, errors that name field and remedy, and no key in any."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from grounding_assets.core.errors import EXIT_WRONG_INPUT, SpecError
from grounding_assets.core.spec.loading import field_names, load_spec
from grounding_assets.core.spec.settings import Spec

KEY = "AIza-SECRET-0123456789"
TAO_DEFAULTS = """
autolabel_type: image_grounding
image_grounding:
  vlm:
    backend: gemini
    gemini: {api_key: "", model: gemini-3.1-flash-lite-preview, media_resolution: MEDIA_RESOLUTION_HIGH,
             temperature: 0.3, max_output_tokens: 8192, timeout: 120}
    openai: {api_key: "", base_url: "", model_name: "", temperature: 0.7, max_tokens: 4096, timeout: 60}
  workflow: {steps: ["0", "1"], max_workers: 4, force_reprocess: false}
  data:
    input_jsonl: ???
    image_root: ""
"""


def load(tmp_path: Path, text: str = "results_dir: r", overrides: Sequence[str] = ()) -> Spec:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return load_spec(path, overrides)


def error_of(tmp_path: Path, text: str = "results_dir: r", overrides: Sequence[str] = ()) -> str:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, overrides)
    assert caught.value.exit_code == EXIT_WRONG_INPUT
    return str(caught.value)


def value_at(spec: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        spec = getattr(spec, name)
    return spec


def leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in tree.items():
        found += leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


@pytest.mark.parametrize(("field", "default"), leaves(yaml.safe_load(TAO_DEFAULTS)))
def test_taos_fields_have_taos_defaults(tmp_path: Path, field: str, default: Any) -> None:
    value = value_at(load(tmp_path), field)
    if field.endswith("api_key"):
        value = value.get_secret_value()
    assert (list(value) if isinstance(value, tuple) else value) == default
    assert field in field_names()


def test_taos_spec_as_it_stands_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, "results_dir: r\n" + TAO_DEFAULTS) == load(tmp_path)


def test_blocks_of_taos_other_pipelines_have_no_effect(tmp_path: Path) -> None:
    text = (
        "results_dir: r\ngpu_ids: [0]\nmal: {lr: 1}\ngrounding_dino: {x: y}\nimage_referring_expression: {}"
    )
    spec = load(tmp_path, text)
    assert spec.model_dump() == load(tmp_path).model_dump()
    assert spec.ignored == ("gpu_ids", "mal", "grounding_dino", "image_referring_expression")


def test_a_spec_is_immutable_and_every_field_is_described(tmp_path: Path) -> None:
    spec = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        spec.workflow.max_workers = 5  # type: ignore[misc]
    for dotted in field_names():
        section, _, name = dotted.rpartition(".")
        field = type(value_at(spec, section) if section else spec).model_fields[name]
        assert field.description, dotted


OVERRIDES: list[tuple[list[str], str, Any]] = [
    (["image_grounding.workflow.max_workers=32"], "image_grounding.workflow.max_workers", 32),
    (["image_grounding.workflow.steps=[0]"], "image_grounding.workflow.steps", ("0",)),
    (['image_grounding.workflow.steps=["0"]'], "image_grounding.workflow.steps", ("0",)),
    (["image_grounding.workflow.steps=['1','0','1']"], "image_grounding.workflow.steps", ("0", "1")),
    (["image_grounding.workflow.steps=1"], "image_grounding.workflow.steps", ("1",)),
    (["image_grounding.workflow.force_reprocess=true"], "image_grounding.workflow.force_reprocess", True),
    (["image_grounding.vlm.backend=local"], "image_grounding.vlm.backend", "local"),
    (["image_grounding.vlm.openai.timeout=0.5"], "image_grounding.vlm.openai.timeout", 0.5),
    (["image_grounding.vlm.openai.base_url=http://h:8000/v1"], "image_grounding.vlm.openai.base_url", "http://h:8000/v1"),
    (
        ["image_grounding.vlm.openai.base_url=http://h/v1/chat/completions"],
        "image_grounding.vlm.openai.base_url",
        "http://h/v1",
    ),
    (["image_grounding.vlm.openai.model_name=123"], "image_grounding.vlm.openai.model_name", "123"),
    (["++image_grounding.vlm.gemini.model=a/b-c.d"], "image_grounding.vlm.gemini.model", "a/b-c.d"),
    (["+image_grounding.data.image_root=/data/x y"], "image_grounding.data.image_root", "/data/x y"),
    (["image_grounding.data.input_jsonl='/data/a=b,c.jsonl'"], "image_grounding.data.input_jsonl", "/data/a=b,c.jsonl"),
    (["results_dir=/tmp/out"], "results_dir", "/tmp/out"),
    (["results_dir=2026"], "results_dir", "2026"),
    (["results_dir=a", "results_dir=b"], "results_dir", "b"),
    (["results_dir=/base", "image_grounding.data.input_jsonl=${results_dir}/in.jsonl"],
     "image_grounding.data.input_jsonl", "/base/in.jsonl"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "field", "value"), OVERRIDES)
def test_overrides_in_hydras_grammar(tmp_path: Path, overrides: list[str], field: str, value: Any) -> None:
    assert value_at(load(tmp_path, overrides=overrides), field) == value


def test_an_override_can_take_a_field_back(tmp_path: Path) -> None:
    text = "results_dir: r\nimage_grounding: {workflow: {max_workers: 9}}"
    assert load(tmp_path, text, ["~image_grounding.workflow.max_workers"]).workflow.max_workers == 4


NEAREST = [
    ("image_grounding.vlm.openai.model", "image_grounding.vlm.openai.model_name"),
    ("image_grounding.vlm.gemini.media_resolutoin", "image_grounding.vlm.gemini.media_resolution"),
    ("image_grounding.vlm.gemni.model", "image_grounding.vlm.gemini"),
    ("image_grounding.max_workers", "image_grounding.workflow.max_workers"),
    ("image_grounding.workflow.step", "image_grounding.workflow.steps"),
    ("result_dir", "results_dir"),
    ("image_groundings.vlm.backend", "image_grounding"),
]


@pytest.mark.parametrize(("field", "nearest"), NEAREST)
def test_an_unknown_field_names_the_nearest_known_one(tmp_path: Path, field: str, nearest: str) -> None:
    message = error_of(tmp_path, overrides=[f"++{field}=1"])
    assert "unknown field" in message and f"the nearest known one is '{nearest}'" in message


G = "image_grounding.vlm"
WRONG: list[tuple[str, list[str], str]] = [
    ("image_grounding: {}", [], "'results_dir': required: set it in the spec or as results_dir=DIR"),
    ("results_dir: ???", [], "'results_dir': required"),
    ("results_dir: ''", [], "'results_dir'"),
    ("results_dir: ftp://host/out", [], "'results_dir': ftp:// is not supported"),
    ("results_dir: r", ["results_dir=SFTP://b/o"], "'results_dir': sftp:// is not supported"),
    (
        "results_dir: r",
        ["data.input_jsonl=hf://datasets/x/in.jsonl"],
        "'image_grounding.data.input_jsonl': hf://",
    ),
    (
        "results_dir: r",
        ["data.image_root=https://photos.example/x"],
        "'image_grounding.data.image_root': https://",
    ),
    ("results_dir: r", ["data.image_root=s3://me:hunter2@b/x"], "credentials do not belong into an address"),
    ("results_dir: r", ["data.image_root=s3:///x"], "names no bucket; the form is s3://bucket/path"),
    ("results_dir: r", ["data.image_sources=['https://']"], "https:// is not object storage"),
    ("results_dir: r", ["data.image_sources=[photos]"], "must be an address such as s3://bucket/folder/"),
    ("results_dir: r", ["data.gold_jsonl=file:///data/a%20b.jsonl"], "give the path itself: /data/a b.jsonl"),
    ("results_dir: [a]", [], "'results_dir'"),
    (
        "results_dir: r\nautolabel_type: mal",
        [],
        "'mal' is not supported; set autolabel_type: image_grounding",
    ),
    ("results_dir: r", [f"{G}.backend=opnai"], "'gemini', 'openai' or 'local' (given: 'opnai')"),
    ("results_dir: r", [f"{G}.gemini.media_resolution=HIGH"], "MEDIA_RESOLUTION_HIGH"),
    ("results_dir: r", ["image_grounding.workflow.max_workers=0"], "greater than or equal to 1 (given: '0')"),
    (
        "results_dir: r",
        ["image_grounding.workflow.max_workers=many"],
        "'image_grounding.workflow.max_workers'",
    ),
    ("results_dir: r", ["image_grounding.workflow.steps=[]"], 'choose ["0"], ["1"] or ["0", "1"]'),
    ("results_dir: r", ["image_grounding.workflow.steps=[3]"], "'image_grounding.workflow.steps'"),
    ("results_dir: r", ["image_grounding.workflow.steps=[true]"], "'image_grounding.workflow.steps'"),
    ("results_dir: r", [f"{G}.openai.timeout=0"], "greater than 0"),
    ("results_dir: r", [f"{G}.openai.timeout=inf"], "finite"),
    ("results_dir: r", [f"{G}.openai.temperature=nan"], f"'{G}.openai.temperature'"),
    ("results_dir: r", [f"{G}.gemini.temperature=2.5"], "less than or equal to 2"),
    ("results_dir: r", [f"{G}.openai.base_url=localhost:8000"], "must start with http:// or https://"),
    ("results_dir: r", [f"{G}.openai.base_url='http://[::1'"], f"'{G}.openai.base_url'"),
    ("results_dir: r", ["image_grounding.data.name=a-b"], "'image_grounding.data.name'"),
    ("results_dir: r", [f"{G}.backend=gemini,local"], "is given several values; one run takes one"),
    (
        "results_dir: r",
        ["results_dir=/a=b"],
        "Cannot read the override of 'results_dir': write it as a.b=value",
    ),
    ("results_dir: r", ["results_dir"], "Cannot read the override of 'results_dir'"),
    ("results_dir: r", ["image_grounding.data.input_jsonl=${nowhere}"], "'image_grounding.data.input_jsonl'"),
    ("- a", [], "must hold a mapping"),
    ("5", [], "Cannot read the spec"),
    ("a: [", [], "line 2 is not valid YAML"),
    ("results_dir: a\nresults_dir: b", [], "line 2 is not valid YAML: found duplicate key results_dir"),
    ("results_dir: !!python/object/apply:os.system [x]", [], "line 1 is not valid YAML"),
    ("results_dir: r\nimage_grounding: null", [], "'image_grounding'"),
]


@pytest.mark.parametrize(("text", "overrides", "words"), WRONG)
def test_errors_name_field_and_remedy(tmp_path: Path, text: str, overrides: list[str], words: str) -> None:
    message = error_of(tmp_path, text, overrides)
    assert words in message
    assert message.endswith((".", "'.")) and len(message) < 500


def test_several_errors_are_told_at_once(tmp_path: Path) -> None:
    message = error_of(tmp_path, overrides=["autolabel_type=x", "++image_grounding.data.nmae=y"])
    assert "'x' is not supported" in message and "'image_grounding.data.name'" in message


@pytest.mark.parametrize("content", [b"a: \xff\xfe", b"a: \x00", None, "folder"])
def test_a_spec_that_cannot_be_read_is_named(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "spec.yaml"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(path) in str(caught.value)
    assert (content is None) == ("auto_label default_specs" in str(caught.value))


NESTED = "results_dir: r\nimage_grounding: {vlm: {gemini: %s}}"
WITH_A_KEY: list[tuple[str, list[str]]] = [
    (NESTED % f"{{api_key: {KEY}, modle: x}}", []),
    (NESTED % f"{{apikey: {KEY}}}", []),
    (NESTED % f"{{api_key: [{KEY}]}}", []),
    (NESTED % f"{{api_key: {{a: {KEY}}}}}", []),
    (NESTED % f"{{model: [{KEY}]}}", []),
    (NESTED % f"{{base_url: {KEY}}}", []),
    (NESTED % f"{{base_url: 'https://u:{KEY}@host/'}}", []),
    (NESTED % f"{{base_url: 'https://host/?key={KEY}'}}", []),
    (NESTED % f"[{KEY}]", []),
    (NESTED % KEY, []),
    (NESTED % f"{{api_key: '${{{KEY}'}}", []),
    (NESTED % f"{{api_key: '${{{KEY}}}'}}", []),
    (NESTED % f"{{api_key: {KEY}: x}}", []),
    (NESTED % f"{{api_key: {KEY}}}", [f"{G}.gemini.api_key.more=1"]),
    (NESTED % f"{{api_key: {KEY}, timeout: 0}}", []),
    ("results_dir: r", [f"{G}.gemini={KEY}"]),
    ("results_dir: r", [f"{G}={KEY}"]),
    ("results_dir: r", [f"{G}.gemini.api_key:{KEY}"]),
    ("results_dir: r", [f"{G}.gemini.api_key {KEY}"]),
    ("results_dir: r", [f"{G}.gemini.api_key='{KEY}"]),
    ("results_dir: r", [f"{G}.gemini.api_key={KEY},{KEY}"]),
    ("results_dir: r", [f"{G}.gemini.api_key=int({KEY})"]),
    ("results_dir: r", [f"{G}.gemini.api_key=${{{KEY}}}"]),
    ("results_dir: r", [f"{G}.gemini.api_key.x={KEY}", f"{G}.gemini.api_key={KEY}", "~nothing"]),
    ("results_dir: r", [f"{G}.gemini.api_key@x={KEY}"]),
    ("results_dir: r", [f"~{G}.gemini.api_key={KEY}"]),
    ("results_dir: r", [KEY]),
]


@pytest.mark.parametrize(("text", "overrides"), WITH_A_KEY)
def test_no_error_quotes_a_key(tmp_path: Path, text: str, overrides: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text, overrides)
    assert KEY not in "".join(traceback.format_exception(caught.value)).replace(repr(KEY), KEY)


def test_no_form_of_a_spec_shows_a_key(tmp_path: Path) -> None:
    spec = load(tmp_path, overrides=[f"{G}.gemini.api_key={KEY}", f"++{G}.openai.api_key={KEY}"])
    assert spec.vlm.gemini.api_key.get_secret_value() == spec.vlm.openai.api_key.get_secret_value() == KEY
    for shown in (repr(spec), str(spec), spec.model_dump_json(), repr(spec.model_dump()), f"{spec!r:>9}"):
        assert KEY not in shown


def test_a_key_of_digits_is_a_text(tmp_path: Path) -> None:
    assert (
        load(tmp_path, overrides=[f"{G}.openai.api_key=12345"]).vlm.openai.api_key.get_secret_value()
        == "12345"
    )


@pytest.mark.parametrize(
    "field", ["workflow.max_workers", "workflow.limit", "workflow.max_cost", "vlm.openai.temperature"]
)
def test_a_truth_value_is_no_number(tmp_path: Path, field: str) -> None:
    message = error_of(tmp_path, overrides=[f"{field}=true"])
    assert f"'image_grounding.{field}': give a number, not true" in message
