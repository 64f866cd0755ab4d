"""The spec as run configuration of a real Dagster job: every setting can be overridden, no key gets in."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from pydantic import BaseModel, SecretStr

from grounding_assets.core.spec.loading import field_names, validate_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.dataset_resource import dataset_resource
from resources.dead_runs import RunProcess
from resources.run_config import FIXED_BY_CODE_LOCATION, overrides_from
from tests.storages import fresh_instance

BASE = Spec(results_dir="/results")
KEY = "AIza-SECRET-0123456789"
SECTION = "image_grounding."


def run(base: Spec, config: dict[str, Any]) -> Spec:
    """The spec that a resource of a run sees, with this configuration."""
    resource = dataset_resource(base, Credentials())
    with dg.build_resources({"dataset": resource}, resource_config={"dataset": {"config": config}}) as built:
        dataset: DataSet = built.dataset
        return dataset.spec


def nested(dotted: str, value: Any) -> dict[str, Any]:
    *sections, name = dotted.split(".")
    tree: dict[str, Any] = {name: value}
    for section in reversed(sections):
        tree = {section: tree}
    return tree


def at(spec: Any, dotted: str) -> Any:
    for name in dotted.split("."):
        spec = getattr(spec, name)
    return spec


def settings_of_a_run() -> list[str]:
    """Every setting below `image_grounding` that a run may change."""
    names = [name.removeprefix(SECTION) for name in field_names() if name.startswith(SECTION)]
    return [
        name for name in names if "api_key" not in name and name.split(".")[-1] not in FIXED_BY_CODE_LOCATION
    ]


def schema_names(fields: dict[str, dg.Field], prefix: str = "") -> Iterator[tuple[str, dg.Field]]:
    for name, field in fields.items():
        inner = getattr(field.config_type, "fields", None)
        if inner:
            yield from schema_names(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def fields_of(spec: Spec) -> dict[str, dg.Field]:
    definition = dataset_resource(spec, Credentials()).get_resource_definition()
    shape: Any = definition.config_schema.as_field().config_type
    return shape.fields


def test_the_schema_has_every_setting_with_default_and_description_but_keys_and_names() -> None:
    found = dict(schema_names(fields_of(BASE)))
    assert sorted(found) == sorted(settings_of_a_run())
    for name, field in found.items():
        assert field.description and not field.is_required, name
        default = at(BASE.image_grounding, name)
        assert field.default_value == (list(default) if isinstance(default, tuple) else default), name


def test_without_configuration_a_run_has_the_locations_spec() -> None:
    base = validate_spec(
        {
            "results_dir": "/results",
            "image_grounding": {
                "vlm": {"gemini": {"api_key": KEY, "timeout": 7, "temperature": 1}},
                "workflow": {"steps": ["0"], "max_workers": 9},
                "data": {"name": "demo", "input_jsonl": "/in.jsonl"},
            },
        },
        where="test",
    )
    assert run(base, {}) == base
    assert run(base, {"vlm": {"gemini": {}}}).vlm.gemini.api_key.get_secret_value() == KEY


OVERRIDES: list[tuple[str, Any]] = [
    ("vlm.backend", "local"),
    ("vlm.gemini.model", "gemini-9"),
    ("vlm.gemini.media_resolution", "MEDIA_RESOLUTION_LOW"),
    ("vlm.gemini.temperature", 1.5),
    ("vlm.gemini.timeout", 0.5),
    ("vlm.gemini.max_output_tokens", 100),
    ("vlm.openai.base_url", "http://localhost:1/v1"),
    ("vlm.openai.model_name", "a/b"),
    ("vlm.openai.timeout", 30.5),
    ("vlm.openai.max_tokens", 100),
    ("vlm.local.single_threshold", 0.5),
    ("workflow.steps", ["0"]),
    ("workflow.max_workers", 64),
    ("workflow.force_reprocess", True),
    ("data.input_jsonl", "/other.jsonl"),
    ("data.image_root", "/pictures"),
]


@pytest.mark.parametrize(("field", "value"), OVERRIDES)
def test_an_override_of_the_launchpad_reaches_the_spec(field: str, value: Any) -> None:
    spec = run(BASE, nested(field, value))
    expected = tuple(value) if isinstance(value, list) else value
    assert at(spec.image_grounding, field) == expected
    untouched = [name for name in settings_of_a_run() if name != field]
    assert all(at(spec.image_grounding, name) == at(BASE.image_grounding, name) for name in untouched)


@pytest.mark.parametrize(("field", "value"), OVERRIDES)
def test_what_a_command_line_changed_survives_the_run_configuration(field: str, value: Any) -> None:
    tree = {"results_dir": "/results", "image_grounding": nested(field, value)}
    spec = validate_spec(tree, where="test")
    assert run(BASE, overrides_from(spec, BASE)) == spec


def test_a_run_of_a_job_has_its_spec_and_is_claimed_by_its_process() -> None:
    seen: list[Spec] = []

    @dg.op(required_resource_keys={"dataset"})
    def look(context: dg.OpExecutionContext) -> None:
        dataset: DataSet = context.resources.dataset
        seen.append(dataset.spec)

    @dg.job(resource_defs={"dataset": dataset_resource(BASE, Credentials()).get_resource_definition()})
    def job() -> None:
        look()

    config = {
        "resources": {"dataset": {"config": nested("vlm.openai.timeout", 30.5)}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    with fresh_instance() as instance:
        run_id = job.execute_in_process(config, instance=instance).run_id
        [claimed] = instance.get_runs()
    assert [spec.image_grounding.vlm.openai.timeout for spec in seen] == [30.5]
    assert RunProcess.of(claimed) == RunProcess.own(run_id)


def test_whole_numbers_are_taken_for_fractions() -> None:
    assert run(BASE, {"vlm": {"gemini": {"timeout": 30, "temperature": 1}}}).vlm.gemini.timeout == 30


def test_equal_specs_differ_in_nothing() -> None:
    assert overrides_from(BASE, Spec(results_dir="/elsewhere")) == {}


def test_keys_never_become_configuration() -> None:
    vlm = {"gemini": {"api_key": KEY, "model": "m"}, "openai": {"api_key": KEY}}
    spec = validate_spec({"results_dir": "/r", "image_grounding": {"vlm": vlm}}, where="test")
    config = overrides_from(spec, BASE)
    assert config == {"vlm": {"gemini": {"model": "m"}}}
    assert KEY not in repr(fields_of(spec)) and KEY not in repr(
        dataset_resource(spec, Credentials.of(spec, {}))
    )


@pytest.mark.parametrize("field", ["vlm.gemini.api_key", "vlm.openai.api_key", "data.name", "results_dir"])
def test_dagster_refuses_a_key_or_a_name_in_the_configuration(field: str) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError) as caught:
        run(BASE, nested(field, KEY))
    assert f'Received unexpected config entry "{field.split(".")[-1]}"' in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vlm.backend", "opnai"),
        ("workflow.max_workers", "many"),
        ("workflow.max_workers", 1.5),
        ("workflow.force_reprocess", "yes"),
        ("workflow.steps", "0"),
        ("vlm.openai.modle", "x"),
    ],
)
def test_dagster_refuses_what_has_the_wrong_type(field: str, value: Any) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        run(BASE, nested(field, value))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("workflow.max_workers", 0, "greater than or equal to 1"),
        ("vlm.openai.base_url", f"https://host/?key={KEY}", "must not hold"),
        ("workflow.steps", ["7"], "image_grounding.workflow.steps"),
    ],
)
def test_what_only_the_spec_knows_to_be_wrong_is_said_by_it(field: str, value: Any, words: str) -> None:
    with pytest.raises(dg.DagsterResourceFunctionError) as caught:
        run(BASE, nested(field, value))
    cause = caught.value.__cause__
    assert cause is not None and words in str(cause) and str(cause).startswith("run configuration: ")
    assert KEY not in str(cause)


def test_every_secret_of_the_spec_is_one_by_type() -> None:
    """The schema leaves out keys by their type; a key that is a plain text would get in."""

    def secrets(section: BaseModel) -> Iterator[tuple[str, Any]]:
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, BaseModel):
                yield from secrets(value)
            elif any(word in name for word in ("key", "token", "secret", "password")):
                yield name, value

    named = list(secrets(BASE))
    assert ("api_key" in dict(named)) and all(isinstance(value, (SecretStr, int)) for _, value in named), (
        "max_tokens is a number, a key is a secret"
    )
