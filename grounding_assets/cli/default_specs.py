"""`auto_label default_specs`: a spec file with every setting, its default and what it means."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr

from grounding_assets.cli.words import split_words
from grounding_assets.core.errors import SpecError
from grounding_assets.core.files import replacing
from grounding_assets.core.spec.model_settings import VlmSpec
from grounding_assets.core.spec.settings import DataSpec, Spec, WorkflowSpec

_LOOKED_FOR = {
    (VlmSpec, "backend"),
    (WorkflowSpec, "steps"),
    (WorkflowSpec, "max_workers"),
    (DataSpec, "input_jsonl"),
    (DataSpec, "image_root"),
}
"""Settings that a short spec holds whatever they are."""


def write_default_spec(overrides: Sequence[str]) -> int:
    """Writes `results_dir/experiment.yaml`; an edited one is never overwritten."""
    given, unknown = split_words(overrides, ("results_dir", "module_name"))
    if unknown:
        name = unknown[0].partition("=")[0]
        raise SpecError(f"default_specs takes results_dir=DIR and module_name=auto_label, not '{name}'.")
    if given.get("module_name", "auto_label") != "auto_label":
        raise SpecError(f"module_name={given['module_name']} is not known here; use module_name=auto_label.")
    if "results_dir" not in given:
        raise SpecError(
            "Say where to write it: auto_label default_specs results_dir=DIR module_name=auto_label"
        )
    path = Path(given["results_dir"]) / "experiment.yaml"
    heading = "Spec of an image_grounding run. ??? marks what has to be set; everything else is a default."
    text = spec_text(Spec(results_dir=given["results_dir"]), heading)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise SpecError(
            f"{path} exists and differs from the defaults; move it away or choose another results_dir."
        )
    write_spec(path, text)
    print(f"Wrote {path}. Set image_grounding.data.input_jsonl in it, then: auto_label generate -e {path}")
    return 0


def write_spec(path: Path, text: str) -> None:
    """Raises SpecError if it cannot be written."""
    try:
        with replacing(path) as stream:
            stream.write(text.encode("utf-8"))
    except OSError as error:
        raise SpecError(f"Cannot write {path}: {error.strerror}.") from None


def spec_text(spec: Spec, heading: str, *, everything: bool = True) -> str:
    """The text of a spec file with these settings and the description of each; keys are left out.

    `everything`: otherwise with what differs from the defaults alone, and the settings that everybody looks for.
    """
    about = [f"autolabel_type: {spec.autolabel_type}  # {_doc(Spec, 'autolabel_type')}"]
    others = [
        "# All other settings, with their defaults: auto_label default_specs results_dir=DIR module_name=auto_label"
    ]
    lines = [
        f"# {heading}",
        *([] if everything else others),
        f"results_dir: {_yaml(spec.results_dir)}  # {_doc(Spec, 'results_dir')}",
        *(about if everything else []),
        "image_grounding:",
        *_section(spec.image_grounding, indent=2, everything=everything),
    ]
    return "\n".join(lines) + "\n"


def _section(section: BaseModel, indent: int, *, everything: bool) -> list[str]:
    lines = []
    for name, field in type(section).model_fields.items():
        value, pad = getattr(section, name), " " * indent
        if isinstance(value, BaseModel):
            title = (type(value).__doc__ or "").strip().split("\n")[0]
            inside = _section(value, indent + 2, everything=everything)
            lines += [f"{pad}{name}:  # {title}", *inside] if inside or everything else []
            continue
        if (
            not everything
            and (type(section), name) not in _LOOKED_FOR
            and value == field.get_default(call_default_factory=True)
        ):
            continue
        shown = "" if isinstance(value, SecretStr) else list(value) if isinstance(value, tuple) else value
        doc = (field.description or "").replace("\n", " ")
        if get_origin(field.annotation) is Literal and not any(
            choice in doc for choice in get_args(field.annotation)
        ):
            doc += " One of " + ", ".join(map(str, get_args(field.annotation))) + "."
        lines.append(f"{pad}{name}: {_yaml(shown)}  # {doc}")
    return lines


def _doc(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].description or ""


def _yaml(value: Any) -> str:
    if value == "???":
        return "???"
    if isinstance(value, str):
        # a path may hold what would else be read as a reference to another setting
        value = value.replace("${", "\\${")
    # 1e3 is a number to the reader of specs and not to this writer
    quoted = "'" if isinstance(value, str) and value.startswith(tuple("0123456789.+-")) else None
    return (
        yaml.safe_dump(value, default_style=quoted, default_flow_style=True, allow_unicode=True, width=10_000)
        .removesuffix("\n...\n")
        .strip()
    )
