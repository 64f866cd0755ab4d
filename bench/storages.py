"""Dagster's events in SQLite against PostgreSQL: whole commands by turns, in one run.

    python -m bench.storages [--rounds 3] [--samples 2000]

64 workers, 20 ms a call: more events a second than a real endpoint lets happen. PostgreSQL is Debian's server on the same
cores, with fsync. The last line is the quotient of the medians; within 10 % is the aim.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.throughput import HEADER, Row, Setting, machine, measure
from tests.postgres import binaries, postgres_server
from tests.storages import write_postgres_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=2000)
    options = parser.parse_args()
    found = binaries()
    if found is None:
        sys.exit("no PostgreSQL server here: install postgresql")
    rows: dict[str, list[Row]] = defaultdict(list)
    print(machine())
    print(HEADER.replace("| setting |", "| storage |", 1))
    with tempfile.TemporaryDirectory() as temporary, postgres_server(found, fsync=True) as server:
        for number in range(options.rounds):
            for storage in ("SQLite", "PostgreSQL"):
                folder = Path(temporary) / f"{storage}-{number}"
                folder.mkdir()
                if storage == "PostgreSQL":
                    write_postgres_file(folder, server)
                row = measure(Setting(64, 0.02, options.samples), folder)
                rows[storage].append(row)
                print(row.shown().replace(row.setting.label, storage), flush=True)
    rates = {storage: statistics.median(row.rate for row in each) for storage, each in rows.items()}
    print(f"\nPostgreSQL's rate while annotating is {rates['PostgreSQL'] / rates['SQLite']:.2f} of SQLite's.")


if __name__ == "__main__":
    main()
