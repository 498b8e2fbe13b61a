"""Which column holds the id and which the activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import ConfigurationError, InputError
from pipeline.extract.batch import Wanted

ID_COLUMNS: Final = ("auth_user_id", "customer_id", "user_id", "id")
ACTIVE_COLUMNS: Final = (
    "last_active",
    "last_active_at",
    "last_seen",
    "last_seen_at",
    "last_login",
    "updated_at",
)
# Such as customer_address_2 has few; ids of customers, dates and phone numbers have more.
_DIGITS_OF_VALUES: Final = 3


@dataclass(frozen=True, slots=True)
class Picked:
    """Columns to read: the id, then the activity, then the one of ``--active-when``, if any.

    Where ``Wanted.pick`` chose them: the id, then columns of text.
    """

    names: list[str]
    has_times: bool


def pick_columns(found: Sequence[str], wanted: Wanted, *, source: object) -> Picked:
    """The columns of one extract that answer to `wanted`; ConfigurationError where one lacks."""
    if wanted.pick is not None:
        return Picked(list(wanted.pick(found, source)), has_times=False)
    names = [pick_id_column(found, wanted.id_column, source=source)]
    active: str | None = None
    if wanted.active == "required":
        active = pick_active_column(found, wanted.active_column, source=source)
    elif wanted.active == "optional":
        if wanted.active_column is not None:
            active = pick_active_column(found, wanted.active_column, source=source)
        else:
            active = next((name for name in ACTIVE_COLUMNS if name in found), None)
    if active is not None:
        names.append(active)
    if wanted.when is not None:
        names.append(named_column(found, wanted.when[0], source=source, option="--active-when"))
    return Picked(names, active is not None)


def pick_id_column(found: Sequence[str], wanted: str | None, *, source: object) -> str:
    """The column named, or the only one of `ID_COLUMNS`; several are refused, never guessed."""
    if wanted is not None:
        return named_column(found, wanted, source=source, option="--id-column")
    candidates = [name for name in ID_COLUMNS if name in found]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise ConfigurationError(
            f"several columns could hold the user id: {listed(candidates)}",
            source=source,
            remedy="name one with --id-column",
        )
    raise ConfigurationError(
        f"no column with user ids; the columns are {listed(found)}",
        source=source,
        remedy=_remedy(found, "--id-column"),
    )


def pick_active_column(found: Sequence[str], wanted: str | None, *, source: object) -> str:
    """The column named, or the first of `ACTIVE_COLUMNS` that is there."""
    if wanted is not None:
        return named_column(found, wanted, source=source, option="--active-column")
    for name in ACTIVE_COLUMNS:
        if name in found:
            return name
    raise ConfigurationError(
        f"no column with the last activity; the columns are {listed(found)}",
        source=source,
        remedy=_remedy(found, "--active-column"),
    )


def refuse_duplicates(found: Sequence[str], *, source: object) -> None:
    """Two columns of one name: nobody knows which is meant."""
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise InputError(
            f"two columns have the same name: {listed(twice)}",
            source=source,
            position="the header",
            remedy="give each column its own name",
        )


def named_column(found: Sequence[str], wanted: str, *, source: object, option: str) -> str:
    """The column somebody named, if it is there."""
    if wanted in found:
        return wanted
    raise ConfigurationError(
        f"no column {wanted!r}; the columns are {listed(found)}",
        source=source,
        remedy=f"name one of them with {option}",
    )


def listed(names: Sequence[str], most: int = 20) -> str:
    """Column names for a message, the first `most` of them; none where they may be values.

    A file without a header has a person's id or address where the names should be.
    """
    if any(_like_a_value(name) for name in names):
        return "not shown, because the first line looks like data, not like a header"
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in names[:most]]
    text = ", ".join(repr(name) if not name.isidentifier() else name for name in shown)
    return text + (f" and {len(names) - most} more" if len(names) > most else "")


def _like_a_value(name: str) -> bool:
    """Whether a header's word is rather an address, a number, a time or a numbered id."""
    digits = sum(char.isdigit() for char in name)
    return "@" in name or name[:1].isdigit() or digits >= _DIGITS_OF_VALUES


def _remedy(found: Sequence[str], option: str) -> str:
    if len(found) == 1:
        delimiter = next((char for char in ";|\t," if char in found[0]), None)
        if delimiter is not None:
            shown = r"$'\t'" if delimiter == "\t" else f"'{delimiter}'"
            return f"the header has one column: say --delimiter {shown}, or name it with {option}"
    if any(_like_a_value(name) for name in found):
        return f"give the file a header, or name the column with {option}"
    return f"name it with {option}"
