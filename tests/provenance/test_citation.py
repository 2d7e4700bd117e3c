"""CITATION.cff: valid Citation File Format 1.2.0, of this version, and read as a YAML reader reads
it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.errors import EnvironmentProblem, UserError
from repro.provenance.citation import FILE, citation_file, parse, read_citation
from repro.storage.paths import ROOT

# The keys of version 1.2.0 of the format, and those that it requires.
KEYS = {
    "abstract",
    "authors",
    "cff-version",
    "commit",
    "contact",
    "date-released",
    "doi",
    "identifiers",
    "keywords",
    "license",
    "license-url",
    "message",
    "preferred-citation",
    "references",
    "repository",
    "repository-artifact",
    "repository-code",
    "title",
    "type",
    "url",
    "version",
}
REQUIRED = {"authors", "cff-version", "message", "title"}
REQUIRED_OF_A_REFERENCE = {"authors", "title", "type"}
DOI = re.compile(r"10\.\d{4,9}(\.\d+)?/[A-Za-z0-9:/_;\-.()\[\]\\]+")
PERSON = {"family-names", "given-names", "orcid", "affiliation", "email"}
GROUP = {"name", "website", "email"}


@pytest.fixture
def content() -> dict[str, Any]:
    """What an independent reader finds; every plain value as text."""
    found: dict[str, Any] = yaml.load((ROOT / FILE).read_text(), Loader=yaml.BaseLoader)
    return found


def test_it_has_what_the_format_requires_and_nothing_that_it_does_not_know(content) -> None:
    assert REQUIRED <= set(content) <= KEYS
    assert content["cff-version"] == "1.2.0"
    assert content["type"] == "software"
    assert content["message"]


def test_every_author_is_a_person_or_a_group(content) -> None:
    authors = [*content["authors"]]
    for reference in content["references"]:
        assert set(reference) >= REQUIRED_OF_A_REFERENCE
        authors += reference["authors"]
    assert len(authors) == 5
    for author in authors:
        named = ("name" in author and set(author) <= GROUP) or (
            "family-names" in author and set(author) <= PERSON
        )
        assert named, author


def test_its_version_and_licence_are_those_of_the_package(content) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert content["version"] == project["version"]
    assert content["license"] == project["license"]


def test_the_paper_is_its_reference(content) -> None:
    [paper] = content["references"]
    assert paper["type"] == "conference-paper"
    assert paper["title"] == "Deep Residual Learning for Image Recognition"
    assert DOI.fullmatch(paper["doi"])
    assert "1512.03385" in paper["url"]


def test_our_reader_reads_it_as_a_yaml_reader_does(content) -> None:
    assert parse((ROOT / FILE).read_text()) == content
    citation = read_citation()
    assert [author.full_name for author in citation.authors] == ["The repro maintainers"]
    assert citation.references[0].authors[0].full_name == "Kaiming He"
    assert (citation.version, citation.license) == (content["version"], "MIT")


def test_a_file_that_is_not_there_or_lacks_a_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"nowhere\.cff` is not there"):
        read_citation(tmp_path / "nowhere.cff")
    short = tmp_path / "short.cff"
    short.write_text("# a comment\ncff-version: 1.2.0\n")
    with pytest.raises(UserError, match="missing required field `title`"):
        read_citation(short)


def test_it_stands_where_a_checkout_and_a_wheel_have_it() -> None:
    assert citation_file() == ROOT / FILE
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["force-include"][FILE] == f"repro/shipped/{FILE}"
