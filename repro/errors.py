"""Errors a user can meet. Each says what is wrong, with the value, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

# Exit codes; scripts rely on them.
FINE = 0
FAILED = 1  # a run failed, or the diff found what --fail-on names
USAGE = 2  # wrong usage or input
INCOMPLETE = 3  # something that was asked for is still missing
ENVIRONMENT = 4  # the machine lacks something: no SLURM, no data, no space
INTERRUPTED = 130

# Control characters, line and paragraph separators, marks that turn the direction of writing, and
# the surrogates that stand for bytes that are no UTF-8.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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
    """Return a value as an error message may print it: escaped, cut, in backticks.

    Of a path the end is kept, which says more than its beginning.
    """
    text = str(value).encode("unicode_escape").decode("ascii")
    if len(text) <= width:
        return f"`{text}`"
    if isinstance(value, PurePath):
        return f"`…{text[1 - width :]}`"
    return f"`{text[: width - 1]}…`"


def is_printable(text: str) -> bool:
    """Return whether a text keeps to its line, cannot drive a terminal, and is no broken UTF-8."""
    return _UNPRINTABLE.search(text) is None


def printable(text: str) -> str:
    """Return the text, escaped where it could not be printed as it is."""
    if is_printable(text):
        return text
    return text.encode("unicode_escape").decode("ascii")


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a hint that names the near word; `otherwise` where nothing is near."""
    candidates = list(known)
    import difflib

    # A word that is known is no typing error, whatever else is wrong with it.
    if word in candidates:
        return otherwise
    for near in difflib.get_close_matches(word, candidates, n=3, cutoff=0.5):
        if _differing_letters(word, near) <= max(2, len(word) // 2):
            return f"did you mean `{near}`?"
    return otherwise


def _differing_letters(word: str, near: str) -> int:
    """Return how many letters must be put in, taken away or replaced."""
    import difflib

    matcher = difflib.SequenceMatcher(None, word, near, autojunk=False)
    count = 0
    for operation, start, end, near_start, near_end in matcher.get_opcodes():
        if operation != "equal":
            count += max(end - start, near_end - near_start)
    return count
