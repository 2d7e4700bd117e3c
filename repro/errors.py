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
    """Return a hint that names the near word; `otherwise` where nothing is near."""
    candidates = list(known)
    # A word that is known is no typing error, whatever else is wrong with it.
    if word in candidates:
        return otherwise
    for near in difflib.get_close_matches(word, candidates, n=3, cutoff=0.5):
        if _differing_letters(word, near) <= max(2, len(word) // 2):
            return f"did you mean `{near}`?"
    return otherwise


def _differing_letters(word: str, near: str) -> int:
    """Return how many letters must be put in, taken away or replaced."""
    matcher = difflib.SequenceMatcher(None, word, near, autojunk=False)
    count = 0
    for operation, start, end, near_start, near_end in matcher.get_opcodes():
        if operation != "equal":
            count += max(end - start, near_end - near_start)
    return count
