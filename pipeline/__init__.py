"""batchpub: personal recommendations from Luigi's Box into newsletters.

The names below are imported on first use: ``import pipeline`` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api import (
        check,
        deliver_klaviyo_pull,
        deliver_klaviyo_push,
        deliver_newsletter,
        deliver_smartemailing_check,
        deliver_smartemailing_ids,
        deliver_smartemailing_push,
        explain,
        fetch,
        history,
        parse,
        prepare,
        read_export,
        upload,
    )
    from pipeline.errors import (
        BatchpubError,
        ConfigurationError,
        GuardError,
        InputError,
        MachineError,
        RemoteError,
        TryLaterError,
        UncertainError,
    )
    from pipeline.records import (
        CheckSummary,
        DownloadSummary,
        ExplainSummary,
        ExportSummary,
        FetchSummary,
        HistorySummary,
        KlaviyoPullSummary,
        KlaviyoPushSummary,
        NewsletterSummary,
        PrepareSummary,
        Progress,
        SmartEmailingCheckSummary,
        SmartEmailingIdsSummary,
        SmartEmailingPushSummary,
        UploadSummary,
    )
    from pipeline.settings import (
        CheckSettings,
        ExportSettings,
        FetchSettings,
        HistorySettings,
        KlaviyoPullSettings,
        KlaviyoPushSettings,
        NewsletterSettings,
        PrepareSettings,
        Secret,
        SelectionSettings,
        SmartEmailingIdsSettings,
        SmartEmailingPushSettings,
        SmartEmailingSettings,
        UploadSettings,
    )

__version__ = "0.1.0"

__all__ = [
    "BatchpubError",
    "CheckSettings",
    "CheckSummary",
    "ConfigurationError",
    "DownloadSummary",
    "ExplainSummary",
    "ExportSettings",
    "ExportSummary",
    "FetchSettings",
    "FetchSummary",
    "GuardError",
    "HistorySettings",
    "HistorySummary",
    "InputError",
    "KlaviyoPullSettings",
    "KlaviyoPullSummary",
    "KlaviyoPushSettings",
    "KlaviyoPushSummary",
    "MachineError",
    "NewsletterSettings",
    "NewsletterSummary",
    "PrepareSettings",
    "PrepareSummary",
    "Progress",
    "RemoteError",
    "Secret",
    "SelectionSettings",
    "SmartEmailingCheckSummary",
    "SmartEmailingIdsSettings",
    "SmartEmailingIdsSummary",
    "SmartEmailingPushSettings",
    "SmartEmailingPushSummary",
    "SmartEmailingSettings",
    "TryLaterError",
    "UncertainError",
    "UploadSettings",
    "UploadSummary",
    "check",
    "deliver_klaviyo_pull",
    "deliver_klaviyo_push",
    "deliver_newsletter",
    "deliver_smartemailing_check",
    "deliver_smartemailing_ids",
    "deliver_smartemailing_push",
    "explain",
    "fetch",
    "history",
    "parse",
    "prepare",
    "read_export",
    "upload",
]

_HOMES = ("errors", "records", "settings", "api")


if not TYPE_CHECKING:  # a type checker must not think that any name exists

    def __getattr__(name: str) -> object:
        if name in __all__:
            from importlib import import_module

            for home in _HOMES:
                module = import_module(f"pipeline.{home}")
                if name in module.__all__:  # not every attribute: a submodule may share its name
                    found: object = getattr(module, name)
                    globals()[name] = found
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
