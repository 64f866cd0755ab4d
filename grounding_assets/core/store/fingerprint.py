"""What a result depends on, as a short digest: a sample is done while its digest has not changed.

Model, prompt and sampling are not in it: a changed setting does not throw paid results away. They
have a digest of their own, so that a run can say how many results were made with other settings.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from grounding_assets.core.records import Expression, Sample

DIGEST_SIZE = 12
"""Of every digest here, in bytes."""
# ASCII keeps lone surrogates of hand-edited files encodable; made once, since json.dumps makes one a call
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def extraction_fingerprint(sample: Sample) -> str:
    """Digest of step 0's input: caption, image path, declared size."""
    return _digest("step0", sample.caption, sample.image_path, sample.declared_size)


def grounding_fingerprint(sample: Sample, cleaned_caption: str, expressions: Sequence[Expression]) -> str:
    """Digest of step 1's input: cleaned caption, expressions with their spans, image path, declared size."""
    phrases = [(e.text, *e.char_span) for e in expressions]
    return _digest("step1", cleaned_caption, phrases, sample.image_path, sample.declared_size)


def verification_fingerprint(grounding_input: str, expressions: Sequence[Expression]) -> str:
    """Digest of step 2's input: that of step 1, which covers caption and image path, texts and boxes."""
    return _digest("step2", grounding_input, [(e.text, [i.bbox for i in e.instances]) for e in expressions])


def text_digest(cleaned_caption: str, expressions: Sequence[Expression]) -> str:
    """Digest of what people edit in step 0's output: the cleaned caption and the expressions, as they are written."""
    return written_text_digest(cleaned_caption, [(e.text, e.char_span, e.noun_chunk) for e in expressions])


def written_text_digest(cleaned_caption: object, expressions: Sequence[object]) -> str:
    """The same of (text, char_span, noun_chunk) as they stand in a line, whatever their types."""
    return _digest("text", cleaned_caption, expressions)


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """Digest of the settings that a result was made with."""
    return _digest("settings", settings)


def _digest(*parts: object) -> str:
    return hashlib.blake2b(_ENCODER.encode(parts).encode("ascii"), digest_size=DIGEST_SIZE).hexdigest()
