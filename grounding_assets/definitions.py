"""The code location: one data set, named by its spec.

`GROUNDING_SPEC` names the spec file; without it, `spec.yaml` in the working directory where there is
one, otherwise the demonstration's.
"""

import os
from pathlib import Path

import dagster as dg

from grounding_assets.core.spec.loading import load_spec
from grounding_assets.graph import build_defs
from resources.credentials import Credentials

DEMO_SPEC = Path(__file__).resolve().parent.parent / "demo" / "spec.yaml"


def spec_path_of_location() -> Path:
    """The spec that this code location serves."""
    named = os.environ.get("GROUNDING_SPEC")
    if named:
        return Path(named)
    here = Path("spec.yaml")
    return here if here.is_file() else DEMO_SPEC


@dg.definitions
def defs() -> dg.Definitions:
    """Loaded by Dagster; a broken spec shows in the UI as the error of this code location."""
    spec = load_spec(spec_path_of_location())
    return build_defs(spec, Credentials.of(spec, os.environ))
