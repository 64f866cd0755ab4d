"""A night in some ten minutes: an outage, the loss of DNS, a machine that sleeps, a wave of rate limits, a used-up quota.

    python -m bench.night [--samples 400] [--hold 60]

Each befalls a run of its own in the middle of its work. Prints what the runs said, between what happened (in brackets), and exits with a
traceback where the first four do not end with everything done and right, or the last one not with a stop.
"""

import argparse
import tempfile
from pathlib import Path

from tests.endurance.night import PASSING, passes, stops
from tests.endurance.pictures import make_pictures
from tests.endurance.soak import calm_run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument(
        "--hold", type=float, default=60.0, help="seconds that a trouble goes on once it is noticed"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_pictures(folder / "pictures", given.samples)
        calm = calm_run(folder / "calm", pictures)
        for number, (title, trouble) in enumerate(PASSING.items()):
            tell(title, passes(folder / str(number), pictures, calm, trouble, hold_s=given.hold))
        tell("quota", stops(folder / "quota", pictures, calm))


def tell(title: str, story: list[str]) -> None:
    print(f"\n=== {title}", *story, sep="\n", flush=True)


if __name__ == "__main__":
    main()
