"""The plain-text part, made from the HTML one: once per template, its code stays in place. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

__all__ = ["html_to_text", "tidy_text"]

_BLOCKS: Final = frozenset({
    "address", "article", "blockquote", "div", "dl", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "li", "ol", "p", "section", "table", "tr", "ul",
})  # fmt: skip
_PARAGRAPHS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "p"})
_UNSEEN: Final = frozenset({"head", "style", "script", "title", "noscript", "template"})
_VOID: Final = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr",
})  # fmt: skip
_HIDDEN: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_GAPS: Final = re.compile(r"\n{3,}")


def html_to_text(html: str, *, is_mark: Callable[[str], bool]) -> str:
    """The text of an HTML page; links stand behind their text, comments that are marks stay."""
    reader = _Reader(is_mark)
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


def tidy_text(text: str) -> str:
    """Lines without outer blanks, at most one empty line in a row, one line end at the end."""
    lines = "\n".join(line.strip() for line in text.split("\n"))
    return (_GAPS.sub("\n\n", lines) if "\n\n\n" in lines else lines).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self, is_mark: Callable[[str], bool]) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._is_mark = is_mark
        self._unseen: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._last_link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        hidden = tag in _UNSEEN or _HIDDEN.search(values.get("style") or "") is not None
        if (self._unseen or hidden) and tag not in _VOID:
            self._unseen.append(tag)
            return
        if self._unseen:
            return
        if tag == "br":
            self.parts.append("\n")
        elif tag in _BLOCKS:
            self.parts.append("\n\n" if tag in _PARAGRAPHS else "\n")
            if tag == "li":
                self.parts.append("- ")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag == "a":
            self._links.append((values.get("href") or "", len(self.parts)))

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                while self._unseen.pop() != tag:
                    pass
            return
        if tag in _BLOCKS:
            self.parts.append("\n\n" if tag in _PARAGRAPHS else "\n")
        elif tag == "a" and self._links:
            address, start = self._links.pop()
            text = "".join(self.parts[start:]).strip()
            # An image that is a link has no text; its neighbour with the text has the address.
            if text and address and not address.startswith("#") and address != self._last_link:
                self.parts.append(f"\n{address}\n")
                self._last_link = address

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"[ \t\r\n\f]+", " ", data))

    def handle_comment(self, data: str) -> None:
        if not self._unseen and self._is_mark(data):
            self.parts.append(f"<!--{data}-->")
