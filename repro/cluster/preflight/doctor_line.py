"""One line of the doctor's report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Check:
    """What was looked at, how it is, and what to type or change where it is not well."""

    name: str
    verdict: Verdict
    words: str
    fix: str = ""


Checks: TypeAlias = Iterator[Check]
