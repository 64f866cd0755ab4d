"""What calls cost, what has been spent, what is still allowed, and what a pilot predicts.

Imports `evaluation` and what lies below it.
"""
