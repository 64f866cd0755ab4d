"""Images out of archives, written beside the output under numbers: no name of an archive reaches the file system."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grounding_assets.core.errors import InputError, SampleFailure
from grounding_assets.core.files import stopping_if_unwritable
from grounding_assets.core.images.image_file import MAX_FILE_BYTES, ImageFile

MAX_IMAGE_BYTES = MAX_FILE_BYTES
_FILES_A_FOLDER = 1000


class ExtractedImages:
    """A folder that grows by one image at a time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0

    def add(self, raw: bytes) -> str:
        """Writes an image; returns its path within the folder.

        Raises:
            ValueError: it is none that can be read; says why.
            RunStopped: it cannot be written.
        """
        if len(raw) > MAX_IMAGE_BYTES:
            raise ValueError(f"an image of more than {MAX_IMAGE_BYTES >> 20} MB")
        try:
            with ImageFile(raw, Path("image")) as image:
                suffix = {"JPEG": "jpg", "MPO": "jpg"}.get(image.format, image.format.lower())
        except SampleFailure as failure:
            raise ValueError(f"no image that can be read ({failure.reason})") from None
        path = Path(f"{self.count // _FILES_A_FOLDER:06d}", f"{self.count:09d}.{suffix}")
        target = self.folder / path
        with stopping_if_unwritable(target):
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(raw)
        self.count += 1
        return path.as_posix()


@contextmanager
def extracting_to(folder: Path) -> Iterator[ExtractedImages]:
    """A folder of images that takes its name when the block ends without an error; gone otherwise, and if it is empty.

    Raises:
        InputError: there is one of that name.
        RunStopped: it cannot be written.
    """
    if folder.exists():
        raise InputError(f"{folder} exists: move it away, or choose another --output.")
    with stopping_if_unwritable(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield (images := ExtractedImages(partial))
        if not images.count:
            return
        with stopping_if_unwritable(folder):
            partial.chmod(0o755)
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
