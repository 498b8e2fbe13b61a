"""What answers to the request for an export mean, beside the export itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pipeline.errors import RemoteError, TryLaterError
from pipeline.wire.address import check_url, join_url, same_origin, shown_url
from pipeline.wire.answer import Answer, Failure, Phase, judge_answer

__all__ = ["REDIRECTS", "check_framing", "judge_refusal", "redirect_target"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# An export's address has no signature and no tracker id.
_REMEDIES: Final = {
    401: "check BATCHPUB_EXPORT_SECRET, --export-user and --export-header",
    403: "check BATCHPUB_EXPORT_SECRET, --export-user and --export-header, and the address",
    404: "check the address; --wait waits for an export that is not there yet",
}


def judge_refusal(answer: Answer, *, source: str, is_awaited: bool) -> Failure:
    """What an answer means that is neither an export, nor a part of one, nor a redirect.

    Args:
        answer: The answer, its body read for its text.
        source: The address to name in an error, safe to show.
        is_awaited: Whether an export that is not there may come.
    """
    if answer.status == 404 and is_awaited:
        absent = TryLaterError("there is no export yet (404)", source=source)
        return Failure(error=absent, retryable=False)
    judged = judge_answer(answer, phase=Phase.SENT, source=source)
    if judged is None:
        message = f"the server answered {answer.status} instead of the export"
        return Failure(error=RemoteError(message, source=source), retryable=False)
    remedy = _REMEDIES.get(answer.status)
    if remedy is None:
        return judged
    return replace(judged, error=RemoteError(judged.error.message, source=source, remedy=remedy))


def redirect_target(url: str, status: int, headers: Mapping[str, str], *, source: str) -> str:
    """Where to go on from `url`.

    Raises:
        RemoteError: nowhere, or to another scheme, host or port.
        ConfigurationError: an address that may not be used.
    """
    target = join_url(url, headers.get("location", ""))
    if not headers.get("location") or target is None:
        raise RemoteError(f"the server redirects to nowhere ({status})", source=source)
    if not same_origin(url, target):
        raise RemoteError(
            f"the server redirects to {shown_url(target)} ({status})",
            source=source,
            remedy="if that address is right, fetch it; another host is never followed to",
        )
    check_url(target, option="URL")
    return target


def check_framing(headers: Mapping[str, str], *, source: str) -> None:
    """Without a length, the end of the connection and the end of the export look the same.

    Raises:
        RemoteError: neither a length nor chunks.
    """
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    if not chunked and "content-length" not in headers:
        raise RemoteError(
            "the server does not say how long the export is",
            source=source,
            remedy="download it another way, check it, and use batchpub parse",
        )
