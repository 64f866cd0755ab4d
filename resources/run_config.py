"""The spec as Dagster run configuration, derived from the spec's own fields, so that the Launchpad
can override every setting of a run and there is one description of each.

Left out: keys, which a stored run configuration would reveal, and what the graph is built
from when a code location is loaded: the data set's name, its owner, its shards, the formats of its exports.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, cast, get_args, get_origin

from dagster import Config
from pydantic import BaseModel, Field, SecretStr, create_model
from pydantic.fields import FieldInfo

from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec

FIXED_BY_CODE_LOCATION = frozenset(
    {"results_dir", "autolabel_type", "name", "owner", "shard_size", "shard", "formats"}
)


def config_fields(section: BaseModel) -> dict[str, Any]:
    """Fields for pydantic's `create_model`: those of a spec section, with the section's values as defaults.

    The values become defaults of the classes, not of their instances: if an inner field is overridden, Dagster
    takes the other ones from the class.
    """
    fields: dict[str, Any] = {}
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if name in FIXED_BY_CODE_LOCATION or isinstance(value, SecretStr):
            continue
        if isinstance(value, BaseModel):
            inner = create_model(type(value).__name__, __base__=Config, **config_fields(value))
            annotation, default = inner, inner()
        else:
            annotation, default = _plain(type(section).__name__, name, info, value)
        fields[name] = (annotation, Field(default=default, description=info.description))
    return fields


def _plain(section: str, name: str, info: FieldInfo, value: Any) -> tuple[Any, Any]:
    annotation = info.annotation
    if isinstance(value, tuple):
        return list[str], list(value)
    if isinstance(value, dict):
        return dict[str, float], dict(value)
    if get_origin(annotation) is Literal:
        choices = _choices(f"{section.removesuffix('Spec')}_{name}", tuple(map(str, get_args(annotation))))
        return choices, choices(value)
    if annotation in (bool, int, str, float):
        return annotation, annotation(value)
    raise TypeError(f"no Dagster config type for spec field '{name}' of type {annotation}")


@cache
def _choices(name: str, values: tuple[str, ...]) -> type[Enum]:
    """One type for sections that occur twice: Dagster wants the names of types to be unique."""
    return cast("type[Enum]", Enum(name, {value: value for value in values}))


def spec_of_run(base: Spec, run_config: Config) -> Spec:
    """The location's spec with a run's configuration laid over it, validated again."""
    tree = base.model_dump(mode="python")
    _overlay(tree["image_grounding"], run_config.model_dump(mode="json"))
    return validate_spec(tree, where="run configuration")


def _overlay(tree: dict[str, Any], over: Mapping[str, Any]) -> None:
    for name, value in over.items():
        # fractions of splits are one setting, not a section
        if isinstance(value, Mapping) and name != "fractions":
            _overlay(tree[name], value)
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
