"""Limits with their arithmetic. Bytes unless the name says otherwise."""

from __future__ import annotations

from typing import Final

# The vendor documents "300 MB" and not whether that is the file or the body, nor MB or MiB:
# the smallest reading is a whole body of 300 * 10**6 bytes (api.md §1.2, hazards H4).
MAX_BODY: Final = 300_000_000
# Multipart framing around the list: two boundaries of at most 74 bytes, part headers with a file
# name of at most 255 bytes (each byte escaped to three at worst), well under 1 KiB.
ENVELOPE: Final = 1_024
MAX_LIST: Final = MAX_BODY - ENVELOPE

# The vendor cancels a transfer after ten minutes (api.md §1.2).
UPLOAD_DEADLINE_S: Final = 600.0
# The vendor rejects a Date further than this from its own clock (api.md §2.1).
CLOCK_TOLERANCE_S: Final = 5.0

# A user id of more characters is no id but a value in the wrong column.
MAX_ID_CHARS: Final = 512

# An answer's body is read for its message only.
MAX_ANSWER: Final = 64 * 1024

# An answer of a JSON API, unpacked: a page is at most 100 profiles of some 100 KB (api.md §4).
MAX_JSON_ANSWER: Final = 64 * 1024 * 1024

# 256 KiB: between the knee of the read curve and what asyncio buffers anyway.
READ_CHUNK: Final = 256 * 1024

# Exports (hazards H22): deeper, longer or larger is refused before memory is spent.
EXPORT_MAX_DEPTH: Final = 32
EXPORT_MAX_VALUE: Final = 1024 * 1024
EXPORT_MAX_USER: Final = 16 * 1024 * 1024
# Elements (in JSON: values) of one user. A user of tiny ones costs a hundred times its bytes as
# Python objects: 100,000 are at most some 50 MB. The busiest real user has a few thousand.
EXPORT_MAX_ELEMENTS: Final = 100_000
# Bytes handed to a parser at once: a token that is not whole yet is scanned again with each piece,
# so one of EXPORT_MAX_VALUE costs at most 16 scans (expat before 2.6.0 remembers nothing).
EXPORT_PIECE: Final = 64 * 1024
# What may stand before the root element; it is parsed tag by tag, so that nothing a DOCTYPE
# declares is ever expanded.
EXPORT_MAX_PROLOG: Final = 16 * 1024
# Distinct element and attribute names: expat keeps each of them until the end.
EXPORT_MAX_NAMES: Final = 4096
# Distinct product ids counted: 100,000 of 20 bytes are about 13 MB, of the longest kept 20 MB.
EXPORT_MAX_PRODUCTS: Final = 100_000
# Recommendation types counted by name: the vendor agrees on a handful with each shop.
EXPORT_MAX_TYPES: Final = 1_000
# Processes that read one export. Each holds a few megabytes beyond the interpreter's own.
EXPORT_MAX_WORKERS: Final = 64

# SmartEmailing (api.md §5): rows of a page, contacts of an import, bytes of a custom field's value.
# "64 KB" may be 64,000, 65,535 or 65,536 bytes: the smallest reading holds in any case.
SMARTEMAILING_PAGE: Final = 500
SMARTEMAILING_IMPORT: Final = 500
SMARTEMAILING_VALUE: Final = 64_000
