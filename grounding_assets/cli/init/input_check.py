"""Looking at an input file before anything is set up: usable lines, refused lines, images that are found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from grounding_assets.core.dataset.input_file import InputLine, RejectedLine, read_input

IMAGES_LOOKED_AT = 200
PROBLEMS_SHOWN = 5
_MAX_FOLDERS = 50


@dataclass(frozen=True, slots=True)
class InputCheck:
    """What an input file holds."""

    usable: int
    rejected: int
    problems: tuple[RejectedLine, ...]
    """The first `PROBLEMS_SHOWN` refused lines."""
    image_paths: tuple[str, ...]
    """The first `IMAGES_LOOKED_AT` different image paths, as given."""

    @property
    def needs_root(self) -> bool:
        """Whether some path is relative."""
        return not all(Path(path).is_absolute() for path in self.image_paths)

    def missing(self, root: Path) -> list[Path]:
        """The images that do not exist if relative paths start from `root`."""
        return [file for path in self.image_paths if not _exists(file := root / path)]


def check_input(path: Path) -> InputCheck:
    """Reads the file once, line by line.

    Raises:
        InputError: it cannot be read.
    """
    usable = rejected = 0
    problems: list[RejectedLine] = []
    paths: dict[str, None] = {}
    for line in read_input(path):
        if isinstance(line, InputLine):
            usable += 1
            if len(paths) < IMAGES_LOOKED_AT:
                paths[line.record["image_path"]] = None
        else:
            rejected += 1
            if len(problems) < PROBLEMS_SHOWN:
                problems.append(line)
    return InputCheck(usable, rejected, tuple(problems), tuple(paths))


def root_candidates(check: InputCheck, input_file: Path) -> list[tuple[Path, int]]:
    """(folder, images found in it) of the likely image roots that find any, the best first."""
    found = [(folder, len(check.image_paths) - len(check.missing(folder))) for folder in _likely(input_file)]
    return sorted((entry for entry in found if entry[1]), key=lambda entry: -entry[1])


def _likely(input_file: Path) -> Sequence[Path]:
    folder = input_file.parent
    return list(dict.fromkeys([folder, Path(), folder.parent, *islice(_subfolders(folder), _MAX_FOLDERS)]))


def _subfolders(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except PermissionError:
        # only a suggestion is lost
        return


def _exists(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        # a name that no file system takes
        return False
