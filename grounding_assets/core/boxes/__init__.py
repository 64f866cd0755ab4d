"""Boxes: geometry, the coordinate conventions of models, and how an endpoint's convention is measured.

Imports `records` and `errors`, and no other room.
"""
