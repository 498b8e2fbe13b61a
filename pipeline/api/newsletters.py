"""The last step: recommendations handed to what sends the mail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.api.keywords import OnePath, one_path, part
from pipeline.records import NewsletterSummary, OnProgress, ignore_progress
from pipeline.settings import NewsletterSettings


@dataclass(frozen=True, kw_only=True)
class _NewsletterOptions(NewsletterSettings):
    on_progress: OnProgress = ignore_progress


@one_path(_NewsletterOptions)
def deliver_newsletter(output: OnePath, options: _NewsletterOptions) -> NewsletterSummary:
    """Make the messages of a newsletter, as ``batchpub deliver newsletter`` does.

    Args:
        output: The file of messages to write, one JSON object a line.
        options: The fields of `NewsletterSettings` as keywords, and ``on_progress``.

    Returns:
        How many messages there are, and what became of the other contacts.

    Raises:
        ConfigurationError: a wrong keyword value or column, a name the template is not given, or
            the extra ``newsletter`` is not installed.
        InputError: the template, the contacts, the recommendations or a suppression file cannot be
            used.
        GuardError: a suppression file is too old, or no message is left.
        MachineError: disk, permission or memory.
    """
    from pipeline import flows

    return flows.deliver_newsletter(
        Path(output), part(NewsletterSettings, options), on_progress=options.on_progress
    )
