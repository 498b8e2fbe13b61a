"""Masked ids tell what kind of text they are and not whose."""

from __future__ import annotations

import pytest

from pipeline.userlist.mask import mask


@pytest.mark.parametrize(
    ("user_id", "shown"),
    [
        ("u1", "•#"),
        ("u1234", "•####"),
        ("u12345", "u####5"),
        ("jan.novak@example.com", "j••.•••••@…•••••.••m"),
        (" u55555", "␣•####5"),
        ("a\u00a0bcdefg", "a<U+00A0>•••••g"),
        ("žluťoučký", "ž•••••••ý"),
        ("\x1b[31m", "<U+001B>[##•"),
        ("🦊🦊", "••"),
    ],
)
def test_letters_and_digits_are_hidden(user_id: str, shown: str) -> None:
    assert shown == mask(user_id)


def test_a_long_id_is_cut_in_the_middle() -> None:
    assert 20 == len(mask("x" * 600))
