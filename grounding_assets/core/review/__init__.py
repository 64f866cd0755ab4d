"""What people say of results: marks read, kept, and applied where results are exported or judged.

Here: `reviews.jsonl` of a results folder. Not here: the page on which people mark (`report`), and anything that
changes a stored result. Imports `shards` and what lies below it.
"""
