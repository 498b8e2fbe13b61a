"""What can be set about handing recommendations to SmartEmailing, or reading ids there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.limits import SMARTEMAILING_IMPORT
from pipeline.settings.calls import CallSettings
from pipeline.settings.quantities import parse_duration, parse_share


@dataclass(frozen=True, kw_only=True)
class SmartEmailingSettings(CallSettings):
    """Which account is spoken to, and how."""

    smartemailing_user: str
    """User name of the account; its API key comes from BATCHPUB_SMARTEMAILING_KEY."""
    smartemailing_url: str = "https://app.smartemailing.cz/api/v3"
    """Address of the API; plain http is allowed for loopback only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        user = self.smartemailing_user
        if not user.strip() or ":" in user or not user.isprintable():
            raise ConfigurationError(
                "not a user name: empty, or with a colon or a control character",
                source="--smartemailing-user",
                remedy="copy it from the account's page of API keys",
            )


@dataclass(frozen=True, kw_only=True)
class SmartEmailingIdsSettings(SmartEmailingSettings):
    """Where the user ids stand."""

    id_field: str
    """Custom field that holds the user id: its number, or its name."""


@dataclass(frozen=True, kw_only=True)
class SmartEmailingPushSettings(SmartEmailingSettings):
    """What is written where, and how a run ends."""

    contacts: Path
    """Who has which user id: a file with a column of ids and one of e-mail addresses."""
    field: str
    """Custom field that takes the recommendations: its number, or its name."""
    id_column: str | None = None
    """Column of --contacts with the user id. Default: found by its name."""
    email_column: str | None = None
    """Column of --contacts with the e-mail address. Default: found by its name."""
    batch_size: int = SMARTEMAILING_IMPORT
    """Contacts of one import."""
    rejects: Path | None = None
    """Write the contacts that were not taken here: source, row, reason."""
    reject_values: bool = False
    """Write their addresses there, too."""
    max_rejects: str = "5%"
    """End with an error when more contacts than this were not taken: a number or a share."""
    resume_within: str | float = "24h"
    """Go on with a run that broke off when it began less long ago."""
    start_over: bool = False
    """Begin anew, also when an earlier run broke off."""
    dry_run: bool = False
    """Say what would be sent, and send nothing; needs no key."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_duration(self.resume_within, option="--resume-within")
        parse_share(self.max_rejects, option="--max-rejects")
        if not 1 <= self.batch_size <= SMARTEMAILING_IMPORT:
            raise ConfigurationError(
                "must be at least 1, up to the limit",
                source="--batch-size",
                limit=SMARTEMAILING_IMPORT,
                actual=self.batch_size,
            )
