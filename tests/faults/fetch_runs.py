"""Small exports with their JSONL, and runs of `fetch` that take no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pipeline
from pipeline.errors import BatchpubError
from pipeline.records import FetchSummary

_USER = (
    "<user><auth_user_id>u{0}</auth_user_id><data><_metadata><updated_at>{1}</updated_at>"
    "</_metadata><recommendations><recommendation><recommendation_type>mail</recommendation_type>"
    "<results><result><id>p{0}</id><url>https://shop.example/p{0}?recommendation_id=r{0}</url>"
    "</result></results></recommendation></recommendations></data></user>\n"
)
_LINE = (
    '{{"auth_user_id":"u{0}","updated_at":"{1}","recommendations":[{{"recommendation_type":"mail",'
    '"results":[{{"id":"p{0}","url":"https://shop.example/p{0}?recommendation_id=r{0}"}}]}}]}}\n'
)
UPDATED_AT = "2026-11-23T05:30:00"


def make_export(users: int = 3, *, updated_at: str = UPDATED_AT) -> bytes:
    """An export as the vendor publishes it."""
    body = "".join(_USER.format(number, updated_at) for number in range(users))
    return f"<?xml version='1.0' encoding='UTF-8'?>\n<users>\n{body}</users>\n".encode()


def expected_lines(users: int = 3, *, updated_at: str = UPDATED_AT) -> bytes:
    """The JSONL that `make_export` with the same arguments becomes."""
    return "".join(_LINE.format(number, updated_at) for number in range(users)).encode()


def run(
    url: str, outputs: Path | Sequence[Path], **changes: object
) -> FetchSummary | BatchpubError:
    """What `fetch` returned or raised."""
    values: dict[str, object] = {"retry_wait": 0.001, "max_attempts": 2, "deadline": 15.0}
    try:
        return pipeline.fetch(url, outputs, **(values | changes))  # type: ignore[arg-type]
    except BatchpubError as error:
        return error
