"""The outside: endpoints, object storage, Dagster's internals, memory. Turns settings into what the assets work with.

Imports the core, and is imported by the assets and what lies above them.
"""
