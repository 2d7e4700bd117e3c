"""What a stranger types: hostile names at every entrance, and lists of words by the thousand."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from repro.cli import main
from tests.cluster.fake_slurm import laptop
from tests.reliability.harness.hostile import ENTRANCES, EXIT_CODES, NAMES, argument_list, given
from tests.reliability.harness.trial import Figures


def hostile(folder: Path) -> Figures:
    """Each hostile name at each entrance: it is to be refused in one short answer, and nothing made
    or run."""
    with _nowhere(folder) as empty:
        answers = [_answer(given(entrance, name)) for entrance in ENTRANCES for name in NAMES]
    refused = sum(code in (2, 4) and not out and _plain(err) for code, out, err in answers)
    return _escapes(len(answers), len(answers) - refused, empty) | {
        "names": len(NAMES),
        "entrances": len(ENTRANCES),
    }


def words(folder: Path, count: int = 1000, seed: int = 0) -> Figures:
    """Lists of words from a grammar: each is to end in a published exit code, and never in a
    traceback."""
    chance, wrong = random.Random(seed), 0
    with _nowhere(folder) as empty:
        for _ in range(count):
            typed = argument_list(chance)
            code, _, err = _answer(typed)
            wrong += code not in EXIT_CODES or ("Traceback" in err and "--debug" not in typed)
    return _escapes(count, wrong, empty)


def _escapes(typed: int, wrong: int, empty: Path) -> Figures:
    return {"typed": typed, "wrong_answers": wrong, "files_made": len(list(empty.rglob("*")))}


def _answer(typed: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(typed)
        except SystemExit as ended:
            return int(ended.code or 0), out.getvalue(), err.getvalue()


def _plain(err: str) -> bool:
    """Nothing that a terminal would obey."""
    return err.replace("\n", "").isprintable()


@contextmanager
def _nowhere(folder: Path) -> Iterator[Path]:
    """A laptop without SLURM, in an empty folder where all that is made by mistake would be
    seen."""
    empty, programs = folder / "empty", laptop(folder / "programs")
    empty.mkdir()
    named = {f"REPRO_{name}": str(empty / name.lower()) for name in ("RESULTS", "FIGURES", "DATA")}
    before, there = dict(os.environ), Path.cwd()
    os.environ.update(named | {"PATH": str(programs), "COLUMNS": "80"})
    os.chdir(empty)
    try:
        yield empty
    finally:
        os.chdir(there)
        os.environ.clear()
        os.environ.update(before)
