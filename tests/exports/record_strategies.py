"""Annotation records as hypothesis draws them: any caption, any spans, any boxes inside the image."""

from typing import Any

from hypothesis import strategies as st

SIZES = {
    "a/1.jpg": (640, 480),
    "b/1.jpg": (1, 1),
    "photos/été 7.png": (5000, 3),
    "42.jpeg": (1000, 1000),
    "./42.jpeg": (1000, 1000),
    "x/007.jpg": (2, 4000),
    "日本/猫.webp": (17, 23),
}
"""An image has one size, however many records it has."""
NASTY = "[]/|`'\"\\<>&{}%\n\t\u00a0\u200b\u202e\u0301é한👩‍👩‍👧🇫🇷İß "
captions = st.text(min_size=0, max_size=60) | st.text(alphabet=NASTY + "abc .,", min_size=1, max_size=40)
encodable = st.characters(exclude_categories=("Cs",))


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> list[int]:
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return [x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))]


@st.composite
def expressions(draw: st.DrawFn, sample_id: str, index: int, caption: str, size: tuple[int, int]) -> Any:
    start = draw(st.integers(0, len(caption) - 1))
    end = draw(st.integers(start + 1, len(caption)))
    name = f"{sample_id}/e{index}"
    instances = [
        {
            "bbox_id": f"{name}/b{i}",
            "bbox": draw(boxes(*size)),
            "score": draw(st.floats(0, 1)),
            "score_source": draw(st.sampled_from(["model", "default"])),
        }
        for i in range(draw(st.integers(0, 3)))
    ]
    unboxed = st.sampled_from(["none_seen", "not_mentioned", "out_of_vocabulary"])
    return {
        "expression_id": name,
        "text": caption[start:end],
        "char_span": [start, end],
        "noun_chunk": draw(st.text(encodable, max_size=8)),
        "span_status": draw(st.sampled_from(["exact", "repaired"])),
        "instances": instances,
        "grounding_status": "boxed" if instances else draw(unboxed),
    }


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    path = draw(st.sampled_from(list(SIZES)))
    width, height = SIZES[path]
    caption = draw(captions)
    sample_id = f"s{draw(st.integers(0, 10**6))}"
    found = []
    if caption:
        for index in range(draw(st.integers(0, 5))):
            found.append(draw(expressions(sample_id, index, caption, (width, height))))
    return {
        "image_id": sample_id,
        "image_path": path,
        "caption": caption,
        "width": width,
        "height": height,
        "note": draw(st.none() | st.text(encodable, max_size=5) | st.integers()),
        "cleaned_caption": caption,
        "expressions": [row for row in found if row["text"].strip()],
        "source": "image_grounding",
        "pipeline_steps": ["step0_expression_extraction", "step1_grounding"],
        "provenance": {"step_1": {"backend": "openai", "model": "m", "settings": {"temperature": 0.7}}},
    }


record_lists = st.lists(records(), min_size=1, max_size=6)


def one_record(**fields: Any) -> dict[str, Any]:
    """A record that is right, with some of its fields replaced."""
    return {
        "image_id": "7",
        "image_path": "photos/7.jpg",
        "caption": "A red car is parked beside a tree.",
        "cleaned_caption": "A red car is parked beside a tree.",
        "width": 640,
        "height": 480,
        "expressions": [
            one_expression("A red car", 0, [[10, 20, 300, 400]], noun_chunk="car"),
            one_expression("a tree", 27, [[300, 0, 640, 470], [0, 0, 9, 9]], noun_chunk="tree"),
        ],
        "source": "image_grounding",
        "pipeline_steps": ["step0_expression_extraction", "step1_grounding"],
        "provenance": {"step_0": dict(MADE_BY), "step_1": dict(MADE_BY)},
    } | fields


MADE_BY = {
    "backend": "gemini",
    "model": "gemini-3.1-flash-lite-preview",
    "prompt_version": "gemini/1",
    "settings": {"temperature": 0.3},
}


def one_expression(
    text: str, start: int, bboxes: list[list[int]], noun_chunk: str = "", scores: list[float] | None = None
) -> dict[str, Any]:
    return {
        "expression_id": f"7/e{start}",
        "text": text,
        "char_span": [start, start + len(text)],
        "noun_chunk": noun_chunk or text,
        "span_status": "exact",
        "instances": [
            {"bbox_id": f"7/e{start}/b{i}", "bbox": bbox, "score": score, "score_source": "model"}
            for i, (bbox, score) in enumerate(zip(bboxes, scores or [0.9] * len(bboxes), strict=True))
        ],
        "grounding_status": "boxed" if bboxes else "none_seen",
    }
