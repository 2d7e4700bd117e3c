"""Who another lab is: its name, and the file that says so."""

from __future__ import annotations

import pytest

from repro.errors import UserError
from repro.storage.labs import (
    Lab,
    check_lab_name,
    lab_folders,
    lab_problems,
    read_lab,
    write_lab,
)

KYOTO = Lab(
    "kyoto-vision", "Vision group, Kyoto", "https://vision.example.org", "0000-0002-1825-0097"
)


@pytest.mark.parametrize("name", ["a", "kyoto-vision", "lab2", "x" * 40])
def test_a_lab_may_have_a_short_plain_name(name):
    assert check_lab_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "Kyoto", "a b", "a_b", "-a", "a-", "a--b", "../x", "a/b", "é", "x" * 41, "a.b", "a\n"],
)
def test_a_name_that_is_no_folder_everywhere_is_refused_with_what_is_allowed(name):
    with pytest.raises(UserError, match="is not a name for a lab") as error:
        check_lab_name(name)
    assert "a–z 0–9" in error.value.hint


@pytest.mark.parametrize("name", ["ours", "paper", "published", "runs", "nul", "com1"])
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(UserError, match="means something else"):
        check_lab_name(name)


def test_a_lab_says_who_it_is_once_and_the_same_again(tmp_path):
    folder = tmp_path / KYOTO.lab
    write_lab(folder, KYOTO)
    write_lab(folder, KYOTO)
    assert read_lab(folder) == KYOTO
    other = Lab(KYOTO.lab, "Another group", KYOTO.contact)
    with pytest.raises(UserError, match="says something else"):
        write_lab(folder, other)
    assert read_lab(folder) == KYOTO


@pytest.mark.parametrize(
    ("lab", "problem"),
    [
        (Lab("kyoto", " ", "https://a.example"), "full name"),
        (Lab("kyoto", "A\x1b[31m", "https://a.example"), "full name"),
        (Lab("kyoto", "A group", "call me"), "contact"),
        (Lab("kyoto", "A group", "http://a.example"), "contact"),
        (Lab("kyoto", "A group", "a@b.example", "0000-0002-1825-0098"), "no ORCID iD"),
        (Lab("kyoto", "A group", "a@b.example", "0000000218250097"), "no ORCID iD"),
    ],
)
def test_what_a_lab_says_of_itself_must_be_of_use(lab, problem, tmp_path):
    with pytest.raises(UserError, match=problem):
        write_lab(tmp_path / lab.lab, lab)
    assert not (tmp_path / lab.lab).exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "has no lab.json"),
        (b"{", "does not say who the lab is"),
        (b'{"lab": "kyoto", "name": "A", "contact": "a@b.example", "rank": 1}', "rank"),
        (b'{"lab": "osaka", "name": "A", "contact": "a@b.example"}', "of `osaka`"),
        (b'{"lab": "kyoto", "name": "A"}', "contact"),
        (b" " * 10_001, "10,001 bytes"),
    ],
)
def test_a_folder_that_does_not_say_whose_it_is_is_named_and_not_read(content, problem, tmp_path):
    (tmp_path / "kyoto").mkdir()
    if content is not None:
        (tmp_path / "kyoto" / "lab.json").write_bytes(content)
    assert list(lab_folders(tmp_path)) == []
    [(name, why)] = lab_problems(tmp_path)
    assert name == "kyoto"
    assert problem in why


def test_a_link_to_a_labs_folder_is_not_read(tmp_path):
    write_lab(tmp_path / "elsewhere" / "kyoto", Lab("kyoto", "A group", "a@b.example"))
    labs = tmp_path / "labs"
    labs.mkdir()
    (labs / "kyoto").symlink_to(tmp_path / "elsewhere" / "kyoto")
    assert list(lab_folders(labs)) == []
    assert [name for name, _ in lab_problems(labs)] == ["kyoto"]
