"""A newsletter template as it lies on disk: front matter, markup, and its plain-text part.

Front matter is TOML between two lines of ``+++`` at the top: ``subject``, and names the template
uses. Values may hold template code of their own.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import ConfigurationError, InputError

__all__ = ["STARTER", "TemplateFile", "read_template"]

STARTER: Final = "starter"
"""The word that names the template shipped with batchpub."""
_STARTER_PATH: Final = Path(__file__).with_name("starter") / "newsletter.mjml"
_FRONT: Final = re.compile(
    r"\ufeff?\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*(\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_TOML_LINE: Final = re.compile(r"\(at line (\d+)")
_LARGEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFile:
    """The parts of a template; front matter is blanked in `markup`, so that its lines count.

    text: the template of the plain-text part, None where none lies beside
    """

    name: str
    is_mjml: bool
    markup: str
    variables: dict[str, str]
    text_name: str
    text: str | None


def read_template(named: str) -> TemplateFile:
    """Read the template at a path, or the shipped one for the word ``starter``.

    Raises:
        ConfigurationError: neither .mjml nor .html.
        InputError: missing, not UTF-8, too large, or front matter that is no TOML.
    """
    path = _STARTER_PATH if named == STARTER else Path(named)
    suffix = path.suffix.lower()
    if suffix not in (".mjml", ".html", ".htm"):
        raise ConfigurationError(
            "a template ends in .mjml or .html",
            source=named,
            remedy=f"name such a file, or {STARTER!r} for the one that comes with batchpub",
        )
    whole = _read(path)
    variables: dict[str, str] = {}
    found = _FRONT.match(whole)
    if found is not None:
        variables = _front_matter(found[1], str(path))
        whole = "\n" * found[0].count("\n") + whole[found.end() :]
    if not whole.strip():
        raise InputError("the template is empty", source=path)
    beside = path.with_suffix(".txt")
    return TemplateFile(
        name=str(path),
        is_mjml=suffix == ".mjml",
        markup=whole,
        variables=variables,
        text_name=str(beside),
        text=_read(beside) if beside.is_file() else None,
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"cannot read the template: {error.strerror}", source=path, remedy="check the name"
        ) from error
    if len(data) > _LARGEST:
        raise InputError(
            "too large for a template",
            source=path,
            limit=f"{_LARGEST:,} bytes",
            remedy="name the template, not a mail",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "the template is not UTF-8",
            source=path,
            position=f"line {line}",
            remedy="save it as UTF-8",
        ) from error


def _front_matter(text: str, name: str) -> dict[str, str]:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _TOML_LINE.search(str(error))
        raise InputError(
            "the front matter is not valid TOML",
            source=name,
            position=f"line {int(at[1]) + 1}" if at else None,
            remedy='write name = "value"',
        ) from error
    for key, value in values.items():
        if isinstance(value, dict | list):
            raise InputError(
                f"the front matter's {key} is no text", source=name, remedy='write name = "value"'
            )
    return {key: str(value) for key, value in values.items()}
