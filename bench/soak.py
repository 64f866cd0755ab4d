"""Kills a run with -9 again and again at random moments and checks what is left of it each time.

    python -m bench.soak [--samples 1000] [--kills 20] [--seed 1]

Twice: as it comes, and with `max_calls` at half of what is needed. 3 % of the requests go wrong in one of sixteen ways.
Exits with a traceback where a result is lost, wrong or paid for twice, where the cap is passed, or where Dagster shows
anything other than what lies on disk.
"""

import argparse
import tempfile
from pathlib import Path

from tests.endurance.pictures import make_pictures
from tests.endurance.soak import Figures, calm_run, soak


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
        for capped in (False, True):
            name = "capped" if capped else "soak"
            print(
                story(soak(folder / name, pictures, calm, kills=given.kills, seed=given.seed, capped=capped)),
                flush=True,
            )


def story(figures: Figures) -> str:
    under = (
        f" {figures.under_cap} calls under max_calls={figures.cap}, then, without it," if figures.cap else ""
    )
    faults = ", ".join(f"{fault} {count}" for fault, count in sorted(figures.by_fault.items()))
    return (
        f"{figures.samples} samples, {figures.kills} kills, {figures.seconds:.0f} s: every result right;{under} "
        f"{figures.calls} calls about samples for {figures.needed} needed, {figures.faulted} hit by a fault, "
        f"{sum(figures.lost)} in flight at a kill ({max(figures.lost)} at most); done at each kill: "
        f"{figures.done_at_kill}; faults: {faults}"
    )


if __name__ == "__main__":
    main()
