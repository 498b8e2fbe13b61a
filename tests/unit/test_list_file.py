"""What is no list at all is told by its first bytes, or by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.userlist.list_file import ListFile
from pipeline.userlist.receipt import make_receipt, read_receipt


@pytest.mark.parametrize(
    "head", ["<!DOCTYPE html>", "<html>", "\n <HTML lang='cs'>", "<?xml version='1.0'?>", "<users>"]
)
def test_a_page_is_no_list(tmp_path: Path, head: str) -> None:
    page = tmp_path / "users.csv"
    page.write_text(f"{head}\nlogin\n", encoding="utf-8")

    with pytest.raises(InputError, match="a page of HTML or XML, not a list"):
        list(ListFile(page).blocks())


@pytest.mark.parametrize("folder", [".", "/", ".."])
def test_a_folder_without_a_name_is_refused_as_any_other(folder: str) -> None:
    assert read_receipt(Path(folder)) is None
    with pytest.raises(InputError, match="a folder, not a list"):
        make_receipt(Path(folder))
