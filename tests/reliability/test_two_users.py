"""Two people, one folder of results: who only reads needs no right to write and leaves no file."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from repro.storage.paths import ROOT

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="only root may work as two other users"
)

LAB = 100  # the group of both; the number need not have a name
SMALL = ("table6", "--scale", "smoke", "--only", "resnet-20", "--seeds", "1")
SHORT = ("--set", "iterations=4", "--set", "drops=[2]")


@dataclass(frozen=True)
class User:
    """A user of this machine, at work on the shared results."""

    name: str
    folder: Path  # of all that is shared, and of each user's home
    groups: tuple[int, ...] = (LAB,)

    def repro(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        own = self.folder / self.name
        account = pwd.getpwnam(self.name)
        launch = [
            "unshare",
            "--mount",
            sys.executable,
            "-m",
            "tests.reliability.harness.other_user",
        ]
        launch += [str(account.pw_uid), str(account.pw_gid), ",".join(map(str, self.groups))]
        variables = {
            "HOME": str(own),
            "PATH": os.environ["PATH"],
            "LOGNAME": self.name,
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "REPRO_RESULTS": str(self.folder / "results"),
            "REPRO_FIGURES": str(own / "figures"),
            "REPRO_DATA": str(self.folder / "data"),
            "REPRO_GROUP_READABLE": "1",
        }
        command = [sys.executable, "-m", "repro.cli", *words]
        return subprocess.run(
            [*launch, *command],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=variables | environment,
        )


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder with results of the one user's, in which the group may read and make files."""
    folder = Path(tempfile.mkdtemp(prefix="repro-two-users-"))
    try:
        folder.chmod(0o755)
        for name in ("daemon", "nobody"):
            (folder / name).mkdir()
            shutil.chown(folder / name, name)
        for name in ("results", "data"):
            (folder / name).mkdir()
            os.chown(folder / name, pwd.getpwnam("daemon").pw_uid, LAB)
            (folder / name).chmod(0o2770)
        for words in (("run", *SMALL, *SHORT), ("collect",)):
            done = User("daemon", folder).repro(*words)
            assert done.returncode == 0, done.stderr
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def bob(shared: Path) -> User:
    return User("nobody", shared)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return every file and folder with its size and when it was changed."""
    everything = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.stat()
        everything[str(path)] = (status.st_size, status.st_mtime_ns)
    return everything


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (("diff", "table6", "--scale", "smoke"), (3,)),
        (("diff", "--scale", "smoke"), (3,)),
        (("status",), (0,)),
        (("list", "--scale", "smoke"), (0,)),
        (("plan", "table6", "--gpu-hours", "20"), (0,)),
        (("figure", "figure6", "--scale", "smoke", "--format", "svg"), (0, 3)),
        (("export", "table6", "--scale", "smoke", "--csv", "-"), (0, 3)),
        (("submit", "table6", "--scale", "smoke", "--on", "local-cluster", "--dry-run"), (0,)),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_what_only_reads_anothers_results_works_and_leaves_no_file(
    words: tuple[str, ...], codes: tuple[int, ...], shared: Path, bob: User
) -> None:
    before = contents(shared / "results")
    done = bob.repro(*words)
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr
    assert "denied" not in done.stderr
    assert contents(shared / "results") == before


def test_a_diff_of_anothers_results_says_why_it_is_not_kept(shared: Path, bob: User) -> None:
    done = bob.repro("diff", "--scale", "smoke")
    path = shared / "results" / "smoke" / "diff.md"
    assert f"not written: {path}, because `daemon` may write in" in done.stderr


@pytest.mark.parametrize(
    "words", [("collect",), ("table", "table6"), ("run", *SMALL), ("report",)], ids=" ".join
)
def test_what_writes_into_anothers_results_names_the_owner(
    words: tuple[str, ...], shared: Path, bob: User
) -> None:
    before = contents(shared / "results")
    done = bob.repro(*words)
    assert done.returncode == 4
    assert f"Error: `{shared / 'results'}` belongs to `daemon`\n" in done.stderr
    assert "say `--trust-folder` if you trust whoever may write there" in done.stderr
    assert contents(shared / "results") == before


def test_where_the_group_may_only_read_the_missing_right_is_named(shared: Path, bob: User) -> None:
    results = shared / "results"
    results.chmod(0o2750)
    try:
        done = bob.repro("collect")
        assert done.returncode == 4
        assert f"`{results}` belongs to `daemon`, and you may not write there" in done.stderr
        assert f"who can let you write there: `chmod g+w {results}`" in done.stderr
        trusting = bob.repro("table", "table6", "--scale", "smoke", "--trust-folder")
        assert trusting.returncode == 4
        assert f"cannot write `{results / 'smoke'}/table6." in trusting.stderr
        assert f"who can let you write there: `chmod g+w {results}`" in trusting.stderr
        reading = bob.repro("diff", "table6", "--scale", "smoke")
        assert reading.returncode == 3, reading.stderr
    finally:
        results.chmod(0o2770)


def test_with_trust_a_folder_inside_that_is_closed_is_named_with_its_owner(
    shared: Path, bob: User
) -> None:
    runs = shared / "results" / "runs"
    done = bob.repro("--trust-folder", "run", *SMALL, "--set", "iterations=5", "--set", "drops=[2]")
    assert done.returncode in (1, 4)
    assert f"`{runs}` belongs to `daemon`, who can let you write there: `chmod g+w {runs}`" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr


def test_who_is_in_no_group_of_theirs_reads_nothing_and_is_told_whose_it_is(shared: Path) -> None:
    stranger = User("nobody", shared, groups=(pwd.getpwnam("nobody").pw_gid,))
    for words in (("status",), ("diff", "table6", "--scale", "smoke")):
        done = stranger.repro(*words)
        assert done.returncode == 4
        assert "Traceback" not in done.stderr
        assert f"`{shared / 'results'}` belongs to `daemon`, who can let you" in done.stderr
        assert "after `chgrp` to a group that you are in" in done.stderr
