"""Kills a run with -9 again and again at random moments and checks what is left of it each time.

    python -m bench.soak [--samples 1000] [--kills 20] [--seed 1]

Exits with a traceback where a result is lost, wrong or paid for twice, or where Dagster shows anything
other than what lies on disk.
"""

import argparse
import tempfile
from pathlib import Path

from tests.endurance.pictures import make_pictures
from tests.endurance.soak import calm_run, soak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_pictures(folder / "pictures", given.samples)
        calm = calm_run(folder / "calm", pictures)
        figures = soak(folder / "soak", pictures, calm, kills=given.kills, seed=given.seed)
    print(
        f"{figures.samples} samples, {figures.kills} kills, {figures.seconds:.0f} s: every result right, "
        f"{figures.calls} calls = {figures.needed} needed, {figures.faulted} hit by a fault or cut off, "
        f"{figures.lost} answered and lost; done at each kill: {figures.done_at_kill}"
    )


if __name__ == "__main__":
    main()
