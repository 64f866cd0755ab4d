"""What holds for located phrases whatever the caption."""

from collections.abc import Sequence
from typing import Any

from grounding_assets.core.spans.alignment import Phrase
from grounding_assets.core.spans.folding import cluster_edges, trimmed


def check(caption: str, phrases: Sequence[Phrase], located: Sequence[Any]) -> None:
    edges = cluster_edges(caption)
    spans = [place.char_span for place in located if place.char_span]
    assert len(located) == len(phrases)
    assert len(spans) == len(set(spans)), "two phrases on one span"
    for phrase, place in zip(phrases, located, strict=True):
        if place.status == "dropped":
            assert place.char_span is None
            continue
        start, end = place.char_span
        text = caption[start:end]
        assert 0 <= start < end <= len(caption)
        assert text == text.strip()
        assert {start, end} <= edges, "a grapheme cluster is cut"
        assert (place.status == "exact") == (text == trimmed(phrase.text))
