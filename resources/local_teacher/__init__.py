"""The embedded default teacher: noun phrases by TextBlob, boxes by a small COCO detector; no key, no network."""
