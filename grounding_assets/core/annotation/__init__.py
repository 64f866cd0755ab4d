"""From a pending sample to a stored result: what a teacher and a verifier are, and the loop that asks them.

Imports `replies`, `dataset` and what lies below them.
"""
