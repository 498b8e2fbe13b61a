"""Messages as lines of JSON, and the key by which a sender tells that it has one already. Pure."""

from __future__ import annotations

import hashlib

import orjson

from pipeline.deliver.mail_template import Content

__all__ = ["encode_message", "message_key"]


def message_key(user_id: str, content: Content, *, campaign: str | None) -> str:
    """A hash that is the same for the same message, 32 hexadecimal digits.

    With a campaign it covers the campaign's name and the recipient's id: one message per recipient
    and campaign, whatever it says. Without one it covers the id, the subject and both parts. The
    address is in neither, so a corrected one does not make a second message.
    """
    if campaign is not None:
        covered: tuple[str, ...] = ("campaign", campaign, user_id)
    else:
        covered = ("content", user_id, content.subject, content.html, content.text)
    digest = hashlib.sha256()
    for part in covered:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()[:32]


def encode_message(to: str, content: Content, key: str) -> bytes:
    """One line: ``to, subject, html, text, key``."""
    return orjson.dumps(
        {
            "to": to,
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "key": key,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
