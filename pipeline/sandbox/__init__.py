"""Local stand-in of the remote services: stores user lists, publishes exports, fails on request."""
