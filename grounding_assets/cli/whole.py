"""Commands that read a data set's joined files: a part must not pass for the whole, nor an old copy for the results."""

import os
from collections.abc import Sequence
from pathlib import Path

from grounding_assets.cli.terminal import notice
from grounding_assets.core.dataset.not_rolled_up import not_rolled_up
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from resources.shards import whole_words
from resources.stored_copies import copy_results

COPIES = Path(".dagster/copies")
"""In Dagster's home: copies of results in object storage, and what is made of them."""


def results_to_read(spec_file: str, overrides: Sequence[str]) -> Spec:
    """The spec whose results folder is to be read: results in object storage are copied. Prints what the shards lack.

    Raises:
        SpecError, InputError: the spec is wrong, or the joined files are not of the shards as they are now.
    """
    spec = load_spec(Path(spec_file), overrides, stored_shard=True)
    tell_what_lacks(spec)
    if not scheme_of(spec.results_dir):
        return spec
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd()).absolute()
    return copy_results(spec, home / COPIES, notice)


def tell_what_lacks(spec: Spec) -> None:
    """Prints what the shards lack, if the data set is cut into some; else, what `annotations.jsonl` does.

    Raises:
        InputError: the joined files are not of the shards as they are now, or the file cannot be read.
    """
    words = whole_words(spec)
    if not words and not scheme_of(spec.results_dir) and (missing := not_rolled_up(spec.results_folder)):
        words = (
            f"{missing:,} samples have a result that annotations.jsonl does not show, since a run is under way or was "
            "killed. `auto_label generate` adds them."
        )
    if words:
        print(f"Not complete: {words}")
