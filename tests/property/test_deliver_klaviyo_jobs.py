"""Cutting users into import jobs: whole, in order, and within every limit to the byte."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deliver.contact_book import ContactBook
from pipeline.deliver.klaviyo_jobs import Job, JobLimits, ProfileWriter, iter_jobs
from pipeline.records import Block, UserRecommendations

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["\u2028", '"\\', "\x00\x1f", "</script>", "{{ x }}", "=cmd()", "\u202e", "é"]
)
items = st.fixed_dictionaries(
    {"id": texts, "url": texts, "title": texts, "image_link": texts}, optional={"more": texts}
)
blocks: st.SearchStrategy[Block] = st.fixed_dictionaries(
    {"recommendation_type": texts, "results": st.lists(items, max_size=6)}
)  # type: ignore[assignment]
users: st.SearchStrategy[UserRecommendations] = st.fixed_dictionaries(
    {
        "auth_user_id": texts.filter(lambda text: text.strip() and text != "default"),
        "updated_at": st.none(),
        "recommendations": st.lists(blocks, min_size=1, max_size=3),
    }
)  # type: ignore[assignment]
small_limits = st.builds(
    JobLimits,
    profiles=st.integers(1, 4),
    body_bytes=st.integers(1_000, 3_000),
    profile_bytes=st.integers(100, 900),
)


def write(
    given: list[UserRecommendations], limits: JobLimits, **options: Any
) -> tuple[list[Job], ProfileWriter]:
    writer = ProfileWriter(limits, **{"include_default": False, "contacts": None} | options)
    profiles = (one for user in given if (one := writer.write(user)) is not None)
    return list(iter_jobs(profiles, limits)), writer


def profiles_of(jobs: list[Job]) -> list[dict[str, Any]]:
    return [
        one
        for job in jobs
        for one in json.loads(job.body)["data"]["attributes"]["profiles"]["data"]
    ]


@given(given=st.lists(users, max_size=12), limits=small_limits)
def test_every_limit_holds_for_the_bytes_that_are_sent(
    given: list[UserRecommendations], limits: JobLimits
) -> None:
    jobs, _ = write(given, limits)

    assert list(range(len(jobs))) == [job.number for job in jobs]
    for job in jobs:
        assert len(job.body) <= limits.body_bytes
        assert 1 <= len(job.user_ids) <= limits.profiles
    for profile in profiles_of(jobs):
        size = len(json.dumps(profile, ensure_ascii=False, separators=(",", ":")).encode())
        assert size <= limits.profile_bytes


@given(given=st.lists(users, max_size=12), limits=small_limits)
def test_nobody_is_lost_doubled_or_moved(
    given: list[UserRecommendations], limits: JobLimits
) -> None:
    for number, one in enumerate(given):  # so that each can be told from the others
        one["auth_user_id"] = f"{number} {one['auth_user_id']}"
    jobs, writer = write(given, limits)

    in_jobs = [user_id for job in jobs for user_id in job.user_ids]
    assert in_jobs == [one["attributes"]["external_id"] for one in profiles_of(jobs)]
    rest = iter(in_jobs)
    oversized = iter(writer.oversized)
    expected = [user["auth_user_id"] for user in given]
    assert len(expected) == len(in_jobs) + len(writer.oversized)
    current, over = next(rest, None), next(oversized, None)
    for user_id in expected:  # a merge of both, each in the order of the file
        if user_id == current:
            current = next(rest, None)
        else:
            assert user_id == over
            over = next(oversized, None)


@given(given=st.lists(users, max_size=12), limits=small_limits)
def test_no_job_could_have_taken_the_profile_that_begins_the_next(
    given: list[UserRecommendations], limits: JobLimits
) -> None:
    jobs, _ = write(given, limits)

    for job, following in pairwise(jobs):
        frame = len(following.body) - sum(len(one) + 1 for one in _raw_profiles(following)) + 1
        first = _raw_profiles(following)[0]
        assert frame + len(first) <= limits.body_bytes
        full = len(job.user_ids) == limits.profiles
        assert full or len(job.body) + 1 + len(first) > limits.body_bytes


def _raw_profiles(job: Job) -> list[bytes]:
    profiles = json.loads(job.body)["data"]["attributes"]["profiles"]["data"]
    return [json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() for one in profiles]


@given(user=users)
def test_what_fits_arrives_as_it_was(user: UserRecommendations) -> None:
    jobs, writer = write([user], JobLimits())

    expected: dict[str, list[Any]] = {}
    for block in user["recommendations"]:
        expected.setdefault(block["recommendation_type"], []).extend(block["results"])
    attributes = profiles_of(jobs)[0]["attributes"]
    assert {"external_id": user["auth_user_id"], "properties": expected} == attributes
    assert 0 == writer.counts["cut_items"]


@given(user=users, limit=st.integers(100, 900))
def test_items_go_from_the_end_and_each_one_is_counted(
    user: UserRecommendations, limit: int
) -> None:
    jobs, writer = write([user], JobLimits(profile_bytes=limit))

    whole: dict[str, list[Any]] = {}
    for block in user["recommendations"]:
        whole.setdefault(block["recommendation_type"], []).extend(block["results"])
    if not jobs:
        assert [user["auth_user_id"]] == writer.oversized
        return
    properties = profiles_of(jobs)[0]["attributes"]["properties"]
    assert whole.keys() == properties.keys()
    for name, kept in properties.items():
        assert whole[name][: len(kept)] == kept
    lost = sum(map(len, whole.values())) - sum(map(len, properties.values()))
    assert lost == writer.counts["cut_items"]


def user(user_id: str, kinds: int = 1) -> UserRecommendations:
    item = {"id": "1", "url": "https://a/", "title": "t", "image_link": "https://a/i"}
    return {
        "auth_user_id": user_id,
        "updated_at": None,
        "recommendations": [
            {"recommendation_type": f"mail-{n}", "results": [item]} for n in range(kinds)
        ],
    }


def test_the_real_limits_are_reached_and_kept() -> None:
    jobs, _ = write([user(f"u{n}") for n in range(10_001)], JobLimits())

    assert [10_000, 1] == [len(job.user_ids) for job in jobs]


def test_a_body_may_be_as_long_as_its_limit_and_not_a_byte_longer() -> None:
    given = [user("u1"), user("u2")]
    size = len(write(given, JobLimits())[0][0].body)

    assert 1 == len(write(given, JobLimits(body_bytes=size))[0])
    assert 2 == len(write(given, JobLimits(body_bytes=size - 1))[0])


@pytest.mark.parametrize("kept", [3, 2, 1, 0])
def test_a_profile_may_be_as_long_as_its_limit_and_not_a_byte_longer(kept: int) -> None:
    whole = user("u1")
    whole["recommendations"][0]["results"] *= 4
    fitting = user("u1")
    fitting["recommendations"][0]["results"] *= kept
    size = len(_raw_profiles(write([fitting], JobLimits())[0][0])[0])

    for limit, expected in ((size, kept), (size - 1, kept - 1)):
        jobs, writer = write([whole], JobLimits(profile_bytes=limit))
        if expected < 0:
            assert ["u1"] == writer.oversized
        else:
            assert expected == len(profiles_of(jobs)[0]["attributes"]["properties"]["mail-0"])


def test_the_default_set_goes_only_when_it_is_asked_for() -> None:
    given = [user("default"), user("u1")]

    jobs, writer = write(given, JobLimits())
    assert (["u1"], 1) == (jobs[0].user_ids, writer.counts["default_sets"])
    jobs, _ = write(given, JobLimits(), include_default=True)
    assert ["default", "u1"] == jobs[0].user_ids


def test_contacts_identify_by_e_mail_and_leave_strangers_out() -> None:
    given = [user("default"), user("u1"), user("u2")]

    contacts = ContactBook()
    contacts.add(2, "u2", "b@x.cz")
    contacts.add(3, "u2", "c@x.cz")

    jobs, writer = write(given, JobLimits(), contacts=contacts, include_default=True)

    identities = [one["attributes"] | {"properties": 0} for one in profiles_of(jobs)]
    assert [
        {"external_id": "default", "properties": 0},
        {"email": "b@x.cz", "properties": 0},
    ] == identities
    assert {"b@x.cz": "u2"} == jobs[0].emails
    assert 1 == writer.counts["without_contact"]


@pytest.mark.parametrize("empty", [[], [user("u1", kinds=0)]], ids=["no user", "no block"])
def test_nothing_to_send_makes_no_job(empty: list[UserRecommendations]) -> None:
    assert [] == write(empty, JobLimits())[0]
