"""What a user can set, as frozen values; friendly text is checked when the value is made.

The attribute docstrings are the help texts of the command line: one list for both.
"""

from __future__ import annotations

from pipeline.settings.calls import CallSettings
from pipeline.settings.check import CheckSettings
from pipeline.settings.export import ExportSettings, FetchSettings
from pipeline.settings.klaviyo import KlaviyoPullSettings, KlaviyoPushSettings
from pipeline.settings.newsletter import NewsletterSettings
from pipeline.settings.prepare import PrepareSettings, SelectionSettings
from pipeline.settings.quantities import (
    parse_duration,
    parse_moment,
    parse_percent,
    parse_share,
    parse_size,
    parse_zone,
)
from pipeline.settings.sandbox import SandboxSettings
from pipeline.settings.secret import Secret
from pipeline.settings.smartemailing import (
    SmartEmailingIdsSettings,
    SmartEmailingPushSettings,
    SmartEmailingSettings,
)
from pipeline.settings.upload import HistorySettings, UploadSettings

__all__ = [
    "CallSettings",
    "CheckSettings",
    "ExportSettings",
    "FetchSettings",
    "HistorySettings",
    "KlaviyoPullSettings",
    "KlaviyoPushSettings",
    "NewsletterSettings",
    "PrepareSettings",
    "SandboxSettings",
    "Secret",
    "SelectionSettings",
    "SmartEmailingIdsSettings",
    "SmartEmailingPushSettings",
    "SmartEmailingSettings",
    "UploadSettings",
    "parse_duration",
    "parse_moment",
    "parse_percent",
    "parse_share",
    "parse_size",
    "parse_zone",
]
