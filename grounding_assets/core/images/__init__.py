"""Photos: read, turned upright, and made fit to send; crops of them for verification.

Imports `boxes`, `records` and `errors`.
"""
