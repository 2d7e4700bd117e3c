"""Every path. The two wings meet here and nowhere else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from repro.definition.bounds import check_name
from repro.errors import EnvironmentProblem, UserError, is_printable, printable, quote
from repro.storage.atomic import cannot_read

ROOT = Path(__file__).resolve().parents[2]
PAPER_NUMBERS = ROOT / "experiments" / "paper"
# What a checkout has beside the code, and an installed package has inside it.
SHIPPED = ROOT / "repro" / "shipped"
IS_CHECKOUT = not SHIPPED.exists()


def base_folder() -> Path:
    """Return where results, figures, data and slurm are: the checkout, or the working folder."""
    return ROOT if IS_CHECKOUT else Path.cwd()


def slurm_folder() -> Path:
    """Return the folder of cluster profiles; of an installed package, the example's at least."""
    return _there_or_shipped(base_folder() / "slurm", SHIPPED / "slurm")


def _there_or_shipped(folder: Path, shipped: Path) -> Path:
    return folder if IS_CHECKOUT or folder.is_dir() else shipped


@dataclass(frozen=True)
class Places:
    """Where everything is. `REPRO_RESULTS`, `REPRO_FIGURES` and `REPRO_DATA` move the folders."""

    results: Path
    figures: Path
    data: Path
    slurm: Path = field(default_factory=slurm_folder)

    @property
    def runs(self) -> Path:
        return self.results / "runs"

    @property
    def published(self) -> Path:
        """The records that are read: those of the results folder, else those that came along."""
        return _there_or_shipped(self.results / "published", SHIPPED / "results" / "published")

    @property
    def labs(self) -> Path:
        """The records of other labs, a folder for each: found as the published ones are."""
        return _there_or_shipped(self.results / "labs", SHIPPED / "results" / "labs")

    @property
    def frame(self) -> Path:
        return self.results / "runs.parquet"

    @property
    def copies(self) -> Path:
        """What was read of folders that `frame` leaves out: second copies, and what is no run."""
        return self.results / ".runs-copies.parquet"

    @property
    def report(self) -> Path:
        return self.results / "report.html"

    def run(self, run_id: str) -> Folder:
        return Folder(self.runs / check_name(run_id, "a run"))

    def looks(self, experiment: str, scale: str) -> Path:
        """What has been looked at of an experiment's claims, which makes later looks dearer."""
        return self.tables_at(scale) / "looks" / f"{experiment}.json"

    def is_published(self, run_id: str) -> bool:
        """Return whether the run's record is published."""
        return Folder(self.published / run_id).final.exists()

    def tables_at(self, scale: str) -> Path:
        return self.results if scale == "paper" else self.results / scale

    def figures_at(self, scale: str) -> Path:
        return self.figures if scale == "paper" else self.figures / scale


def places() -> Places:
    """Return the folders in force: the environment's, the checkout's or the working folder's."""
    return Places(
        _folder_of("REPRO_RESULTS", "results"),
        _folder_of("REPRO_FIGURES", "figures"),
        _folder_of("REPRO_DATA", "data"),
    )


def variable_of(path: Path) -> str:
    """Return the variable that moves the folder a path is in: results, where it is in none."""
    with contextlib.suppress(UserError):
        folders = places()
        if path.is_relative_to(folders.figures):
            return "REPRO_FIGURES"
        if path.is_relative_to(folders.data):
            return "REPRO_DATA"
    return "REPRO_RESULTS"


def _folder_of(variable: str, name: str) -> Path:
    """Return the folder that the variable names, or the usual one of that name."""
    text = os.environ.get(variable)
    try:
        if not text:
            return base_folder() / name
        # Paths are printed and saved as JSON, which bytes that are no UTF-8 cannot be.
        if not is_printable(text):
            problem = f"`{variable}` is {quote(text, 300)}, which is no readable name"
            raise UserError(problem, "name a folder that can be typed and read, or unset it")
        return Path(text).expanduser().absolute()
    except FileNotFoundError:
        hint = "`cd` to a folder that exists"
        raise EnvironmentProblem("the working directory is gone", hint) from None
    except RuntimeError as error:  # ~nobody
        problem = f"`{variable}` is {quote(text, 300)}: {error}"
        raise UserError(problem, "write it without `~`") from None


class RunFile:
    """One file of a run's folder, by its name there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, folder: Folder, kind: type[Folder]) -> Path:
        return folder.path / self.name


@dataclass(frozen=True)
class Folder:
    """One run's folder. Knows the names; holds nothing. Each file has one writer."""

    path: Path

    definition = RunFile("run.json")  # written once, by whoever asked for the run
    submitted = RunFile("submitted.json")  # the claim of the submitter who sent it to a queue
    progress = RunFile("progress.json")  # state, iteration, rate; of the newest attempt
    metrics = RunFile("metrics.jsonl")  # the curves, one digested line a point
    checkpoint = RunFile("checkpoint.pt")  # weights, momentum, iteration
    previous_checkpoint = RunFile("checkpoint.previous.pt")
    predictions = RunFile("predictions.npz")  # of each image, where a table needs them
    final = RunFile("final.json")  # what was measured once; written last: the run is done
    failed = RunFile("failed.json")  # why the newest attempt gave up; the next one removes it
    log = RunFile("log.txt")  # what the attempts said, appended

    # A published folder has run.json, metrics.jsonl and final.json, and these.
    published_digests = RunFile("published.json")  # the SHA-256 of the three
    weights = RunFile("weights.pt")  # the net's weights and buffers, where they are given away
    weights_record = RunFile("weights.json")  # their SHA-256, and the command that measures them

    def attempt(self, number: int) -> Path:
        """Return who ran it, and from which iteration: only the newest attempt may publish."""
        return self.path / f"attempt-{number:04d}.json"

    def set_aside(self) -> Path | None:
        """Rename the folder so that no reader takes it for a run, and the run can begin anew."""
        number = 1
        while (aside := self.path.with_name(f".{self.path.name}.replaced-{number}")).exists():
            number += 1
        return self.path.rename(aside) if self.path.exists() else None

    def put_back(self, aside: Path) -> None:
        """Undo `set_aside`, unless something has begun here since."""
        with contextlib.suppress(OSError):
            aside.rename(self.path)

    def attempts(self) -> list[int]:
        """The numbers of the attempts on record, oldest first; none where there is no folder."""
        found = (
            name[8:-5]
            for name in self._names()
            if name.startswith("attempt-") and name.endswith(".json")
        )
        return sorted(int(number) for number in found if number.isdigit())

    def temporaries(self) -> list[Path]:
        """What attempts have begun to write, or left behind half written."""
        names = (name for name in self._names() if name.startswith(".") and name.endswith(".tmp"))
        return [self.path / name for name in names if not name.startswith(".submitted")]

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.path)  # noqa: PTH208 – fails where `Path.glob` finds nothing
        except FileNotFoundError:
            return []
        except OSError as error:
            raise cannot_read(self.path, error) from error


def run_folders(parent: Path) -> Iterator[Folder]:
    """Yield the folders in `parent` that may be runs, by name.

    A link that leads nowhere is among them, so that reading it names what is wrong.
    """
    for name in _folder_names(parent):
        if is_printable(name):
            yield Folder(parent / name)


def unprintable_names(parent: Path) -> list[str]:
    """Return the names, escaped, of folders that are not read because no table could show them."""
    return [printable(name) for name in _folder_names(parent) if not is_printable(name)]


def _folder_names(parent: Path) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return sorted(entry.name for entry in entries if _may_be_a_run(entry))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(parent, error) from None


def _may_be_a_run(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    try:
        # A file is no run, and neither is a link to one.
        return entry.is_dir() or (entry.is_symlink() and not entry.is_file())
    except OSError:
        return True  # a circle of links
