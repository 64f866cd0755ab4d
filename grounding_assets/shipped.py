"""The files that come with the package: the demonstration, and Dagster's instance and workspace files.

In a checkout they lie at its root; a wheel carries them in `shipped_files`, where `setup.py` puts them.
"""

import shutil
from pathlib import Path

from grounding_assets.core.errors import RunStopped

_PACKAGE = Path(__file__).resolve().parent
_IN_WHEEL = _PACKAGE / "shipped_files"
CHECKOUT = None if _IN_WHEEL.is_dir() else _PACKAGE.parent
"""The root of the checkout that runs, if it is one."""
SHIPPED = CHECKOUT or _IN_WHEEL
DEMO = SHIPPED / "demo"
INSTANCE_FILE, WORKSPACE_FILE = "dagster.yaml", "workspace.yaml"


def copy_shipped(names: tuple[str, ...], folder: Path) -> list[Path]:
    """Copies files and folders into `folder`, but none that is there already; returns what was written.

    Raises:
        RunStopped: `folder` cannot be written.
    """
    written = []
    for name in names:
        source, target = SHIPPED / name, folder / name
        if target.exists() or source == target:
            continue
        try:
            # contents alone: a package may be installed read-only
            if source.is_dir():
                shutil.copytree(source, target, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(source, target)
        except OSError as error:
            raise RunStopped(f"Cannot write {target}: {error.strerror}.") from None
        written.append(target)
    return written
