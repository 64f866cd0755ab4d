"""From YAML text and Hydra overrides to a validated `Spec`, with errors that name field and remedy."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import ImageGroundingSpec, Spec
from grounding_assets.core.spec.shards import opened

TAO_BLOCKS_OF_OTHER_PIPELINES = frozenset(
    {
        "mal",
        "grounding_dino",
        "image_referring_expression",
        "referring_expression",
        "video_reasoning_annotation",
        "gpu_ids",
        "num_gpus",
        "batch_size",
        "num_workers",
        "encryption_key",
        "model_name",
        "wandb",
    }
)
"""Top-level names that TAO's default spec holds for its other pipelines; they have no effect here.
Source: NVIDIA TAO Toolkit documentation, "Auto-Label", and its `default_specs`."""
TAO_VIDEO_FIELDS = frozenset({"long_video_threshold_sec", "long_video_sample_fps", "long_video_max_frames"})
"""Under `image_grounding.workflow` in TAO's default spec; no image has them."""

_SHORT_NAME = re.compile(rf"(\+\+|\+|~|)({'|'.join(ImageGroundingSpec.model_fields)})\.")


def load_spec(path: Path, overrides: Sequence[str] = (), *, stored_shard: bool = False) -> Spec:
    """Reads a spec file and applies `a.b=c` overrides in Hydra's grammar. With `data.shard`, it is that shard's spec.

    `image_grounding.` may be left out before its sections: `workflow.limit=10`. `stored_shard`: a shard in object storage
    is the caller's to open; its spec is that of the whole, with `data.shard`.

    Raises:
        SpecError: unreadable file, wrong override, unknown or invalid field. Values are not quoted
            where they may be a key.
    """
    spec = validate_spec(apply_overrides(read_yaml(path), overrides), where=str(path))
    return spec if stored_shard and scheme_of(spec.results_dir) else opened(spec)


def read_yaml(path: Path) -> DictConfig:
    try:
        tree = OmegaConf.load(path)
    except FileNotFoundError:
        raise SpecError(
            f"No spec at {path}. Write one with: auto_label default_specs results_dir=DIR module_name=auto_label"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"Cannot read the spec {path}: {error}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise SpecError(f"{path}{line} is not valid YAML: {getattr(error, 'problem', error)}.") from None
    except GrammarParseError:
        raise SpecError(
            f"{path}: a ${{…}} in it cannot be read; quote it, or write it as \\${{…}}."
        ) from None
    except OmegaConfBaseException as error:
        raise SpecError(f"{path}: {_first_line(error)}.") from None
    if not isinstance(tree, DictConfig):
        raise SpecError(f"{path} must hold a mapping such as `results_dir: …`, not a list.")
    return tree


def apply_overrides(tree: DictConfig, overrides: Sequence[str]) -> DictConfig:
    parser = OverridesParser.create()
    parsed = []
    for number, given in enumerate(overrides, 1):
        text = _in_full(given, tree)
        # what stands before "=", or before whatever was typed in its place; a value may be a key
        name = re.split(r"[=:\s]", text, maxsplit=1)[0]
        if "=" not in text and name.lstrip("~") not in field_names():
            name = f"number {number}"
        try:
            override = parser.parse_override(text)
        except HydraException:
            raise SpecError(
                f"Cannot read the override of '{name}': write it as a.b=value, and quote a value that holds "
                "spaces or any of ,=[]{} like 'a.b=\"some, value\"'."
            ) from None
        if override.is_sweep_override():
            raise SpecError(f"'{name}' is given several values; one run takes one. Quote it or use [a,b].")
        parsed.append(override)
    tree = tree.copy()
    OmegaConf.set_struct(tree, False)
    for override in parsed:
        try:
            ConfigLoaderImpl._apply_overrides_to_config([override], tree)
        except (HydraException, OmegaConfBaseException) as error:
            reason = "it has no package" if override.package else _first_line(error)
            raise SpecError(f"Cannot override '{override.key_or_group}': {reason}.") from None
    return tree


def _in_full(override: str, tree: DictConfig) -> str:
    """The override with `image_grounding.` before its first name, where that is one of its sections."""
    short = _SHORT_NAME.match(override)
    if short is None:
        return override
    operator, section = short.groups()
    if section in tree:
        raise SpecError(
            f"The override of '{section}.…' can mean '{section}' of the spec or 'image_grounding.{section}': "
            f"'{section}' at the top of the spec has no effect, so remove it there."
        )
    return f"{operator}image_grounding.{override[len(operator) :]}"


def validate_spec(tree: DictConfig | Mapping[str, Any], *, where: str) -> Spec:
    """Validates a spec tree; `where` names its origin in error messages."""
    if isinstance(tree, DictConfig):
        try:
            plain = OmegaConf.to_container(tree, resolve=True, throw_on_missing=False)
        except OmegaConfBaseException as error:
            raise SpecError(
                f"{where}: cannot resolve the ${{…}} in '{error.full_key}'; the form is ${{other.field}} or "
                "${oc.env:VARIABLE}."
            ) from None
    else:
        plain = tree
    if not isinstance(plain, dict):
        raise SpecError(f"{where} must hold a mapping such as `results_dir: …`.")
    plain, ignored = _without_other_pipelines({str(name): value for name, value in plain.items()})
    plain.setdefault("results_dir", "???")
    try:
        return Spec.model_validate(_without_blanks(plain, Spec)).ignoring(ignored)
    except ValidationError as error:
        raise SpecError(
            f"{where}: " + "; ".join(_explain(problem) for problem in error.errors()) + "."
        ) from None


def _without_other_pipelines(tree: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tree without what TAO's default spec holds beside `image_grounding`'s own, and the names of that."""
    ignored = [name for name in tree if name in TAO_BLOCKS_OF_OTHER_PIPELINES]
    kept = {name: value for name, value in tree.items() if name not in ignored}
    section = kept.get("image_grounding")
    workflow = section.get("workflow") if isinstance(section, dict) else None
    if isinstance(section, dict) and isinstance(workflow, dict):
        video = [name for name in workflow if name in TAO_VIDEO_FIELDS]
        ignored += [f"image_grounding.workflow.{name}" for name in video]
        workflow = {name: value for name, value in workflow.items() if name not in video}
        kept["image_grounding"] = {**section, "workflow": workflow}
    return kept, tuple(ignored)


def _without_blanks(tree: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Without the known fields that are left blank, as in `image_root:`; they have their defaults."""
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        field = model.model_fields.get(name)
        section = _section_model(field.annotation) if field is not None else None
        if value is None and field is not None and section is None and not field.is_required():
            continue
        if section is not None and isinstance(value, dict):
            value = _without_blanks(value, section)
        kept[name] = value
    return kept


def _section_model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def field_names(model: type[BaseModel] = Spec, prefix: str = "") -> list[str]:
    """Every setting's dotted name, in the order of the spec."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        section = _section_model(field.annotation)
        names += field_names(section, f"{prefix}{name}.") if section else [f"{prefix}{name}"]
    return names


def _explain(problem: Any) -> str:
    dotted = ".".join(str(part) for part in problem["loc"] if not isinstance(part, int))
    if problem["type"] == "extra_forbidden":
        known = field_names()
        sections = sorted(
            {name.rsplit(".", i)[0] for name in known for i in (1, 2, 3) if name.count(".") >= i}
        )
        nearest = difflib.get_close_matches(dotted, known + sections, n=1, cutoff=0.0)
        return f"unknown field '{dotted}'; the nearest known one is '{nearest[0]}'"
    message = str(problem["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:] if message else message
    given = problem.get("input")
    # the value of a section, or of a field whose check has its own words, may be a key in a wrong place
    quotable = "api_key" not in dotted and isinstance(given, (str, int, float)) and dotted in field_names()
    shown = f" (given: {str(given)[:80]!r})" if quotable and problem["type"] != "value_error" else ""
    return f"'{dotted}': {message}{shown}"


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(".")
