"""`dg` in a checkout: it lists and checks the definitions, and what it scaffolds is loaded with them."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.corpus import PROJECT
from tests.doors.project import BIN

CHECKOUT = ("grounding_assets", "resources", "demo", "pyproject.toml", "dagster.yaml", "workspace.yaml")


def dg(folder: Path, *arguments: str) -> str:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER_", "GROUNDING_"))
    }
    done = subprocess.run(
        [BIN / "dg", *arguments],
        cwd=folder,
        # before the checkout that the tests run from
        env={**kept, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_list_check_and_scaffold(tmp_path: Path) -> None:
    for name in CHECKOUT:
        copied = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copied(PROJECT / name, tmp_path / name)
    dg(tmp_path, "scaffold", "defs", "dagster.schedule", "nightly.py")
    schedule = tmp_path / "grounding_assets" / "defs" / "nightly.py"
    assert schedule.is_file()
    schedule.write_text(
        "import dagster as dg\n\n"
        'nightly = dg.ScheduleDefinition(name="nightly", target="demo/samples", cron_schedule="0 3 * * *")\n',
        encoding="utf-8",
    )
    listed = dg(tmp_path, "list", "defs", "--json")
    assert '"nightly"' in listed and '"demo/groundings"' in listed and '"annotate_pending"' in listed
    dg(tmp_path, "check", "defs")
