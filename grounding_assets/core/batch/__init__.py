"""Batch jobs: request files within the makers' limits, what is submitted, and which answer belongs to which request.

Pure but for files. Imports `annotation` and what lies below it.
"""
