"""What a run says at its end: results, failures, lines that are no samples, and where to look."""

from pathlib import Path

from tests.core.workspaces import picture_rows, write_input
from tests.doors.project import make_project


def test_the_end_of_a_run_accounts_for_every_line_and_renews_the_report(tmp_path: Path) -> None:
    project = make_project(tmp_path, "{backend: local}", image_root=tmp_path)
    rows = picture_rows(tmp_path, 6)
    (tmp_path / str(rows[3]["image_path"])).unlink()
    broken = [b"{", b"[]", b'{"caption": "no path"}', b'{"image_path": "0001.png"}']
    write_input(tmp_path / "input.jsonl", [*rows, rows[0], *broken])
    page = project.results / "report.html"

    ended = project.generate()
    assert ended.returncode == 1, ended.stderr
    assert "5 of 6 samples have a result; 1 failed (1 image_missing)." in ended.stdout
    assert "4 input lines were rejected (rejected.jsonl says why); 1 input lines repeat" in ended.stdout
    assert "0003: image_missing: " in ended.stdout
    assert f"Look at it:  {page}" in ended.stdout
    assert '"id":"0005"' in page.read_text(encoding="utf-8")

    page.unlink()
    again = project.generate("image_grounding.report.renew_up_to=5")
    assert "Report:      not renewed, for 6 samples" in again.stdout
    assert "auto_label report -e spec.yaml" in again.stdout and not page.exists()
