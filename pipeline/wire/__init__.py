"""HTTP without I/O: bytes and values of requests and answers."""
