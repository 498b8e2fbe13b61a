"""A user list on disk, in blocks of whole lines, hashed on the way; light, for the upload."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import InputError, MachineError
from pipeline.userlist.lines import MAX_LINE, FormatName, format_of

__all__ = ["Block", "ListFile"]

# One block is held a few times over while it is proved; larger ones gain nothing.
BLOCK: Final = 1024 * 1024
REMEDY: Final = "make the list with batchpub prepare"
_FOREIGN: Final = (
    (b"\x1f\x8b", "a gzip file, not a list"),
    (b"\x28\xb5\x2f\xfd", "a zstd file, not a list"),
    (b"PK\x03\x04", "a zip file, not a list"),
    (b"PAR1", "a Parquet file, not a list"),
    (b"\xff\xfe", "UTF-16, a list is UTF-8"),
    (b"\xfe\xff", "UTF-16, a list is UTF-8"),
)
_PAGE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|users)\b", re.IGNORECASE)
_JSON_ARRAY: Final = re.compile(rb'\s*\[\s*(?:[{"\]]|$)')


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a list; only its very last line may lack an end."""

    data: bytes
    first_line: int
    lines: int

    def iter_lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its number, its line break included."""
        return enumerate(io.BytesIO(self.data), self.first_line)


class ListFile:
    """Iterate `blocks` once; behind the end `bytes`, `lines` and `sha256` are those of the file.

    A line that is too long is given shortened, still too long, so that memory stays bounded.
    """

    def __init__(self, path: Path, *, block_bytes: int = BLOCK) -> None:
        self.path = path
        self._block_bytes = block_bytes
        self.bytes = 0
        self.lines = 0
        self.kind: FormatName = "jsonl"
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the bytes read so far, in hex."""
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[Block]:
        """The list, block by block.

        Raises:
            InputError: missing, a folder, or a file of quite another kind.
            MachineError: the disk refused.
        """
        rest = b""
        try:
            with self.path.open("rb", buffering=0) as file:
                while chunk := file.read(self._block_bytes):
                    if not self.bytes:
                        self._look_at(chunk)
                    self._digest.update(chunk)
                    self.bytes += len(chunk)
                    cut = chunk.rfind(b"\n") + 1
                    if cut:
                        yield self._block(rest + chunk[:cut])
                        rest = chunk[cut:]
                    else:
                        rest += chunk
                    rest = rest[: MAX_LINE + 1]
        except FileNotFoundError as error:
            raise InputError("no such list", source=self.path, remedy="check the path") from error
        except IsADirectoryError as error:
            raise InputError(
                "a folder, not a list", source=self.path, remedy="name the list in it"
            ) from error
        except OSError as error:
            raise MachineError(
                f"cannot read: {error.strerror}",
                source=self.path,
                remedy="check the permissions of the file and the disk",
            ) from error
        if rest:
            yield self._block(rest)

    def _look_at(self, head: bytes) -> None:
        what = next((name for start, name in _FOREIGN if head.startswith(start)), None)
        if what is None and _JSON_ARRAY.match(head):
            what = "a JSON array; a list has one object a line"
        if what is None and _PAGE.match(head):
            what = "a page of HTML or XML, not a list"
        if what is not None:
            raise InputError(what, source=self.path, remedy=REMEDY)
        self.kind = format_of(head)

    def _block(self, data: bytes) -> Block:
        first = self.lines + 1
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        self.lines += lines
        return Block(data, first, lines)
