"""batchpub: personal recommendations from Luigi's Box into newsletters.

The names below are imported on first use: ``import pipeline`` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api import (
        check,
        deliver_newsletter,
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
        ExportSummary,
        FetchSummary,
        HistorySummary,
        NewsletterSummary,
        PrepareSummary,
        Progress,
        UploadSummary,
    )
    from pipeline.settings import (
        CheckSettings,
        ExportSettings,
        FetchSettings,
        HistorySettings,
        NewsletterSettings,
        PrepareSettings,
        Secret,
        UploadSettings,
    )

__version__ = "0.1.0"

__all__ = [
    "BatchpubError",
    "CheckSettings",
    "CheckSummary",
    "ConfigurationError",
    "DownloadSummary",
    "ExportSettings",
    "ExportSummary",
    "FetchSettings",
    "FetchSummary",
    "GuardError",
    "HistorySettings",
    "HistorySummary",
    "InputError",
    "MachineError",
    "NewsletterSettings",
    "NewsletterSummary",
    "PrepareSettings",
    "PrepareSummary",
    "Progress",
    "RemoteError",
    "Secret",
    "TryLaterError",
    "UncertainError",
    "UploadSettings",
    "UploadSummary",
    "check",
    "deliver_newsletter",
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
