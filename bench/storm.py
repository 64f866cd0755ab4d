"""Annotates through a storm of faults and checks that every result equals a calm run's, apart from the refused.

    python -m bench.storm [--samples 2000]

The endpoint answers 30 % of requests with 429, half of them with Retry-After, resets 5 %, hangs past the timeout in 5 %,
answers 500 to 5 % and malformed text to 5 %, and refuses 2 % of the samples for good. Exits with a traceback where
a result differs.
"""

import argparse
import tempfile
from pathlib import Path

from tests.endurance.pictures import make_pictures
from tests.endurance.soak import calm_run
from tests.endurance.storm import storm


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_pictures(folder / "pictures", given.samples)
        calm = calm_run(folder / "calm", pictures)
        (folder / "storm").mkdir()
        figures = storm(folder / "storm", pictures, calm, workers=64, timeout_s=3)
    print(
        f"{figures.samples} samples, {figures.seconds:.0f} s, {figures.runs} runs: every result right; {figures.calls} calls for "
        f"{2 * figures.samples}, {figures.unparsable} samples spoiled twice in a row and made by the next run, "
        f"{figures.most_in_flight} requests in flight at most; faults: {figures.by_fault}"
    )


if __name__ == "__main__":
    main()
