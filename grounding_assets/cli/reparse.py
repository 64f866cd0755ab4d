"""`auto_label reparse`: the stored replies through today's parser. Sends nothing."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from grounding_assets.cli.interruption import ending_on_signals
from grounding_assets.cli.words import split_words, switch
from grounding_assets.core.annotation.reparse import PARSED_STEPS, Reparsed, keep_reparsed, reparse
from grounding_assets.core.dataset.rollup import write_outputs
from grounding_assets.core.errors import EXIT_OK
from grounding_assets.core.spec.loading import load_spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.shards import forget_status, is_sharded, parts_of

_BATCH = 500
"""Results that are written together."""


def reparse_results(spec_file: str, words: Sequence[str]) -> int:
    """Prints what today's parser makes of the replies that is not in the results; `apply=true` puts it there."""
    given, overrides = split_words(words, ("apply",))
    apply = switch(given, "apply")
    spec = load_spec(Path(spec_file), overrides, stored_shard=True)
    dataset = DataSet(spec, Credentials.of(spec))
    counts = Counter[str]()
    # what ends a part early ends the claim on it here, and may say more than the signal
    with ending_on_signals(), closing(parts_of(dataset, to_change=apply)) as parts:
        for part in parts:
            counts += _reparse_part(part, apply=apply)
    changed, kept = counts["changed"], counts["kept"]
    print(_words(kept if apply else changed, counts["left_alone"], changed - kept, apply=apply))
    if kept and is_sharded(spec):
        print(f"Join them:   auto_label generate -e {spec_file} (asks for nothing that was answered)")
    return EXIT_OK


def _reparse_part(part: DataSet, *, apply: bool) -> Counter[str]:
    """One results folder: how many results would change, were kept changed, were left alone."""
    workspace, workflow = part.workspace(), part.spec.workflow
    counts = Counter[str]()
    batch: list[Reparsed] = []
    for found in reparse(workspace, [step for step in workflow.run_steps if step in PARSED_STEPS]):
        print(f"{found.sample_id}\tstep {found.step}\t{found.what}")
        if found.checkpoint is None:
            counts["left_alone"] += 1
            continue
        counts["changed"] += 1
        if apply:
            batch.append(found)
        if len(batch) >= _BATCH:
            counts["kept"] += keep_reparsed(workspace, batch)
            batch.clear()
    counts["kept"] += keep_reparsed(workspace, batch)
    if apply and counts["changed"]:
        forget_status(part.results_dir)
        write_outputs(workspace, workflow.run_steps, print)
    return counts


def _words(changed: int, left_alone: int, left_to_runs: int, *, apply: bool) -> str:
    rest = f"; {left_alone:,} left alone" if left_alone else ""
    if apply and left_to_runs:
        rest += f"; {left_to_runs:,} left to the run that works on them"
    if not changed:
        return f"Today's parser changes nothing{rest}."
    if apply:
        return (
            f"{changed:,} results changed{rest}. The old ones are kept in .retired; the files are rewritten."
        )
    return f"{changed:,} results would change{rest}. Nothing was written; apply=true does it."
