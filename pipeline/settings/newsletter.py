"""What can be set about `deliver newsletter`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError
from pipeline.settings.quantities import parse_duration, parse_share

_VARIABLE: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_MOST_PREVIEWS: Final = 100


@dataclass(frozen=True, kw_only=True)
class NewsletterSettings:
    """What the messages are made of, and who gets one."""

    template: str
    """Template: an .mjml or .html file, or the word starter for the one that comes along."""
    contacts: str
    """File, folder or glob with one row per recipient: CSV, JSONL, Parquet or Arrow."""
    recommendations: Path
    """Recommendations as `batchpub parse` wrote them: .jsonl or .parquet."""
    subject: str | None = None
    """Subject, template code allowed. Default: that of the template's front matter."""
    variable: tuple[str, ...] = ()
    """NAME=VALUE: a name the template uses; template code allowed; repeatable."""
    campaign: str | None = None
    """Name of this mailing: its messages have one key per recipient, whatever they say.
    Default: the key covers recipient and content."""
    id_column: str | None = None
    """Column of the contacts with the user id. Default: auth_user_id, customer_id, user_id or
    id."""
    email_column: str | None = None
    """Column with the e-mail address. Default: email, e_mail, email_address or mail."""
    delimiter: str | None = None
    """Field delimiter of the contacts' CSV. Default: a comma, a tab for .tsv."""
    encoding: str | None = None
    """Encoding of the contacts: cp1250, utf-16. Default: UTF-8."""
    suppress: tuple[Path, ...] = ()
    """File of ids or addresses that must not get mail; repeatable."""
    suppress_column: str | None = None
    """Column with the user id in the suppression files. Default: as for --id-column."""
    suppress_max_age: str | float | None = None
    """Refuse suppression files older than this: 24h, 7d."""
    fallback_items: Path | None = None
    """Items for slots that neither the recipient nor the default set fills: url, title,
    image_link, and recommendation_type where they are for one slot."""
    min_items: int = 1
    """Leave out recipients whose message would show fewer items than this."""
    utm: tuple[str, ...] = ()
    """NAME=VALUE: add utm_NAME to product links that lack it: source=newsletter; repeatable."""
    preview: int = 0
    """Write a page with this many messages beside the output: OUT.preview.html."""
    rejects: Path | None = None
    """Write the contacts that cannot be used here: source, row, reason."""
    max_rejects: str = "1%"
    """Refuse the contacts when more rows than this cannot be used: a number or a share."""
    temp_dir: Path | None = None
    """Folder for temporary files. Default: that of the output."""

    def __post_init__(self) -> None:
        for name in ("variable", "suppress", "utm"):
            value = getattr(self, name)  # one word is one word, not its letters
            if isinstance(value, str | os.PathLike):
                object.__setattr__(self, name, (value,))
        for pair in self.variable:
            if _VARIABLE.fullmatch(pair) is None:
                raise ConfigurationError(
                    f"not NAME=VALUE: {pair!r}", source="--variable", remedy="write shop=Example"
                )
        parse_share(self.max_rejects, option="--max-rejects")
        if self.suppress_max_age is not None:
            parse_duration(self.suppress_max_age, option="--suppress-max-age")
        if self.min_items < 0:
            raise ConfigurationError(
                "must not be negative", source="--min-items", actual=self.min_items
            )
        if not 0 <= self.preview <= _MOST_PREVIEWS:
            raise ConfigurationError(
                "must be from 0 up to the limit",
                source="--preview",
                limit=_MOST_PREVIEWS,
                actual=self.preview,
            )
        if self.delimiter is not None:
            text = self.delimiter.replace("\\t", "\t")
            if len(text) != 1 or not text.isascii() or text in "\r\n":
                raise ConfigurationError(
                    f"not one ASCII character: {self.delimiter!r}", source="--delimiter"
                )

    def variables(self) -> dict[str, str]:
        """The names given with --variable; the last of a name counts."""
        found = (_VARIABLE.fullmatch(pair) for pair in self.variable)
        return {match[1]: match[2] for match in found if match is not None}
