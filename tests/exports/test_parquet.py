"""Parquet files read back by pyarrow: the record, whole."""

import json
import subprocess
import sys

import pyarrow.parquet
from hypothesis import given, settings

from grounding_assets.core.exports import export
from tests.exports.record_strategies import one_record, record_lists


def as_record(row):
    """The record that a row was made of, by column names alone."""

    def merged(columns):
        other = json.loads(columns.pop("other_fields") or "{}")
        return {name: value for name, value in columns.items() if value is not None} | other

    record = merged(dict(row))
    assert record.pop("sample_id")
    record["provenance"] = json.loads(record["provenance"])
    record["expressions"] = [merged(expression) for expression in record["expressions"]]
    for expression in record["expressions"]:
        expression["instances"] = [merged(instance) for instance in expression["instances"]]
    return record


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_a_record_comes_back_whole(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("parquet")
    export(rows, out, "parquet")
    loaded = pyarrow.parquet.read_table(out / "train.parquet").to_pylist()
    assert [as_record(row) for row in loaded] == rows


def test_later_additions_to_a_record_are_kept(tmp_path):
    row = one_record(split_hint="x", weird={"a": [1, None, "\ud800"]})
    row["expressions"][0]["complete"] = False
    row["expressions"][0]["instances"][0]["verified"] = True
    row["expressions"][0]["instances"][0]["later"] = "unsure"
    export([row], tmp_path, "parquet")
    [loaded] = pyarrow.parquet.read_table(tmp_path / "train.parquet").to_pylist()
    assert as_record(loaded) == row


def test_many_records_take_several_row_groups(tmp_path):
    export((one_record(image_id=str(n)) for n in range(2500)), tmp_path, "parquet")
    file = pyarrow.parquet.ParquetFile(tmp_path / "train.parquet")
    assert (file.metadata.num_rows, file.num_row_groups) == (2500, 5)
    assert file.read(["image_id"]).column("image_id").to_pylist() == [str(n) for n in range(2500)]


def test_without_pyarrow_the_message_says_how_to_install_it(tmp_path):
    # None in sys.modules is how Python marks a package that cannot be imported
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path\n"
        "from grounding_assets.core.errors import SpecError\n"
        "from grounding_assets.core.exports import export\n"
        "from tests.exports.record_strategies import one_record\n"
        "try:\n"
        "    export([one_record()], Path(sys.argv[1]), 'parquet')\n"
        "except SpecError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "format=parquet needs pyarrow: run `pip install pyarrow`."
    assert list(tmp_path.iterdir()) == []
