"""The domain: records, spans, boxes, replies, checkpoints. No Dagster, no HTTP, no environment."""
