"""Samples of one image brought together, on disk, for formats that write an image once."""

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from grounding_assets.core.exports.splits import image_identity


class ImageGroups:
    """What JSON can hold, filed under images. Images keep the order of their first entry, entries that of arrival."""

    def __init__(self, database: Path):
        self._connection = sqlite3.connect(database)
        with _full_disk_as_os_error():
            self._connection.executescript(
                """
                PRAGMA journal_mode = OFF;
                PRAGMA synchronous = OFF;
                CREATE TABLE image (number INTEGER PRIMARY KEY, identity TEXT UNIQUE, split TEXT);
                CREATE TABLE entry (image INTEGER, number INTEGER, text TEXT, PRIMARY KEY (image, number))
                WITHOUT ROWID;
                """
            )
        self._entries = 0

    def add(self, image_path: str, split: str, entry: Any) -> None:
        """Raises OSError if it cannot be written."""
        identity, text = image_identity(image_path), json.dumps(entry)
        insert = "INSERT OR IGNORE INTO image (identity, split) VALUES (?, ?)"
        find = "SELECT number FROM image WHERE identity = ?"
        self._entries += 1
        with _full_disk_as_os_error():
            self._connection.execute(insert, (identity, split))
            (image,) = self._connection.execute(find, (identity,)).fetchone()
            self._connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (image, self._entries, text))

    def __iter__(self) -> Iterator[tuple[str, list[Any]]]:
        """(split, entries) of one image after another."""
        rows = self._connection.execute(
            "SELECT image.number, split, text FROM image JOIN entry ON entry.image = image.number"
            " ORDER BY image.number, entry.number"
        )
        for (_, split), texts in groupby(rows, key=itemgetter(0, 1)):
            yield split, [json.loads(text) for _, _, text in texts]

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _full_disk_as_os_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(errno.EIO, str(error)) from None
