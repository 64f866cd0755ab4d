"""Phrase-grounding annotation as Dagster assets.

Here: the asset graph, its command line and the domain core. Not here: clients, models and
storage adapters, which live in the top-level package `resources`. Kept free of imports so that
`grounding_assets.core` can be used without Dagster.
"""
