"""Errors a user can meet. Each says what is wrong, with the value in backticks, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath

# Exit codes; scripts rely on them.
FINE = 0
FAILED = 1  # a run failed, or the diff found what --fail-on names
USAGE = 2  # wrong usage or input
INCOMPLETE = 3  # something that was asked for is still missing
ENVIRONMENT = 4  # the machine lacks something: no SLURM, no data, no space
INTERRUPTED = 130


class UserError(Exception):
    """Something the user can put right; shown as one line and a hint, never as a traceback."""

    code = USAGE

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class RunFailed(UserError):
    """A run ended badly, and its folder says why."""

    code = FAILED


class Incomplete(UserError):
    """What was asked for is not all there yet."""

    code = INCOMPLETE


class EnvironmentProblem(UserError):
    """The environment lacks something: a data set, a scheduler, disk space."""

    code = ENVIRONMENT


def quote(value: object, width: int = 80) -> str:
    """A value as an error message may print it: escaped, in backticks, cut at its end; of a path the end is kept."""
    text = str(value).encode("unicode_escape").decode("ascii")
    if len(text) <= width:
        return f"`{text}`"
    return f"`…{text[1 - width :]}`" if isinstance(value, PurePath) else f"`{text[: width - 1]}…`"


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint naming the near word, or `otherwise`, where nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else otherwise
