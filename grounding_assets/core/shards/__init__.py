"""A data set cut into shards: slices of the input, each with a results folder that is a data set of its own.

Here: what a cut folder is, cutting, claims, what became of each shard, and joining the parts. Not here: annotating, which
the rest of the core does in a shard as in any results folder. Imports `dataset` and what lies below it.
"""
