"""Where a spec's files lie."""

from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator


def _of_this_machine(path: str) -> str:
    """Refuses addresses: taken for a path, `s3://bucket/x` would name a folder `s3:` on the local disk."""
    scheme, found, rest = path.partition("://")
    if not found:
        return path
    if scheme.lower() == "file":
        raise ValueError(f"give the path itself: {unquote(urlsplit(path).path) or '/' + rest}")
    raise ValueError(
        f"{scheme.lower()}:// is not supported, only paths of this machine: copy the files to a disk, or mount the bucket "
        "as a folder (rclone mount, s3fs, gcsfuse) and give its path"
    )


LocalPath = Annotated[str, AfterValidator(_of_this_machine)]
"""A file or folder on this machine, absolute or from the working directory; never an address."""
