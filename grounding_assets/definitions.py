"""The code location: the data sets that its specs name.

`GROUNDING_SPEC` names a spec file, several (`a.yaml,b.yaml`), or a folder of them; otherwise it is `spec.yaml` of
the working directory, or else the demonstration's.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.loading import load_spec, read_yaml, validate_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from grounding_assets.shipped import CHECKOUT, DEMO
from resources.credentials import Credentials


def specs_of_location() -> list[Spec]:
    """The specs that this code location serves, one or more."""
    named = os.environ.get("GROUNDING_SPEC")
    if named:
        return [load_spec(path) for path in _files(named)]
    here = next((path for path in (Path("spec.yaml"), Path("demo/spec.yaml")) if path.is_file()), None)
    return [load_spec(here) if here else _demonstration()]


def _files(named: str) -> Iterator[Path]:
    parts = [named] if Path(named).exists() else re.split(f"[,{re.escape(os.pathsep)}]", named)
    for path in (Path(part.strip()) for part in parts if part.strip()):
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        if not inside:
            raise SpecError(f"GROUNDING_SPEC names the folder {path}, which holds no .yaml file.")
        yield from inside


def _demonstration() -> Spec:
    """The demonstration as it was shipped, wherever the working directory is; results go to the latter."""
    file = DEMO / "spec.yaml"
    tree = read_yaml(file)
    data = tree.image_grounding.data
    data.input_jsonl, data.image_root = (
        str(DEMO.parent / path) for path in (data.input_jsonl, data.image_root)
    )
    return validate_spec(tree, where=str(file))


def _with_names(specs: Sequence[Spec]) -> dict[str, Spec]:
    named: dict[str, Spec] = {}
    for spec in specs:
        name = dataset_name(spec)
        if name in named:
            raise SpecError(
                f"Two specs name a data set '{name}', with results in {named[name].results_dir} and "
                f"{spec.results_dir}: give each its own image_grounding.data.name."
            )
        named[name] = spec
    return named


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by Dagster; a broken spec shows in the UI as the error of this code location."""
    named = _with_names(specs_of_location())
    data_sets = [
        build_defs(spec, Credentials.of(spec), name=name, shared=len(named) > 1)
        for name, spec in named.items()
    ]
    # what `dg scaffold defs` writes; a package that is installed has nothing to add
    added = [dg.load_from_defs_folder(path_within_project=CHECKOUT)] if CHECKOUT else []
    return dg.Definitions.merge(*data_sets, *added)
