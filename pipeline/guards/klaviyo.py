"""Verdicts on what Klaviyo holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.errors import GuardError

__all__ = ["refuse_bare_profiles"]


def refuse_bare_profiles(
    counts: Mapping[str, int], *, id_property: str | None, source: object
) -> GuardError | None:
    """Profiles none of which can become a user: say which step is missing."""
    profiles, nameless = counts.get("profiles", 0), counts.get("without_id", 0)
    if counts.get("users", 0):
        return None
    if not profiles:
        return GuardError(
            "no profiles were found",
            source=source,
            remedy="check the account, --list-id, --segment-id and --updated-after",
        )
    if nameless:
        where = "external_id" if id_property is None else f"property {id_property!r}"
        return GuardError(
            f"{nameless:,} of {profiles:,} profiles hold recommendations, and none of these an id"
            f" in its {where}",
            source=source,
            remedy="name the property that holds the user's id with --id-property",
        )
    return GuardError(
        f"none of {profiles:,} profiles holds recommendations",
        source=source,
        remedy="ask the vendor whether the integration runs, or name the properties with"
        " --recommendation-type",
    )
