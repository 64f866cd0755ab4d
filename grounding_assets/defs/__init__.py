"""Further definitions of a checkout, such as schedules: what `dg scaffold defs` writes here is loaded with the data sets."""
