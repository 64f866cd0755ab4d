"""`auto_label report`: writes report.html of the results that are there."""

from collections.abc import Sequence

from grounding_assets.cli.whole import results_to_read
from grounding_assets.core.errors import EXIT_OK
from resources.credentials import Credentials
from resources.dataset import DataSet


def report(spec_file: str, overrides: Sequence[str]) -> int:
    """Writes the page and prints where it is; annotates nothing."""
    spec = results_to_read(spec_file, overrides)
    file, written = DataSet(spec, Credentials.of(spec)).write_report()
    total = written.figures.lines + written.figures.failures.total()
    shown = "all" if written.samples >= total else f"{written.samples} of"
    print(f"Report: {file} ({shown} {total} samples, {written.size_bytes / 1e6:.1f} MB)")
    return EXIT_OK


def renew_report(dataset: DataSet, spec_file: str, samples: int) -> None:
    """After a run: writes the page again, if there are annotations and not too many samples."""
    if not (dataset.results_dir / "annotations.jsonl").is_file():
        return
    limit = dataset.spec.image_grounding.report.renew_up_to
    if samples > limit:
        print(
            f"Report:      not renewed, for {samples:,} samples (image_grounding.report.renew_up_to is {limit:,}): "
            f"auto_label report -e {spec_file}"
        )
        return
    file, _ = dataset.write_report()
    print(f"Look at it:  {file}")
