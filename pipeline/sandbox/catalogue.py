"""Made-up products with the titles and addresses that break careless readers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PRODUCTS", "Product"]

_KINDS: Final = (
    "Salt & Pepper Mill",
    "Chef's Knife 8\"",
    "Kaffeetasse „Größe L“",
    "Čaj – lesní směs",  # noqa: RUF001 - meant to be hard
    "抹茶 茶碗",
    "Batteries <AA> & <AAA>",
    "Crème brûlée Torch",
    "Picture Frame 30 × 40 cm",  # noqa: RUF001
    "Łyżka drewniana",
    "Gift Card 🎁 50 €",
    "Notebook A5, 96 pages; dotted",
    "Rain Jacket 'Šumava' (unisex)",
)
_VARIANTS: Final = ("", "blue", "black & white", "50 % off", "XL", "2-pack", "vintage", "žlutá")
_SHOP: Final = "https://shop.example.com"


@dataclass(frozen=True, slots=True)
class Product:
    """`url` ends where the recommendation id is to follow."""

    id: str
    url: str
    title: str
    image_link: str


def _product(number: int) -> Product:
    kind = _KINDS[number % len(_KINDS)]
    variant = _VARIANTS[number // len(_KINDS) % len(_VARIANTS)]
    # Every third address has a query of its own, so that the id is not always the first parameter.
    query = (
        f"?variant={number % 7}&recommendation_id=" if number % 3 == 0 else "?recommendation_id="
    )
    return Product(
        id=f"{number:05d}" if number % 5 == 0 else f"sku-{number}",
        url=f"{_SHOP}/products/{number}{query}",
        title=f"{kind}, {variant}" if variant else kind,
        image_link=f"{_SHOP}/images/{number}.jpg?w=300&h=300",
    )


PRODUCTS: Final = tuple(_product(number) for number in range(1, 401))
