"""What was seen of endpoints, a JSON file of one kind of row, kept in the data set's results folder."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json
from grounding_assets.core.shards.manifest import data_set_folder


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Row = TypeVar("Row", bound=_Dataclass)


class KeptRows(Generic[Row]):
    """Rows of a dataclass, one per (backend, base_url, model); all shards of a data set have the same."""

    def __init__(self, results_dir: Path, name: str, row: type[Row]):
        """`name`: of the file."""
        self._file, self._row = data_set_folder(results_dir) / name, row

    def find(self, backend: str, base_url: str, model: str) -> Row | None:
        row = self._rows().get(_key(backend, base_url, model))
        return None if row is None else self._row(**row)

    def keep(self, backend: str, base_url: str, model: str, row: Row) -> None:
        rows = self._rows() | {_key(backend, base_url, model): asdict(row)}
        with stopping_if_unwritable(self._file), replacing(self._file) as stream:
            stream.write(to_json(rows))

    def _rows(self) -> dict[str, Any]:
        """Empty if nothing usable is kept: then nothing was seen, and it is measured again."""
        try:
            rows = json.loads(self._file.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        names = {one.name for one in fields(self._row)}
        usable = isinstance(rows, dict) and all(
            isinstance(row, dict) and row.keys() == names for row in rows.values()
        )
        return rows if usable else {}


def _key(backend: str, base_url: str, model: str) -> str:
    return "|".join((backend, base_url, model))
