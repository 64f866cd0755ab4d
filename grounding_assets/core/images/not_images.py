"""What a file is that is no image, or none that is read, and what to do about it: by its first bytes."""

import re

_KINDS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), words)
    for pattern, words in (
        (
            rb"version https://git-lfs",
            "is a pointer of Git LFS, not the image itself. Run `git lfs pull` where it comes from.",
        ),
        (
            rb".{4}ftyp(?:hei|hev|mif1|msf1)",
            "is HEIC, which is not read. Convert it to JPEG, with its orientation.",
        ),
        (
            rb"\s*(?:<!doctype html|<html)",
            "is a web page, not an image: what was downloaded was an answer in words.",
        ),
        (rb"\s*(?:<\?xml.{0,500}?)?<svg", "is SVG, which is not read. Draw it as PNG."),
        (rb"\s*(?:<\?xml|\{|\[)", "is text, not an image: perhaps an error that was downloaded."),
        (rb"%PDF-", "is PDF, which is not read. Convert its pages to PNG."),
        (
            rb"data:image/[\w.+-]+;base64,",
            "is an image as text (base64), which is not read. Decode it to a file.",
        ),
        (rb".{4}ftyp(?:isom|mp4|qt|M4V|avc1|iso)", "is a video. Extract its frames as JPEG."),
    )
)


def words_for(raw: bytes) -> str:
    """What messages say behind the file's name.

    >>> words_for(b"<!DOCTYPE html><html>")
    'is a web page, not an image: what was downloaded was an answer in words.'
    """
    head = raw[:1000]
    return next((words for kind, words in _KINDS if kind.match(head)), "is not an image that can be read.")
