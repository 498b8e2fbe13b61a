"""The user list: its bytes, its limit, its receipt."""
