"""`auto_label restore`: results that were replaced, brought back. Sends nothing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from grounding_assets.cli.words import checked_choice, split_words, switch
from grounding_assets.core.dataset.restoring import Restorable, restorable, restore
from grounding_assets.core.dataset.rollup import write_outputs
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import EXIT_OK, SpecError
from grounding_assets.core.spec.loading import load_spec
from grounding_assets.core.steps import Step
from resources.credentials import Credentials
from resources.dataset import DataSet


def restore_results(spec_file: str, words: Sequence[str]) -> int:
    """Lists what can be brought back; `apply=true` does it."""
    given, overrides = split_words(words, ("apply", "step", "sample", "replaced"))
    apply = switch(given, "apply")
    number = checked_choice(given, "step", ("all", *(step.value for step in Step)), "all")
    spec = load_spec(Path(spec_file), overrides)
    workspace = DataSet(spec, Credentials.of(spec)).workspace()
    found = list(
        restorable(
            workspace,
            tuple(Step) if number == "all" else (Step(number),),
            _chosen(workspace, given.get("sample", "")),
            given.get("replaced", ""),
        )
    )
    if not found:
        print("There is nothing to bring back.")
        return EXIT_OK
    _list(found)
    if not apply:
        print(f"{len(found):,} results can be brought back. Nothing was written; apply=true does it.")
        return EXIT_OK
    restored = restore(workspace, found)
    write_outputs(workspace, spec.workflow.run_steps, print)
    left = (
        f" {len(found) - restored:,} are left to the run that works on them." if restored < len(found) else ""
    )
    print(
        f"{restored:,} results are back; what they replaced is kept in .retired. The files are written.{left}"
    )
    return EXIT_OK


def _chosen(workspace: Workspace, names: str) -> list[str]:
    if not names:
        return workspace.samples.ids
    chosen = [name.strip() for name in names.split(",")]
    unknown = [name for name in chosen if name not in workspace.samples.entries]
    if unknown:
        raise SpecError(
            f"sample={unknown[0]} is not in {workspace.samples.path}: give ids as samples.jsonl has them."
        )
    return chosen


def _list(found: Sequence[Restorable]) -> None:
    counts = Counter((one.replaced, one.step) for one in found)
    for (replaced, step), count in sorted(counts.items()):
        print(f"replaced={replaced}\tstep={step}\t{count:,} results")
