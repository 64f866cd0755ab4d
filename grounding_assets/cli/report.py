"""`auto_label report`: writes report.html of the results that are there."""

import os
from collections.abc import Sequence
from pathlib import Path

from grounding_assets.core.errors import EXIT_OK
from grounding_assets.core.spec.loading import load_spec
from resources.credentials import Credentials
from resources.dataset import DataSet


def report(spec_file: str, overrides: Sequence[str]) -> int:
    """Writes the page and prints where it is; annotates nothing."""
    spec = load_spec(Path(spec_file), overrides)
    file, written = DataSet(spec, Credentials.of(spec, os.environ)).write_report()
    total = written.figures.lines + written.figures.failures.total()
    shown = "all" if written.samples >= total else f"{written.samples} of"
    print(f"Report: {file} ({shown} {total} samples, {written.size_bytes / 1e6:.1f} MB)")
    return EXIT_OK
