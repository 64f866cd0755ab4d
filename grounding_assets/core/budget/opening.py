"""The account of a data set, wherever its runs keep it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grounding_assets.core.budget.call_file import FileAccount
from grounding_assets.core.budget.grants import GrantedAccount, Grants
from grounding_assets.core.shards.manifest import data_set_folder
from grounding_assets.core.spec.settings import Spec


@contextmanager
def open_account(
    spec: Spec,
    results_dir: Path,
    notice: Callable[[str], None] = lambda text: None,
    grants: Grants | None = None,
) -> Iterator[FileAccount]:
    """The account of a data set, of all its shards. Caps hold for the set: what all its runs took and take counts.

    With `grants`, whose runs have no file in common, it is that of one run.

    Raises:
        SpecError: see `FileAccount`.
        RunStopped: see `FileAccount`; nothing is left to grant.
    """
    folder = data_set_folder(results_dir)
    account = GrantedAccount(folder, spec, notice, grants) if grants else FileAccount(folder, spec, notice)
    try:
        yield account
    finally:
        account.close()
