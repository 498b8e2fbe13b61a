"""The rules: who is on the list. Pure, written once."""
