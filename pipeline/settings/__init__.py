"""What a user can set, as frozen values; friendly text is checked when the value is made.

The attribute docstrings are the help texts of the command line: one list for both.
"""

from __future__ import annotations

from pipeline.settings.check import CheckSettings
from pipeline.settings.export import ExportSettings, FetchSettings
from pipeline.settings.newsletter import NewsletterSettings
from pipeline.settings.prepare import PrepareSettings
from pipeline.settings.quantities import parse_duration, parse_percent, parse_share, parse_size
from pipeline.settings.sandbox import SandboxSettings
from pipeline.settings.secret import Secret
from pipeline.settings.upload import HistorySettings, UploadSettings

__all__ = [
    "CheckSettings",
    "ExportSettings",
    "FetchSettings",
    "HistorySettings",
    "NewsletterSettings",
    "PrepareSettings",
    "SandboxSettings",
    "Secret",
    "UploadSettings",
    "parse_duration",
    "parse_percent",
    "parse_share",
    "parse_size",
]
