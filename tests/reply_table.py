"""`python -m tests.reply_table` prints what the parser makes of every captured reply of the corpus."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from grounding_assets.core.boxes.coordinates import CONVENTIONS, Convention, ResolvedBoxes, resolve_boxes
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.records import Instance
from grounding_assets.core.replies import ParsedGrounding, ReplyEntry, parse_grounding
from tests.corpus import CORPUS

FOLDER = CORPUS / "vlm_replies"
CONVENTION_OF = {
    ("0-1000", "yxyx"): "yxyx_1000",
    ("0-1000", "xyxy"): "xyxy_1000",
    ("0-999", "xyxy"): "xyxy_999",
    ("loc 0-999", "xyxy"): "xyxy_1000_bins",
    ("loc 0-1023", "yxyx"): "yxyx_1024",
    ("32x32 patch index -> normalised 0-1", "top-left,bottom-right patch"): "xyxy_32_bins",
}
"""The convention of a file by its `coord_space` and `box_order`; pixels of an unknown resize are left out."""
SIZE_OF = {"australia.jpg": (1300, 876), "car.jpg": (640, 480), "snowman.png": (1_000_000, 1_000_000)}
"""Sizes that the files do not state, worked out from their expected pixels. Those of the snowman are
fractions of the image, so a large canvas stands in."""
UNKNOWN_SIZE = (1000, 1000)


@dataclass(frozen=True)
class Outcome:
    """What became of one captured reply."""

    name: str
    family: str
    parsed: ParsedGrounding | None
    failure: SampleFailure | None
    resolved: ResolvedBoxes | None
    expected: list[tuple[str | None, list[float]]] | None
    """(label, `xyxy` pixels) of each box, where the corpus states them."""

    @property
    def entries(self) -> tuple[ReplyEntry, ...]:
        return self.parsed.entries if self.parsed else ()

    @property
    def instances(self) -> tuple[tuple[Instance, ...], ...]:
        return self.resolved.instances if self.resolved else ()

    @property
    def box_count(self) -> int:
        return sum(len(entry.boxes) for entry in self.entries)

    @property
    def right(self) -> int:
        """Expected boxes that came out, label and all, each edge within one pixel."""
        return sum(self._came_out(label, box) for label, box in self.expected or [])

    def _came_out(self, label: str | None, box: list[float]) -> bool:
        return any(
            (label is None or label in entry.labels)
            and any(max(map(_gap, instance.bbox, box)) <= 1.0 for instance in instances)
            for entry, instances in zip(self.entries, self.instances, strict=True)
        )


def outcome(row: dict[str, Any]) -> Outcome:
    """Parses and resolves one file of the corpus as far as it says how."""
    convention = convention_of(row)
    image: dict[str, Any] = row["image"] or {"size": UNKNOWN_SIZE}
    width, height = image["size"] or SIZE_OF.get(image["name"], UNKNOWN_SIZE)
    size = (width, height)
    expected = _expected(row, size)
    try:
        parsed = parse_grounding(row["raw_text"])
    except SampleFailure as failure:
        return Outcome(row["id"], row["family"], None, failure, None, expected)
    resolved = resolve_boxes(parsed.entries, convention, size, size) if convention else None
    return Outcome(row["id"], row["family"], parsed, None, resolved, expected)


def convention_of(row: dict[str, Any]) -> Convention | None:
    name = CONVENTION_OF.get((row["coord_space"], row["box_order"]))
    return CONVENTIONS[name] if name else None


def rows() -> list[dict[str, Any]]:
    """The captured replies, by file name."""
    files = sorted(path for path in FOLDER.glob("*.json") if not path.stem.startswith("fixtures"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def _gap(edge: float, expected: float) -> float:
    return abs(edge - expected)


def _expected(row: dict[str, Any], size: tuple[int, int]) -> list[tuple[str | None, list[float]]] | None:
    stated = row["expected_pixel_boxes"]
    if stated is None:
        return None
    if isinstance(stated, dict):
        scale = [*size, *size]
        return [
            (text, [edge * side for edge, side in zip(box, scale, strict=True)])
            for text, _, boxes in stated["entities"]
            for box in boxes
        ]
    return [(box["label"], box["box"]) if isinstance(box, dict) else (None, box) for box in stated]


def line(result: Outcome) -> str:
    """One line of the table."""
    if result.failure:
        said = f"{result.failure.reason}: {result.failure}"
    else:
        assert result.parsed
        labels = {entry.label for entry in result.parsed.entries if entry.label}
        notes = [f"{result.box_count} boxes of {len(labels)} names"]
        notes += [f"{result.parsed.unreadable} unreadable"] if result.parsed.unreadable else []
        notes += [f"{result.parsed.repairs} repairs"] if result.parsed.repairs else []
        notes += ["truncated"] if result.parsed.truncated else []
        counts = result.resolved.counts.to_record() if result.resolved else {}
        notes += [f"{n} {what}" for what, n in counts.items() if what != "total"]
        said = ", ".join(notes)
    checked = "-" if result.expected is None else f"{result.right}/{len(result.expected)}"
    return f"{result.name:14} {result.family:11} {checked:>7}  {said[:140]}"


def main() -> int:
    if not FOLDER.exists():
        print(f"vlm_replies not found under {CORPUS}; set GROUNDING_CORPUS", file=sys.stderr)
        return 2
    outcomes = [outcome(row) for row in rows()]
    print(f"{'reply':14} {'family':11} {'right':>7}  outcome")
    for result in outcomes:
        print(line(result))
    stated = sum(len(result.expected or []) for result in outcomes)
    right = sum(result.right for result in outcomes)
    print(f"\n{len(outcomes)} replies; {right} of {stated} expected boxes right")
    return 0 if right == stated else 1


if __name__ == "__main__":
    sys.exit(main())
