"""The size that an image is sent in: whatever the policy, every limit is kept and the aspect nearly so."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.image_policy import ImagePolicy
from resources.vlm.families import BY_NAME

steps = st.sampled_from([1, 14, 28, 32])


@st.composite
def policies(draw: st.DrawFn) -> ImagePolicy:
    step = draw(steps)
    max_side = draw(st.integers(8 * step, 5000))
    least = draw(st.integers(1, 4 * step))
    max_pixels = draw(st.integers((8 * step) ** 2, max_side**2))
    return ImagePolicy(max_side_px=max_side, max_pixels=max_pixels, multiple_of=step, min_side_px=least)


@given(policies(), st.integers(1, 40_000), st.integers(1, 40_000))
def test_every_limit_is_kept(policy: ImagePolicy, width: int, height: int) -> None:
    try:
        sent = policy.sent_size(width, height)
    except SampleFailure as failure:
        assert failure.reason is Reason.IMAGE_TOO_LARGE
        assert max(width, height) / min(width, height) > 1.9
        return
    step = policy.multiple_of
    assert all(side % step == 0 and side >= max(step, policy.min_side_px) for side in sent)
    assert max(sent) <= policy.max_side_px
    assert sent[0] * sent[1] <= policy.max_pixels


@given(policies(), st.integers(1, 40_000), st.integers(1, 40_000))
def test_the_aspect_changes_by_little_more_than_a_step(policy: ImagePolicy, width: int, height: int) -> None:
    step = policy.multiple_of
    try:
        sent = policy.sent_size(width, height)
    except SampleFailure:
        assume(False)
        return
    # a side that is shorter than its minimum when all is scaled alike cannot keep the aspect
    assume(min(sent) > max(policy.min_side_px, step) + step)
    error = abs(math.log(sent[0] / sent[1]) - math.log(width / height))
    assert error <= 1.5 * step * (1 / sent[0] + 1 / sent[1])


@given(policies(), st.integers(1, 5000), st.integers(1, 5000))
def test_a_size_that_fits_is_kept(policy: ImagePolicy, width: int, height: int) -> None:
    sent = policy.sent_size
    step = policy.multiple_of
    width, height = (max(policy.min_side_px, side) // step * step + step for side in (width, height))
    assume(max(width, height) <= policy.max_side_px and width * height <= policy.max_pixels)
    assert sent(width, height) == (width, height)


@pytest.mark.parametrize("family", BY_NAME.values(), ids=BY_NAME)
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1, 1), (30, 300), (8000, 6000), (12_000, 600)])
def test_every_family_takes_ordinary_images(family: object, size: tuple[int, int]) -> None:
    policy: ImagePolicy = family.image  # type: ignore[attr-defined]
    sent = policy.sent_size(*size)
    assert policy.sent_size(*sent) == sent


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (10, 20_000)])
def test_what_is_too_thin_for_a_model_says_so(size: tuple[int, int]) -> None:
    policy = ImagePolicy(max_side_px=4096, max_pixels=1_003_520, multiple_of=28, min_side_px=56)
    with pytest.raises(SampleFailure, match="too long and thin") as caught:
        policy.sent_size(*size)
    assert caught.value.reason is Reason.IMAGE_TOO_LARGE
