"""The name that a request has in a batch: the same for the same question, whenever it is put."""

import hashlib

from grounding_assets.core.annotation.asking import Asker
from grounding_assets.core.annotation.calls import ModelRequest
from grounding_assets.core.files import to_json


def request_key(asker: Asker, request: ModelRequest) -> str:
    """32 hexadecimal digits. Of the question, not of its wire form: what an endpoint is learned to refuse changes nothing."""
    image = request.image
    parts = [
        asker.sample_id,
        asker.step,
        asker.order_id,
        request.instructions,
        image.sha256,
        list(image.sent_size),
        request.text,
        request.schema,
        request.max_tokens,
        request.temperature,
        dict(request.extra),
    ]
    return hashlib.sha256(to_json(parts)).hexdigest()[:32]
