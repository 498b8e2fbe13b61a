"""Which items of a user stay when all of them are too large for one place. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["fit_items"]


def fit_items(sizes: Mapping[str, Sequence[int]], excess: int) -> dict[str, int] | None:
    """How many items of each type stay, the first ones, so that `excess` bytes are saved.

    The last item of the type with the most bytes goes, again and again. A comma goes with each item
    that leaves another before it.

    Args:
        sizes: Bytes of each item as it is written, by type, best first.
        excess: Bytes too many.

    Returns:
        None when even without any item it is too large.
    """
    kept = {name: len(some) for name, some in sizes.items()}
    totals = {name: sum(some) for name, some in sizes.items()}
    while excess > 0:
        name = max(totals, key=lambda one: totals[one], default=None)
        if name is None or not kept[name]:
            return None
        kept[name] -= 1
        size = sizes[name][kept[name]]
        totals[name] -= size
        excess -= size + (1 if kept[name] else 0)
    return kept
