"""How a fault plan is read, and which request takes which fault."""

import pytest

from pipeline.errors import ConfigurationError
from pipeline.sandbox.faults import FaultPlan, parse_faults


def plan(*faults: dict[str, object], seed: int = 0) -> FaultPlan:
    parsed, _ = parse_faults(list(faults), source="plan")
    return FaultPlan(parsed, seed=seed)


def kinds(plan: FaultPlan, count: int) -> list[str]:
    return [plan.take("upload").kind for _ in range(count)]


def test_faults_are_taken_in_order_and_used_up() -> None:
    made = plan({"kind": "status", "times": 2}, {"kind": "reset"})

    assert ["status", "status", "reset", "none"] == kinds(made, 4)
    assert [] == made.as_list()


def test_skip_lets_requests_through_first() -> None:
    assert ["none", "none", "lost", "none"] == kinds(plan({"kind": "lost", "skip": 2}), 4)


def test_null_times_lasts_for_ever() -> None:
    assert ["slow"] * 50 == kinds(plan({"kind": "slow", "times": None}), 50)


def test_upload_and_export_have_faults_of_their_own() -> None:
    made = plan({"kind": "cut"}, {"kind": "status"})

    assert ("status", "cut") == (made.take("upload").kind, made.take("export").kind)


def test_draws_repeat_with_the_seed() -> None:
    fault: dict[str, object] = {
        "kind": "reset",
        "times": None,
        "share": 0.5,
        "at_byte": [0, 10**6],
    }

    def drawn(seed: int) -> list[tuple[str, int]]:
        made = plan(fault, seed=seed)
        taken = [made.take("upload") for _ in range(100)]
        return [(one.kind, one.byte) for one in taken]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    hits = [kind for kind, _ in drawn(7)].count("reset")
    assert 25 < hits < 75


def test_a_seed_comes_with_the_faults() -> None:
    faults, seed = parse_faults({"seed": 7, "faults": [{"kind": "reset"}]}, source="plan")

    assert (1, 7) == (len(faults), seed)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "a list"),
        ([7], "not an object"),
        ([{}], "its kind"),
        ([{"kind": ["reset"]}], "its kind"),
        ([{"kind": "explode"}], "its kind"),
        ([{"kind": "reset", "byte": 1}], "no field byte"),
        ([{"kind": "reset", "at_byte": -1}], "its at_byte"),
        ([{"kind": "reset", "at_byte": [5, 1]}], "its at_byte"),
        ([{"kind": "reset", "at_byte": True}], "its at_byte"),
        ([{"kind": "status", "status": 99}], "its status"),
        ([{"kind": "status", "times": 0}], "its times"),
        ([{"kind": "status", "share": 1.5}], "its share"),
        ([{"kind": "status", "headers": {"A": "b\r\nC: d"}}], "its headers"),
        ([{"kind": "status", "headers": [["A"]]}], "its headers"),
        ([{"kind": "cut", "on": "upload"}], "for the export only"),
        ([{"kind": "cut", "on": "moon"}], "its on"),
        ({"seed": "x", "faults": []}, "seed"),
    ],
)
def test_a_plan_that_is_none_is_refused(value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_faults(value, source="plan")


def test_the_position_names_the_fault() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_faults([{"kind": "reset"}, {"kind": "x"}], source="plan")

    assert "fault 2" == caught.value.position
