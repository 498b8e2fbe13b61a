"""MJML to HTML, once per run, with the check the compiler lacks: it drops unknown tags unsaid."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Final

from pipeline.errors import InputError

__all__ = ["check_tags", "compile_mjml"]

_CONTAINERS: Final = frozenset({
    "mjml", "mj-head", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-font",
    "mj-html-attributes", "mj-selector", "mj-body", "mj-wrapper", "mj-section", "mj-column",
    "mj-group", "mj-hero", "mj-image", "mj-divider", "mj-spacer", "mj-social", "mj-navbar",
    "mj-accordion", "mj-accordion-element", "mj-carousel", "mj-carousel-image",
})  # fmt: skip
# What stands inside these is HTML and goes into the mail as it is.
_HTML_INSIDE: Final = frozenset({
    "mj-text", "mj-button", "mj-table", "mj-raw", "mj-style", "mj-title", "mj-preview",
    "mj-social-element", "mj-navbar-link", "mj-accordion-title", "mj-accordion-text",
    "mj-html-attribute",
})  # fmt: skip
_TAG: Final = re.compile(
    r"<!--.*?-->|<(/?)([A-Za-z][\w:.-]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*?)(/?)>", re.DOTALL
)
_POSITION: Final = re.compile(r"position (\d+)")
# The compiler's own reset stays a style sheet, as its makers mean it: written out at every cell it
# would double the size of a mail.
_RESET: Final = '<style type="text/css">\n#outlook a'
_RESET_KEPT: Final = '<style type="text/css" data-css-inline="ignore">\n#outlook a'
LineAt = Callable[[int], int]


def check_tags(text: str, *, line_at: LineAt, source: str) -> None:
    """Refuse tags that MJML does not have, and tags that are not closed.

    Raises:
        InputError: with the line.
    """
    open_tags: list[tuple[str, int]] = []
    inside = ""
    for found in _TAG.finditer(text):
        name = found[2] or ""
        if not name or (inside and name != inside):
            continue
        if found[1]:
            if not open_tags or open_tags[-1][0] != name:
                raise _error(f"</{name}> closes nothing", line_at(found.start()), source)
            open_tags.pop()
            inside = ""
            continue
        if name == "mj-include":
            raise _error(
                "mj-include is not supported",
                line_at(found.start()),
                source,
                "write the template as one file",
            )
        under_attributes = any(one == "mj-attributes" for one, _ in open_tags)
        if name not in _CONTAINERS | _HTML_INSIDE and not under_attributes:
            near = difflib.get_close_matches(name, sorted(_CONTAINERS | _HTML_INSIDE), n=1)
            remedy = (
                f"did you mean <{near[0]}>?" if near else "HTML goes into <mj-raw> or <mj-text>"
            )
            raise _error(f"<{name}> is no MJML tag", line_at(found.start()), source, remedy)
        if not found[4]:
            open_tags.append((name, found.start()))
            # Within mj-attributes the same names hold defaults, and nothing else.
            inside = name if name in _HTML_INSIDE and not under_attributes else ""
    if open_tags:
        name, at = open_tags[-1]
        raise _error(f"<{name}> is not closed", line_at(at), source)


def compile_mjml(text: str, *, line_at: LineAt, source: str) -> str:
    """The HTML of an MJML document.

    Raises:
        InputError: it is no MJML, with the line.
    """
    import mrml

    check_tags(text, line_at=line_at, source=source)
    try:
        made = mrml.to_html(text)
    except OSError as error:  # the compiler has no exceptions of its own
        said = " ".join(str(error).replace(" in root template", "").split())
        at = _POSITION.search(said)
        octets = text.encode()
        line = None if at is None else line_at(len(octets[: int(at[1])].decode("utf-8", "ignore")))
        raise _error(
            f"not MJML: {_POSITION.split(said)[0].removesuffix(' at ')}", line, source
        ) from error
    return str(made.content).replace(_RESET, _RESET_KEPT)


def _error(message: str, line: int | None, source: str, remedy: str | None = None) -> InputError:
    return InputError(
        message,
        source=source,
        position=None if line is None else f"line {line}",
        remedy=remedy or "mend the template",
    )
