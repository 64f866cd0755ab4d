"""The colours that tell expressions apart, on photos and in captions. Nothing else of the page's look."""

PALETTE = ("#ffb000", "#4cc3ff", "#ff6f91", "#5fd38d", "#b99cff", "#ff8a3d", "#e6d84a", "#5ee0d0")
"""sRGB, bright enough to stand out on a photo under a dark halo. Expression `i` takes colour `i % 8`;
its number is always shown as well, since eight hues repeat and not everybody can tell them apart."""

INK = "#111315"
"""Text on any of the colours, and their halo: at least 7:1 against each of them (WCAG AAA)."""


def colour_of(expression: int) -> str:
    """The colour of the expression at this position of a sample."""
    return PALETTE[expression % len(PALETTE)]
