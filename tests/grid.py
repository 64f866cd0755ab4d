"""How exact boxes can be that went through a convention."""

from grounding_assets.core.boxes.coordinates import Convention


def grid_error_px(
    convention: Convention, sent_size: tuple[int, int], image_size: tuple[int, int]
) -> tuple[float, float]:
    """The largest error of `decode(encode(box))` on the (x, y) axes, in pixels of the original."""
    frame_x, frame_y = convention.frame(sent_size)
    half = convention.step / 2
    return (half * image_size[0] / frame_x, half * image_size[1] / frame_y)
