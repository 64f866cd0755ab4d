"""The spec as Dagster run configuration, derived from the spec's own fields, so that the Launchpad
can override every setting of a run and there is one description of each.

Left out: keys, which a stored run configuration would reveal, and what the graph is built
from when a code location is loaded: the data set's name, its owner, the formats of its exports.
"""

from functools import cache
from typing import Any, Literal, get_args, get_origin

from dagster import Array, Enum, EnumValue, Field, Map
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec

FIXED_BY_CODE_LOCATION = frozenset({"results_dir", "autolabel_type", "name", "owner", "formats"})


def config_schema(section: BaseModel) -> dict[str, Field]:
    """Dagster config fields of a spec section; the section's values are the defaults."""
    fields: dict[str, Field] = {}
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if name in FIXED_BY_CODE_LOCATION or isinstance(value, SecretStr):
            continue
        description = info.description or ""
        if isinstance(value, BaseModel):
            fields[name] = Field(config_schema(value), is_required=False, description=description)
        else:
            config_type, default = _scalar(type(section).__name__, name, info, value)
            fields[name] = Field(
                config_type, default_value=default, is_required=False, description=description
            )
    return fields


def _scalar(section: str, name: str, info: FieldInfo, value: Any) -> tuple[Any, Any]:
    annotation = info.annotation
    if isinstance(value, tuple):
        return Array(str), list(value)
    if isinstance(value, dict):
        return Map(str, float), dict(value)
    if get_origin(annotation) is Literal:
        values = [str(choice) for choice in get_args(annotation)]
        return _enum(f"{section.removesuffix('Spec')}_{name}", tuple(values)), value
    if annotation in (bool, int, str):
        return annotation, value
    if annotation is float:
        return float, float(value)
    raise TypeError(f"no Dagster config type for spec field '{name}' of type {annotation}")


@cache
def _enum(name: str, values: tuple[str, ...]) -> Enum:
    """One type for sections that occur twice: Dagster wants the names of types to be unique."""
    return Enum(name, [EnumValue(choice) for choice in values])


def spec_of_run(base: Spec, run_config: dict[str, Any]) -> Spec:
    """The location's spec with a run's configuration laid over it, validated again."""
    tree = base.model_dump(mode="python")
    _overlay(tree["image_grounding"], base.image_grounding, run_config)
    return validate_spec(tree, where="run configuration")


def _overlay(tree: dict[str, Any], section: BaseModel, over: dict[str, Any]) -> None:
    for name, value in over.items():
        inner = getattr(section, name)
        if isinstance(inner, BaseModel):
            _overlay(tree[name], inner, value)
        else:
            tree[name] = value


def overrides_from(spec: Spec, base: Spec) -> dict[str, Any]:
    """The run configuration that turns `base` into `spec`, without keys."""
    return _difference(spec.image_grounding, base.image_grounding)


def _difference(section: BaseModel, base: BaseModel) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name in type(section).model_fields:
        value, was = getattr(section, name), getattr(base, name)
        if name in FIXED_BY_CODE_LOCATION or isinstance(value, SecretStr):
            continue
        if isinstance(value, BaseModel):
            nested = _difference(value, was)
            if nested:
                changed[name] = nested
        elif value != was:
            changed[name] = list(value) if isinstance(value, tuple) else value
    return changed
