"""RefCOCO, RefCOCO+ and RefCOCOg as gold: each sentence is a caption with one expression, itself.

Format: `refer.py` of the data sets' authors (Yu et al. 2016).
"""

import pickle
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record, to_pixels
from grounding_assets.core.json_arrays import elements


def refcoco_gold(
    refs: Path, instances: Path, *, split: str = "", image_prefix: str = "", source: str = "refcoco"
) -> Iterator[dict[str, Any]]:
    """A gold record for each sentence, in the file's order; a sentence that an image has twice, once.

    Args:
        refs: `refs(unc).p` or the like, a pickle; only plain values in it are read, never code.
        instances: `instances.json` from beside it.
        split: only this one, such as `val`, `testA` or `test`; all without it.
        image_prefix: put before each file name.
        source: name of the data set in the records.

    Raises:
        InputError: a file is not what it should be, or the split is not in it.
    """
    try:
        rows = [row for row in _load(refs) if not split or row["split"] == split]
        if not rows:
            raise InputError(f"{refs} has no references" + (f" of split '{split}'." if split else "."))
        wanted = {row["ann_id"] for row in rows}
        boxes = {
            a["id"]: array("d", a["bbox"]) for a in elements(instances, "annotations") if a["id"] in wanted
        }
        images = {
            row["id"]: (row["file_name"], (row["width"], row["height"]))
            for row in elements(instances, "images")
        }
        told: set[tuple[int, str]] = set()
        for row in rows:
            file_name, size = images[row["image_id"]]
            for sentence in row["sentences"]:
                text = " ".join(sentence["sent"].split())
                if not text or (row["image_id"], text) in told:
                    continue
                told.add((row["image_id"], text))
                expression = gold_expression(text, (0, len(text)), [to_pixels(*boxes[row["ann_id"]])])
                yield gold_record(image_prefix + file_name, text, size, [expression], source)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{refs} and {instances} do not make a RefCOCO data set: {error!r}.") from None


class _PlainUnpickler(pickle.Unpickler):
    """Refuses everything that a pickle could run."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which is not plain data")


def _load(refs: Path) -> list[dict[str, Any]]:
    try:
        with refs.open("rb") as stream:
            # the published files were written by Python 2
            rows = _PlainUnpickler(stream, encoding="utf-8").load()
    except OSError as error:
        raise InputError(f"Cannot read {refs}: {error.strerror}.") from None
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        MemoryError,
        OverflowError,
    ) as error:
        raise InputError(f"{refs} is not a pickle of references: {error}.") from None
    if not isinstance(rows, list):
        raise InputError(f"{refs} does not hold a list of references.")
    return rows
