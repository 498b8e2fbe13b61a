"""Pictures for the demo: the sandbox sells products that nobody has photographed.

One flat drawing per kind of product, in the order of the sandbox's catalogue.
"""

from __future__ import annotations

import base64
from typing import Final

__all__ = ["picture"]

# (background, drawing) on a square of 300.
_DRAWINGS: Final = (
    ("#f3e3d3", '<path d="M118 110h64l14 130H104z" fill="#8a5a3b"/><circle cx="150" cy="78" r="30" '
     'fill="#a9714b"/><path d="M104 205h92l3 35h-98z" fill="#6e452c"/>'),
    ("#dfe7ef", '<path d="M40 150q90-46 150-8v22H40z" fill="#b9c4d0"/><rect x="186" y="136" '
     'width="82" height="30" rx="13" fill="#39424e"/>'),
    ("#fbe9c8", '<path d="M82 104h112v84a34 34 0 0 1-34 34h-44a34 34 0 0 1-34-34z" fill="#d9542b"/>'
     '<path d="M194 124h14a28 28 0 0 1 0 56h-14" fill="none" stroke="#d9542b" stroke-width="15"/>'),
    ("#dcebd8", '<path d="M150 236c-70-36-74-112 0-176 74 64 70 140 0 176z" fill="#4f8a4b"/>'
     '<path d="M150 92v150" stroke="#2f5e33" stroke-width="8"/>'),
    ("#e2efe6", '<path d="M62 138h176c0 56-36 88-88 88s-88-32-88-88z" fill="#2f6b57"/><ellipse '
     'cx="150" cy="138" rx="88" ry="21" fill="#a7cf7a"/>'),
    ("#e6e3f4", '<g fill="#4b3f8f"><rect x="92" y="92" width="50" height="136" rx="9"/><rect '
     'x="160" y="92" width="50" height="136" rx="9"/></g><g fill="#d5a63f"><rect '
     'x="108" y="76" width="18" height="18"/><rect '
     'x="176" y="76" width="18" height="18"/><rect x="92" y="128" width="50" '
     'height="64"/><rect x="160" y="128" width="50" height="64"/></g>'),
    ("#fde2dc", '<rect x="116" y="136" width="46" height="100" rx="10" fill="#a63a2c"/><path '
     'd="M120 136l44-34 20 24-22 30z" fill="#5d2b25"/><path d="M186 106q60-42 44-72-6 30-56 56z" '
     'fill="#f08a24"/>'),
    ("#e8eef4", '<rect x="74" y="62" width="152" height="176" fill="#c69a5b"/><rect x="92" y="80" '
     'width="116" height="140" fill="#fdfdfb"/><path d="M92 220l42-62 30 34 20-20 24 48z" '
     'fill="#6c9ab5"/><circle cx="176" cy="118" r="15" fill="#f2c14e"/>'),
    ("#f6ead9", '<ellipse cx="108" cy="104" rx="42" ry="52" transform="rotate(-38 108 104)" '
     'fill="#b07d46"/><path d="M130 136l92 102" stroke="#b07d46" stroke-width="20" '
     'stroke-linecap="round"/>'),
    ("#fce4ec", '<rect x="58" y="94" width="184" height="116" rx="14" fill="#c2376b"/><path '
     'd="M132 94h22v116h-22z" fill="#ffd76e"/><path d="M143 92c-60-58-86-4 0 0 86-4 60-58 0 0z" '
     'fill="#ffd76e"/>'),
    ("#dff0f4", '<rect x="88" y="60" width="124" height="180" rx="9" fill="#1f6f8b"/><rect x="104" '
     'y="60" width="10" height="180" fill="#174f63"/><rect x="130" y="96" width="64" height="34" '
     'rx="4" fill="#e9f6f9"/>'),
    ("#e9edd9", '<path d="M112 70h76l58 46-26 40-20-14v98H100v-98l-20 14-26-40z" fill="#647d2f"/>'
     '<path d="M150 74v166" stroke="#45591d" stroke-width="6"/><path d="M118 70q32 34 64 0" '
     'fill="#45591d"/>'),
)  # fmt: skip


def picture(number: int) -> str:
    """The drawing for the product with this number, as a data address."""
    background, drawing = _DRAWINGS[number % len(_DRAWINGS)]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 300">'
        f'<rect width="300" height="300" fill="{background}"/>{drawing}</svg>'
    )
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
