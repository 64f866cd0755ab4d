"""The data set on disk: its input, its sample ids, its results folder and the files rolled up from them.

Imports `store`, `images` and what lies below them.
"""
