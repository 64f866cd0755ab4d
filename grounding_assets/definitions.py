"""The code location: one data set, named by its spec.

`GROUNDING_SPEC` names the spec file; otherwise it is `spec.yaml` of the working directory, or else the
demonstration's.
"""

import os
from pathlib import Path

import dagster as dg

from grounding_assets.core.spec.loading import load_spec, read_yaml, validate_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from grounding_assets.shipped import DEMO
from resources.credentials import Credentials


def spec_of_location() -> Spec:
    """The spec that this code location serves."""
    named = os.environ.get("GROUNDING_SPEC")
    if named:
        return load_spec(Path(named))
    here = next((path for path in (Path("spec.yaml"), Path("demo/spec.yaml")) if path.is_file()), None)
    return load_spec(here) if here else _demonstration()


def _demonstration() -> Spec:
    """The demonstration as it was shipped, wherever the working directory is; results go to the latter."""
    file = DEMO / "spec.yaml"
    tree = read_yaml(file)
    data = tree.image_grounding.data
    data.input_jsonl, data.image_root = (
        str(DEMO.parent / path) for path in (data.input_jsonl, data.image_root)
    )
    return validate_spec(tree, where=str(file))


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by Dagster; a broken spec shows in the UI as the error of this code location."""
    spec = spec_of_location()
    return build_defs(spec, Credentials.of(spec, os.environ))
