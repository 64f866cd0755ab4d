"""Every setting of a run, its default and its limits, and how a YAML spec becomes one.

Imports `errors` only.
"""
