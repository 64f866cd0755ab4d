"""One checkpoint per sample and step: what it holds, where it lies, what it was made of, who works on it.

Imports `records`, `files` and `errors`; knows no data set and no model.
"""
