"""A number for each image, as Flickr30k has them: the same in every format that is numbered so."""

import hashlib
import re
from pathlib import PurePosixPath

from grounding_assets.core.exports.splits import image_identity


class ImageNumbers:
    """Gives each image its own number, once."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def assign(self, image_path: str) -> int:
        """The file's stem if that is a number, as in Flickr30k itself; otherwise made of a hash.

        MDETR's converter reads ids as integers.
        """
        stem = PurePosixPath(image_path.replace("\\", "/")).stem
        if re.fullmatch(r"[1-9][0-9]{0,17}", stem) and int(stem) not in self._taken:
            number = int(stem)
        else:
            digest = hashlib.sha256(image_identity(image_path).encode()).digest()
            number = 10**11 + int.from_bytes(digest[:8], "big") % (9 * 10**11)
            while number in self._taken:
                number += 1
        self._taken.add(number)
        return number
