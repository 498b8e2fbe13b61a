"""Template code in HTML or MJML, carried through compilers that know nothing of it.

Strategy: before MJML is compiled and CSS inlined, each piece of template code is replaced by a
mark that is plain text in HTML: a word, or a comment where a statement stands between elements
(tables throw words out). Afterwards the marks become code again. Marks inside an attribute that
holds an address are wrapped in a filter that lets only http and https through.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pipeline.errors import InputError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Markup", "literal"]

_Kind = Literal["expression", "statement"]
_RAW_TEXT: Final = frozenset(
    {"style", "script", "title", "textarea", "mj-style", "mj-title", "mj-preview"}
)
_TAG: Final = re.compile(r"</?([A-Za-z][\w:-]*)|<!(?!--)")
_ADDRESSES: Final = (
    r"href|src|background|background-url|poster|action|formaction|cite|xlink:href|data"
)
# An image that is missing is nothing, a link that is missing is a promise broken.
_FILTERS: Final = dict.fromkeys(("src", "background", "background-url", "poster"), "image_address")
_FIXED_START: Final = re.compile(r"(?i:https?://|mailto:|tel:|sms:|cid:|#)")
# A comment that only Outlook reads; its content ends with it.
_OUTLOOK: Final = re.compile(r"<!--\[if[^\]]*\]>(?!<!--).*?<!\[endif\]-->", re.DOTALL)
# What stands before the body of a page; everything else opens one by itself.
_BEFORE_BODY: Final = (
    r"\s+|<!doctype[^>]*>|<html\b[^>]*>|<head\b.*?</head\s*>|<(style|title)\b.*?</\1\s*>"
    r"|<(?:meta|link|base)\b[^>]*>|<!--(?!{mark}).*?-->"
)
_SET: Final = re.compile(r"\{%[-+]?\s*set\s[^%]*=")
_CODE_START: Final = re.compile(r"\{([{%#])")


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: _Kind
    code: str
    line: int


def literal(text: str) -> str:
    """`text` as template source that gives just this text."""
    return _CODE_START.sub(lambda found: "{{ '{" + found[1] + "' }}", text)


class Markup:
    """The template's text with marks instead of code.

    Args:
        source: The template, its front matter blanked.
        environment: Whose syntax it is in.
        name: The file, for errors.

    Raises:
        jinja2.TemplateSyntaxError: the code cannot be read.
        InputError: code stands where it cannot be kept safe.
    """

    def __init__(self, source: str, environment: Environment, name: str) -> None:
        self._name = name
        self._pieces: list[_Piece] = []
        self._offsets: list[int] = []
        self._lines: list[int] = []
        self._mark = _unused_word(source)
        self._any = re.compile(rf"<!--{self._mark}([es])(\d+)z-->|{self._mark}([es])(\d+)z")
        self.text = self._replace(source, environment)

    def line_at(self, offset: int) -> int:
        """The line of the source behind an offset, in characters, of `text`."""
        at = max(bisect_right(self._offsets, offset) - 1, 0)
        start = self._offsets[at]
        return self._lines[at] + self.text.count("\n", start, offset)

    def settle(self, html: str) -> str:
        """`html` as a compiler made it, its marks where a browser keeps them.

        MJML sets what stands between sections inside comments that only Outlook reads: there a
        mark must be a word, since a comment would end the comment around it.

        Raises:
            InputError: the compiler lost a piece of code.
        """
        found = {int(one[2] or one[4]) for one in self._any.finditer(html)}
        for number, piece in enumerate(self._pieces):
            if number not in found:
                raise self._error(
                    "template code is lost here, MJML shows nothing in this place", piece.line
                )
        return _OUTLOOK.sub(lambda one: self._any.sub(_word, one[0]), html)

    def seen(self, html: str) -> str:
        """`html` after `settle` without what only Outlook reads, the marks in there kept."""

        def marks(one: re.Match[str]) -> str:
            return "".join(
                f"<!--{_word(mark)}-->"
                for mark in self._any.finditer(one[0])
                if "s" in mark.groups()
            )

        return _OUTLOOK.sub(marks, html)

    def with_body(self, html: str) -> str:
        """`html` with its body begun before any code that shows something.

        A parser opens a body that nobody wrote at the first content, which may be in a loop.
        """
        if re.search(r"<body\b", html, re.IGNORECASE):
            return html
        settings = [
            rf"<!--{self._mark}s{number}z-->"
            for number, piece in enumerate(self._pieces)
            if _SET.match(piece.code)
        ]
        before = "|".join([_BEFORE_BODY.replace("{mark}", self._mark), *settings])
        found = re.match(rf"(?:{before})*", html, re.IGNORECASE | re.DOTALL)
        end = found.end() if found else 0
        return f"{html[:end]}<body>{html[end:]}"

    def with_rows(self, html: str) -> str:
        """`html` with marks inside the table bodies that a parser has added, not before them."""
        if "<tbody" in self.text.lower():
            return html
        mark = rf"<!--{self._mark}[es]\d+z-->"
        return re.sub(rf"(<table[^>]*>)((?:\s|{mark})+)<tbody>", r"\1<tbody>\2", html)

    def restore(self, html: str) -> str:
        """`html`, made of `text`, as a template again."""
        html = literal(html)
        html = re.sub(rf'(?<=\s)(on\w+)="[^"]*?{self._mark}[es](\d+)z', self._refuse_handler, html)
        html = re.sub(
            rf'(?<=\s)({_ADDRESSES})="([^"]*?{self._mark}[es]\d+z[^"]*)"', self._address, html
        )
        html = re.sub(
            rf"(url\(\s*(?:&quot;|&#39;|['\"])?)({self._mark}e\d+z)",
            lambda found: found[1] + self._checked(found[2], "image_address"),
            html,
        )
        return self.restore_text(html)

    def restore_text(self, text: str) -> str:
        """Marks become code again, and nothing else changes."""
        return self._any.sub(lambda found: self._pieces[_number(found)].code, text)

    def is_mark(self, comment: str) -> bool:
        """Whether a comment's content is a mark."""
        return self._any.fullmatch(f"<!--{comment}-->") is not None

    def _address(self, found: re.Match[str]) -> str:
        name, value = found[1], found[2].strip()
        if _FIXED_START.match(value):
            return f'{name}="{value}"'
        return f'{name}="{self._checked(value, _FILTERS.get(name, "web_address"))}"'

    def _checked(self, value: str, filter_name: str) -> str:
        one = self._any.fullmatch(value)
        if one is not None and self._pieces[_number(one)].kind == "expression":
            begin, inner, end = _inside(self._pieces[_number(one)].code)
            return f"{begin} ({inner})|{filter_name} {end}"
        return f"{{% filter {filter_name} %}}{value}{{% endfilter %}}"

    def _refuse_handler(self, found: re.Match[str]) -> str:
        raise self._error(f"template code inside {found[1]}", self._pieces[int(found[2])].line)

    def _replace(self, source: str, environment: Environment) -> str:
        made: list[str] = []
        length = 0
        scanner = _Scanner()
        for kind, code, line in _pieces(source, environment, self._name):
            if kind == "text":
                scanner.feed(code)
                text = code
            else:
                text = self._marked(kind, code, line, scanner)
            self._offsets.append(length)
            self._lines.append(line)
            made.append(text)
            length += len(text)
        return "".join(made)

    def _marked(self, kind: str, code: str, line: int, scanner: _Scanner) -> str:
        if kind == "comment":
            if scanner.state == "raw" and scanner.name == "style":
                raise self._error(
                    "{# in a style begins a comment of the template",
                    line,
                    remedy="write { # instead",
                )
            return ""
        if scanner.state == "raw" and scanner.name == "script":
            raise self._error("template code inside a script", line)
        if scanner.state == "tag" and not (kind == "expression" and scanner.after_equals):
            raise self._error(
                "template code between attributes",
                line,
                remedy='put it into a value: class="{% if … %}a{% endif %}"',
            )
        number = len(self._pieces)
        if kind == "statement":
            self._pieces.append(_Piece("statement", code, line))
            word = f"{self._mark}s{number}z"
            return f"<!--{word}-->" if scanner.state == "text" else word
        self._pieces.append(_Piece("expression", code, line))
        scanner.after_equals = False
        return f"{self._mark}e{number}z"

    def _error(self, message: str, line: int, remedy: str | None = None) -> InputError:
        return InputError(message, source=self._name, position=f"line {line}", remedy=remedy)


class _Scanner:
    """Where in HTML the text fed so far ends: text, tag, value, comment or raw text."""

    def __init__(self) -> None:
        self.state = "text"
        self.name = ""
        self.after_equals = False
        self._quote = ""

    def feed(self, data: str) -> None:
        at = 0
        while 0 <= at < len(data):
            at = getattr(self, f"_{self.state}")(data, at)
        if self.state == "tag":
            self.after_equals = data.rstrip(" \t\r\n").endswith("=")

    def _text(self, data: str, at: int) -> int:
        at = data.find("<", at)
        if at < 0:
            return at
        if data.startswith("<!--", at):
            self.state = "comment"
            return at + 4
        found = _TAG.match(data, at)
        if found is None:
            return at + 1
        self.state, self.name = "tag", "" if data[at + 1] == "/" else (found[1] or "").lower()
        return found.end()

    def _tag(self, data: str, at: int) -> int:
        found = re.compile(r"[>\"']").search(data, at)
        if found is None:
            return -1
        if found[0] == ">":
            closed = data[found.start() - 1 : found.start()] == "/"
            self.state = "raw" if self.name in _RAW_TEXT and not closed else "text"
        else:
            self.state, self._quote = "value", found[0]
        return found.end()

    def _value(self, data: str, at: int) -> int:
        return self._until(self._quote, "tag", data, at)

    def _comment(self, data: str, at: int) -> int:
        return self._until("-->", "text", data, at)

    def _raw(self, data: str, at: int) -> int:
        return self._until(f"</{self.name}", "tag", data, at, ends=True)

    def _until(self, end: str, then: str, data: str, at: int, *, ends: bool = False) -> int:
        found = data.lower().find(end, at)
        if found < 0:
            return -1
        self.state = then
        if ends:
            self.name = ""
        return found + len(end)


def _pieces(source: str, environment: Environment, name: str) -> list[tuple[str, str, int]]:
    """(kind, code, line) in order; the kinds are text, expression, statement and comment."""
    made: list[tuple[str, str, int]] = []
    begun = ""
    start = 1
    held: list[str] = []
    kinds = {"variable": "expression", "block": "statement", "comment": "comment"}
    for line, token, value in environment.lexer.tokeniter(source, name, name):
        what, _, edge = token.rpartition("_")
        if edge == "begin" and not begun:
            begun, start, held = what, line, [value]
        elif begun:
            held.append(value)
            if edge == "end" and what == begun:
                # A raw section is text that looks like code: it is carried like an expression.
                made.append((kinds.get(begun, "expression"), "".join(held), start))
                begun = ""
        else:
            made.append(("text", value, line))
    return made


def _inside(code: str) -> tuple[str, str, str]:
    """The opening, the expression and the closing of ``{{ … }}``."""
    found = re.fullmatch(r"(\{\{[-+]?)(.*?)([-+]?\}\}\s*)", code, re.DOTALL)
    if found is None:  # a raw section
        return "{{", repr(re.sub(r"\{%.*?%\}", "", code)), "}}"
    return found[1], found[2].strip(), found[3]


def _word(found: re.Match[str]) -> str:
    return found[0].removeprefix("<!--").removesuffix("-->")


def _number(found: re.Match[str]) -> int:
    return int(found[2] or found[4])


def _unused_word(source: str) -> str:
    word = "qz"
    while word in source.lower():
        word += "q"
    return word
