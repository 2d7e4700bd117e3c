"""How repro, and the paper that it reproduces, are cited: what CITATION.cff says.

The file is YAML, and no package that reads YAML is needed here: the reader below knows mappings,
lists and one-line texts, which is all that the file has. A test compares it with a real reader.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TypeAlias

import msgspec

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import cannot_read
from repro.storage.paths import IS_CHECKOUT, ROOT, SHIPPED

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

FILE = "CITATION.cff"

_KEY = re.compile(r"[A-Za-z-]+:(?: |$)")


class Author(msgspec.Struct, frozen=True, rename="kebab"):
    """A person, or a group that has one name."""

    name: str = ""
    family_names: str = ""
    given_names: str = ""
    affiliation: str = ""
    orcid: str = ""

    @property
    def is_person(self) -> bool:
        return not self.name

    @property
    def full_name(self) -> str:
        return self.name or f"{self.given_names} {self.family_names}".strip()


class Paper(msgspec.Struct, frozen=True, rename="kebab"):
    """A work that is referred to."""

    title: str
    authors: tuple[Author, ...]
    year: str
    doi: str
    url: str


class Citation(msgspec.Struct, frozen=True, rename="kebab"):
    """How this software is cited."""

    title: str
    abstract: str
    version: str
    license: str  # of SPDX's list
    authors: tuple[Author, ...]
    references: tuple[Paper, ...]
    repository_code: str = ""


def citation_file() -> Path:
    """Return where CITATION.cff is: in the checkout, or in the installed package."""
    return (ROOT if IS_CHECKOUT else SHIPPED) / FILE


def read_citation(path: Path | None = None) -> Citation:
    """Return what CITATION.cff says."""
    path = path or citation_file()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        hint = "install repro again, or call it from a checkout"
        raise EnvironmentProblem(f"{quote(path)} is not there", hint) from None
    except OSError as error:
        raise cannot_read(path, error) from None
    try:
        return msgspec.convert(parse(text), Citation)
    except msgspec.ValidationError as error:
        hint = "compare it with https://citation-file-format.github.io"
        raise UserError(f"{quote(path)}: {error}", hint) from None


def parse(text: str) -> Value:
    """Return the mapping that a simple YAML file holds; every plain value stays a text."""
    lines = []
    for line in text.splitlines():
        content = line.strip()
        if content and not content.startswith("#"):
            lines.append((len(line) - len(line.lstrip()), content))
    return _Reader(lines).block()


class _Reader:
    """Goes through the lines once; each has its indentation and its content."""

    def __init__(self, lines: list[tuple[int, str]]) -> None:
        self.lines = lines
        self.next = 0

    def block(self) -> Value:
        """Return the list or mapping that begins at the next line."""
        indentation, content = self.lines[self.next]
        if content.startswith("- "):
            return self._list(indentation)
        return self._mapping(indentation)

    def _list(self, indentation: int) -> list[Value]:
        items: list[Value] = []
        while self._goes_on(indentation) and self._content().startswith("- "):
            item = self._content()[2:]
            if _KEY.match(item):
                # The first key of a mapping stands behind the dash, and the others below it.
                self.lines[self.next] = (indentation + 2, item)
                items.append(self._mapping(indentation + 2))
            else:
                items.append(_plain(item))
                self.next += 1
        return items

    def _mapping(self, indentation: int) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        while self._goes_on(indentation) and _KEY.match(self._content()):
            key, _, value = self._content().partition(":")
            self.next += 1
            mapping[key] = _plain(value.strip()) if value.strip() else self.block()
        return mapping

    def _goes_on(self, indentation: int) -> bool:
        return self.next < len(self.lines) and self.lines[self.next][0] == indentation

    def _content(self) -> str:
        return self.lines[self.next][1]


def _plain(text: str) -> str:
    """Return a one-line value without its quotes."""
    return str(json.loads(text)) if text.startswith('"') else text
