"""Where a quoted phrase stands in the cleaned caption, in code points.

Text only: imports `records`, and no other room.
"""
