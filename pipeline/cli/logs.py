"""Log lines on stderr, as text or as one JSON object each. No library configures logging."""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from pipeline.cli.options import CommonOptions
from pipeline.cli.report import printable

__all__ = ["set_up_logging"]


def set_up_logging(common: CommonOptions) -> None:
    """Send the records of every logger to stderr, in the shape and from the level asked for."""
    if sys.stderr is None:
        return
    logging.raiseExceptions = False  # a stderr that went away is no reason for a traceback
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine() if common.log_format == "json" else _TextLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if common.verbose:
        root.setLevel(logging.INFO)
    else:
        root.setLevel(logging.ERROR if common.quiet else logging.WARNING)


class _TextLine(logging.Formatter):
    """``batchpub: warning: …``; the traceback only for those who debug."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more when debugging an exception."""
        line = printable(f"batchpub: {record.levelname.lower()}: {record.getMessage()}")
        return line + _traceback(self, record)


class _JsonLine(logging.Formatter):
    """An object with time (UTC), level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        content = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _traceback(self, record):
            content["traceback"] = trace
        return json.dumps(content)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback of `record`; it can quote data, so only BATCHPUB_DEBUG=1 shows it."""
    if record.exc_info and os.environ.get("BATCHPUB_DEBUG") == "1":
        return "\n" + formatter.formatException(record.exc_info)
    return ""
