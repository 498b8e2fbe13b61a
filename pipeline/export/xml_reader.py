"""The XML export, read with expat: the reference for every other way of reading it.

Strategy: the stream is handed to expat in pieces of a fixed size, whatever sizes it arrives in,
so the cuts of the caller can change neither result nor cost. Handlers (`UserAssembler`) do the
least per event; limits that only huge input can break are looked at once per piece, and exactly
where a value or user ends. n bytes cost O(n) time and O(limits) memory with any version of expat:

- a token (tag, comment, instruction) longer than EXPORT_MAX_VALUE is refused, for expat before
  2.6.0 scans an unfinished token again with every piece;
- nothing is expanded: up to the root the pieces end at each ``>``, so a DOCTYPE is refused before
  its second declaration is seen, and without a DOCTYPE there are no entities but the five;
- the distinct names that expat keeps for ever are counted.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final
from xml.parsers import expat

from pipeline.errors import InputError
from pipeline.export.xml_assembler import UserAssembler
from pipeline.limits import (
    EXPORT_MAX_NAMES,
    EXPORT_MAX_PROLOG,
    EXPORT_MAX_USER,
    EXPORT_MAX_VALUE,
    EXPORT_PIECE,
)
from pipeline.records import UserRecommendations

__all__ = ["XmlExportReader"]

_VERSION: Final = re.compile(r"1\.[0-9]+")
# Encodings that map each byte to a character, by the names that Python has for them.
_ENCODINGS: Final = re.compile(
    r"us-ascii|ascii|iso[-_]?8859-\d\d?|latin-?1|latin\d\d?|(windows-|cp)125\d|koi8-[ru]",
    re.IGNORECASE,
)
# The Unicode ones are expat's own; it knows each by one spelling only.
_UNICODE: Final = re.compile(r"utf[-_]?(8|16)(?:(?<=16)[-_]?(le|be))?", re.IGNORECASE)
# "<" and a NUL, or a byte order mark, and the codec that checks what follows.
_WIDE: Final = {
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    b"<\x00": "utf-16-le",
    b"\x00<": "utf-16-be",
}
_DOWNLOAD_AGAIN: Final = "get the export again; if it stays so, tell the vendor"
_REMEDIES: Final = {
    expat.errors.XML_ERROR_NO_ELEMENTS: "the export is cut off: get it again",
    expat.errors.XML_ERROR_UNCLOSED_TOKEN: "the export is cut off: get it again",
    expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION: "the export is cut off: get it again",
    expat.errors.XML_ERROR_PARTIAL_CHAR: "the export is cut off: get it again",
    expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "something follows the export: get it again",
}


class _RespelledError(Exception):
    """The declaration names an encoding of expat's, but not as expat spells it."""


class XmlExportReader:
    """Pushed parser of the XML export; an `ExportReader`.

    Invariant: `_offset` bytes have been given to expat, `_held` is what came after them.

    Args:
        source: What errors name as their source.
        piece_bytes: How many bytes expat gets at once; of interest to tests only.
    """

    def __init__(self, *, source: object = None, piece_bytes: int = EXPORT_PIECE) -> None:
        self._source = source
        self._piece_bytes = max(4, piece_bytes)  # room for a byte order mark
        self._held = bytearray()
        self._offset = 0
        self._names: dict[str, str] = {}
        self._names_seen = 0
        self._checker: codecs.IncrementalDecoder | None = None
        self._checker_codec = ""
        self._line = self._column = 1
        self._failure: InputError | None = None
        self._closed = False
        self._skipped_bytes = self._skipped_lines = 0
        self._resumed_line = self._column_shift = 0
        self._encoding: str | None = None
        self._prolog = bytearray()
        self._respelled = False
        self._open_parser(None)

    def _open_parser(self, encoding: str | None) -> None:
        """A new parser, which takes the declaration's word for the encoding, or that given."""
        parser = expat.ParserCreate(encoding, intern=self._names)
        parser.buffer_text = True
        parser.buffer_size = EXPORT_PIECE
        parser.XmlDeclHandler = self._on_declaration
        parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser = parser
        self._assembler = UserAssembler(parser, self._refusal)

    @property
    def ignored_elements(self) -> int:
        """Elements directly under the root that are no users; they are checked and left out."""
        return self._assembler.ignored_elements

    def feed(self, data: bytes) -> list[UserRecommendations]:
        """Take the next bytes of the export; return the users that are complete.

        Raises:
            InputError: the export must not be used; with line, column and byte offset.
        """
        self._check_open()
        size = self._piece_bytes
        if not self._held and len(data) == size and self._offset:
            self._parse(data)
        else:
            self._held += data
            if len(self._held) >= size:
                whole = len(self._held) - len(self._held) % size
                work = bytes(memoryview(self._held)[:whole])
                del self._held[:whole]
                for start in range(0, whole, size):
                    self._parse(work[start : start + size])
        return self._assembler.take()

    def close(self) -> list[UserRecommendations]:
        """Take the end of the export; return the last users.

        Raises:
            InputError: the export is not whole, or must not be used.
        """
        self._check_open()
        self._closed = True
        if not self._offset and not self._held:
            raise self._refusal("the export is empty", remedy="check that the export is ready")
        rest = bytes(self._held)
        self._held.clear()
        self._parse(rest)
        self._parse(b"", final=True)
        return self._assembler.take()

    def begin(self, data: bytes) -> int:
        """Take bytes up to the end of the root's start tag; return how many were taken.

        The rest of `data` is not seen: give it to `push` or, where that is allowed, to `skip`.

        Raises:
            InputError: as `feed` does.
        """
        if self._checker is not None or (not self._offset and data[:2] in _WIDE):
            self._parse(data)
            return len(data)
        taken = self._parse_prolog(data)
        self._check_limits()
        return taken

    def push(self, data: bytes) -> list[UserRecommendations]:
        """Take the next bytes at once, unlike `feed` whatever their number.

        Raises:
            InputError: as `feed` does.
        """
        for start in range(0, len(data), self._piece_bytes):
            self._parse(data[start : start + self._piece_bytes])
        return self._assembler.take()

    @property
    def names(self) -> AbstractSet[str]:
        """Names of elements and attributes that expat has seen and keeps."""
        return self._names.keys()

    @property
    def root_seen(self) -> bool:
        """Whether the start tag of the root has been taken."""
        return self._assembler.root_seen

    @property
    def can_skip(self) -> bool:
        """Whether every byte taken is done with, the root is open, and no element within it."""
        return self._assembler.between_users and self._parser.CurrentByteIndex == self._offset

    @property
    def is_utf8(self) -> bool:
        """Whether the export, whose root was seen, is UTF-8."""
        return self._checker is None and self._encoding in (None, "utf-8")

    def skip(self, data: bytes) -> None:
        """Go past whole users that are known to be well-formed; only where `can_skip`."""
        _, column, _ = self._place()
        # Unlike count(), split() jumps from line end to line end.
        lines = data.split(b"\n")
        here = len(lines[-1].decode())
        self._column_shift = here if len(lines) > 1 else column - 1 + here
        self._column_shift -= self._parser.CurrentColumnNumber
        self._resumed_line = self._parser.CurrentLineNumber
        self._skipped_bytes += len(data)
        self._skipped_lines += len(lines) - 1

    def _place(self) -> tuple[int, int, int]:
        """Line, column and byte where expat stands, with what was skipped."""
        parser = self._parser
        return self._shift(
            parser.CurrentLineNumber, parser.CurrentColumnNumber, parser.CurrentByteIndex
        )

    def _shift(self, line: int, column: int, byte: int) -> tuple[int, int, int]:
        if line == self._resumed_line:
            column += self._column_shift
        return line + self._skipped_lines, column + 1, max(0, byte) + self._skipped_bytes

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("the reader is closed")

    def _parse(self, piece: bytes, *, final: bool = False) -> None:
        """Give one piece to expat, the prolog tag by tag; then look at the limits."""
        if not self._offset:
            self._open_checker(piece)
        self._check_surrogates(piece, final=final)
        position = 0 if self._assembler.root_seen else self._parse_prolog(piece)
        if position < len(piece) or final:
            self._give(piece[position:] if position else piece, final=final)
        self._check_limits()

    def _parse_prolog(self, piece: bytes) -> int:
        """Give expat one tag after the other, up to the root's; return where that ends."""
        position = 0
        while position < len(piece) and not self._assembler.root_seen:
            end = piece.find(b">", position) + 1 or len(piece)
            self._give(piece[position:end])
            position = end
            if self._offset > EXPORT_MAX_PROLOG and not self._assembler.root_seen:
                raise self._refusal(
                    "no root element near the beginning",
                    limit=EXPORT_MAX_PROLOG,
                    actual=self._offset,
                    remedy="check that this is the vendor's export",
                )
        return position

    def _give(self, data: bytes, *, final: bool = False) -> None:
        self._offset += len(data)
        if not self._assembler.root_seen:
            self._prolog += data
        try:
            try:
                self._parser.Parse(data, final)
            except _RespelledError as respelled:
                self._open_parser(str(respelled))
                self._parser.Parse(bytes(self._prolog), final)
        except InputError:
            raise
        except expat.ExpatError as error:
            raise self._explain(error) from error
        except (LookupError, ValueError) as error:
            raise self._refusal(
                "the bytes do not fit the encoding of the export", remedy=_DOWNLOAD_AGAIN
            ) from error

    def _open_checker(self, piece: bytes) -> None:
        codec = _WIDE.get(piece[:2])
        if codec is not None:
            self._checker_codec = codec
            self._checker = codecs.getincrementaldecoder(codec)("strict")

    def _check_surrogates(self, piece: bytes, *, final: bool) -> None:
        """Refuse half a surrogate pair in UTF-16, which expat turns into another character."""
        if self._checker is None:
            return
        waiting = len(self._checker.getstate()[0])
        try:
            text = self._checker.decode(piece, final)
        except UnicodeDecodeError as error:
            text = error.object[: error.start].decode(self._checker_codec)
            self._count_lines(text)
            at = self._offset - waiting + error.start
            raise self._remember(
                InputError(
                    "half a character in UTF-16",
                    source=self._source,
                    position=f"line {self._line}, column {self._column}, byte {at}",
                    remedy=_DOWNLOAD_AGAIN,
                )
            ) from error
        self._count_lines(text)

    def _count_lines(self, text: str) -> None:
        self._line += text.count("\n")
        newline = text.rfind("\n")
        self._column = len(text) - newline if newline >= 0 else self._column + len(text)

    def _check_limits(self) -> None:
        """What one piece can have made too large: a token, the names, a value, a user."""
        parsed = self._parser.CurrentByteIndex
        if self._offset - parsed > EXPORT_MAX_VALUE:
            raise self._refusal(
                "a tag, comment or instruction is too long",
                limit=EXPORT_MAX_VALUE,
                actual=self._offset - parsed,
                remedy=_DOWNLOAD_AGAIN,
            )
        if len(self._names) > self._names_seen:
            new = islice(reversed(self._names), len(self._names) - self._names_seen)
            self._names_seen = len(self._names)
            if self._names_seen > EXPORT_MAX_NAMES or any(len(name) > 1024 for name in new):
                raise self._refusal(
                    "too many different names of elements, or one over 1,024 characters",
                    limit=EXPORT_MAX_NAMES,
                    actual=self._names_seen,
                    remedy=_DOWNLOAD_AGAIN,
                )
        self._assembler.check_open_value()
        self._assembler.check_elements()
        if self._assembler.open_since is not None:
            size = parsed - self._assembler.open_since
            if size > EXPORT_MAX_USER:
                raise self._refusal(
                    "one user is too large",
                    limit=EXPORT_MAX_USER,
                    actual=size,
                    remedy=_DOWNLOAD_AGAIN,
                )

    def _on_declaration(self, version: str, encoding: str | None, _standalone: int) -> None:
        if _VERSION.fullmatch(version) is None:
            raise self._refusal("the XML version is not 1.0", remedy="ask for XML 1.0")
        if encoding is None:
            return
        self._encoding = encoding.lower()
        known = _UNICODE.fullmatch(encoding)
        if known is not None:
            self._encoding = f"utf-{known[1]}{(known[2] or '').lower()}"
        elif _ENCODINGS.fullmatch(encoding) is None:
            raise self._refusal(
                "the declared encoding is not one that is read",
                remedy="ask for UTF-8; UTF-16, ISO-8859 and windows-125x are read too",
            )
        wide = self._checker is not None
        marked = self._prolog.startswith(codecs.BOM_UTF8) and self._encoding != "utf-8"
        if marked or wide != self._encoding.startswith("utf-16"):
            raise self._refusal(
                "the export is not in the encoding that it declares", remedy=_DOWNLOAD_AGAIN
            )
        if known is not None and not self._respelled and self._encoding != encoding.lower():
            self._respelled = True
            raise _RespelledError(self._encoding)

    def _on_doctype(self, name: str, *_: object) -> None:
        if name.lower() == "html":
            raise self._refusal(
                "this is an HTML page, not an export",
                remedy="open the address in a browser: it may ask for a login or show an error",
            )
        raise self._refusal("a DOCTYPE is refused, for exports have none", remedy="tell the vendor")

    def _explain(self, error: expat.ExpatError) -> InputError:
        """The library's error in our words; its own text stays, it holds no content."""
        reason = expat.errors.messages.get(error.code, "unknown reason")
        line, column, byte = self._shift(error.lineno, error.offset, self._parser.ErrorByteIndex)
        return self._remember(
            InputError(
                f"not well-formed XML: {reason.removeprefix('not well-formed ').strip('()')}",
                source=self._source,
                position=f"line {line}, column {column}, byte {byte}",
                remedy=_REMEDIES.get(reason, _DOWNLOAD_AGAIN),
            )
        )

    def _refusal(
        self,
        message: str,
        *,
        remedy: str = _DOWNLOAD_AGAIN,
        limit: int | None = None,
        actual: int | None = None,
    ) -> InputError:
        """An InputError at expat's present position; later calls raise it again."""
        line, column, byte = self._place()
        return self._remember(
            InputError(
                message,
                source=self._source,
                position=f"line {line}, column {column}, byte {byte}",
                remedy=remedy,
                limit=limit,
                actual=actual,
            )
        )

    def _remember(self, error: InputError) -> InputError:
        if self._failure is None:
            self._failure = error
        return self._failure
