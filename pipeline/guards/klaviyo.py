"""Verdicts on what Klaviyo holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.errors import BatchpubError, GuardError, RemoteError, UncertainError

__all__ = ["judge_push", "refuse_bare_profiles", "refuse_empty_push"]


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


def refuse_empty_push(counts: Mapping[str, int], *, source: object) -> GuardError | None:
    """A push of nothing is a mistake somewhere before it."""
    if counts.get("profiles", 0):
        return None
    users = counts.get("users", 0)
    if counts.get("without_contact", 0):
        return GuardError(
            f"none of {users:,} users is among the contacts",
            source=source,
            remedy="check that both use the same ids, and --id-column",
        )
    return GuardError(
        f"there is nothing to push: {users:,} users, none with recommendations",
        source=source,
        remedy="check the export",
    )


def judge_push(
    *, profiles: int, failed: int, unknown: int, rejects: object, source: object
) -> BatchpubError | None:
    """What a push ends with: a job that is complete can hold profiles that were not taken."""
    if unknown:
        return UncertainError(
            f"of {profiles:,} profiles {unknown:,} may have been imported or not"
            + (f", {failed:,} were refused" if failed else ""),
            source=source,
            remedy="run the same command again: it sends what is not certain",
        )
    if failed:
        where = "add --rejects FILE to see" if rejects is None else f"{rejects} says"
        return RemoteError(
            f"{failed:,} of {profiles:,} profiles were refused",
            source=source,
            remedy=f"the others are imported; {where} which and why",
        )
    return None
