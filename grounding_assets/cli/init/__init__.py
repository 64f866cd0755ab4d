"""`auto_label init`: walks a newcomer from an input file to a spec that runs. `guide` leads through it."""
