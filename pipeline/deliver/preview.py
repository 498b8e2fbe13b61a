"""A page that shows some of the messages as their recipients will see them.

Each message stands in frames of its own that may run no script and reach nothing of the page: on
a phone, on a phone in dark mode, and on a desktop. The page itself holds no script at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from pipeline.deliver.mail_template import Content

__all__ = ["Gallery", "Sample"]

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; img-src http: https: data:; font-src http: https: data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Preview</title>
<style>
:root { color-scheme: light; }
body { margin: 0; padding: 32px; background: #e9ebef; color: #1d2430;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0 0 4px; font-size: 22px; }
p { margin: 0 0 24px; color: #5b6472; }
article { margin: 0 0 40px; padding: 24px; border-radius: 14px; background: #fff;
  box-shadow: 0 1px 3px rgba(20, 30, 50, .12); }
header { margin: 0 0 18px; }
h2 { margin: 0; font-size: 18px; overflow-wrap: anywhere; }
.to { color: #5b6472; overflow-wrap: anywhere; }
.source { display: inline-block; margin-left: 8px; padding: 1px 9px; border-radius: 99px;
  font-size: 12px; background: #dcf3e4; color: #14613a; }
.fallback { background: #fdeccd; color: #7c4a03; }
.views { display: flex; gap: 24px; overflow-x: auto; padding-bottom: 8px; }
figure { flex: none; margin: 0; }
figcaption { margin: 0 0 8px; font-size: 13px; color: #5b6472; }
iframe { border: 1px solid #cfd4dc; border-radius: 10px; background: #fff; }
iframe.dark { color-scheme: dark; background: #121212; }
summary { margin-top: 18px; cursor: pointer; color: #33507f; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0 0; padding: 16px;
  border-radius: 10px; background: #f4f5f7; }
</style>
</head>
<body>
"""
_VIEWS: Final = (
    ("Phone, 375 px", 375, "light"),
    ("Phone in dark mode", 375, "dark"),
    ("Desktop, 700 px", 700, "light"),
)
_HEIGHT: Final = 760


@dataclass(frozen=True, slots=True)
class Sample:
    """One message of the preview; a personal one shows items chosen for its recipient."""

    to: str
    content: Content
    personal: bool


class Gallery:
    """Takes messages as they are made and keeps few: some personal, and some on the fallback."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._personal: list[tuple[int, Sample]] = []
        self._fallback: list[tuple[int, Sample]] = []
        self._seen = 0

    def add(self, sample: Sample) -> None:
        """Look at the next message."""
        self._seen += 1
        kept = self._personal if sample.personal else self._fallback
        if len(kept) < self._size:
            kept.append((self._seen, sample))

    def samples(self) -> list[Sample]:
        """The messages chosen: a third on the fallback where there are so many, the first ones."""
        fallback = min(len(self._fallback), max(1, self._size // 3))
        fallback = max(fallback, min(self._size - len(self._personal), len(self._fallback)))
        chosen = self._personal[: self._size - fallback] + self._fallback[:fallback]
        return [sample for _, sample in sorted(chosen, key=lambda one: one[0])]

    def page(self, *, output: str, messages: int) -> bytes:
        """The whole page."""
        samples = self.samples()
        parts = [
            _HEAD,
            f"<h1>{escape(output)}</h1>\n",
            f"<p>{len(samples):,} of {messages:,} messages; images come from the web.</p>\n",
            *map(_article, samples),
            "</body>\n</html>\n",
        ]
        return "".join(parts).encode("utf-8", "backslashreplace")


def _article(sample: Sample) -> str:
    kind, label = ("", "personal") if sample.personal else (" fallback", "fallback")
    content = sample.content
    frames = "\n".join(
        f"<figure><figcaption>{caption}</figcaption>"
        f'<iframe class="{scheme}" sandbox="" referrerpolicy="no-referrer" title="{caption}" '
        f'width="{width}" height="{_HEIGHT}" srcdoc="{escape(content.html)}"></iframe></figure>'
        for caption, width, scheme in _VIEWS
    )
    return (
        f"<article>\n<header><h2>{escape(content.subject)}"
        f'<span class="source{kind}">{label}</span></h2>\n'
        f'<div class="to">to {escape(sample.to)}</div></header>\n'
        f'<div class="views">\n{frames}\n</div>\n'
        f"<details><summary>Plain text</summary><pre>{escape(content.text)}</pre></details>\n"
        "</article>\n"
    )
