"""A local stand-in of the remote services, for users and tests."""
