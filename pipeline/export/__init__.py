"""Exports: incremental parsers, sinks, publication."""
