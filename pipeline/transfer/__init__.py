"""The network edge: sessions, upload, download."""
