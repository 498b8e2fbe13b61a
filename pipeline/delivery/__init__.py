"""One run of a `deliver` command, step by step: the rooms it needs, brought together."""
