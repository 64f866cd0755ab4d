"""What a wheel holds beyond pyproject.toml: files that lie at the root of a checkout.

People and Dagster look for the demonstration, dagster.yaml and workspace.yaml there; a wheel has no root of
its own, and carries them inside the package (`grounding_assets/shipped.py` finds them in both).
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("demo", "dagster.yaml", "workspace.yaml")


class BuildWithShippedFiles(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "grounding_assets", "shipped_files")
        target.mkdir(parents=True, exist_ok=True)
        for source in map(Path, SHIPPED):
            if source.is_dir():
                shutil.copytree(source, target / source, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target / source)


setup(cmdclass={"build_py": BuildWithShippedFiles})
