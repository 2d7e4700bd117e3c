"""A small SLURM that behaves: it numbers arrays, remembers them, and forgets what is cancelled.

No time passes in it: whoever uses it says what becomes of its jobs.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import json, os, re, sys, time
from pathlib import Path
folder = Path({folder!r})
name, words = Path(sys.argv[0]).name, sys.argv[1:]
with (folder / "calls").open("a") as calls:
    calls.write(name + "\\n")
if (folder / "down").exists():
    sys.exit(name + ": error: Unable to contact slurm controller (connect failure)")
fails = folder / (name + ".fails")
if fails.exists() and name != "sbatch":
    sys.exit(fails.read_text())
paths = sorted(folder.glob("array-*.json"))
jobs = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
if name == "sbatch":
    text = Path(words[-1]).read_text()
    if "--partition=nowhere" in text:
        sys.exit("sbatch: error: invalid partition specified: nowhere\\n"
                 "sbatch: error: Batch job submission failed")
    if words[0] == "--test-only":
        print("sbatch: Job 7 to start at 2030-01-01T00:00:00 on nodes gpu1", file=sys.stderr)
        sys.exit(0)
    batch = re.search(r"--job-name=(\\S+)", text)[1]
    last = int(re.search(r"--array=0-(\\d+)", text)[1])
    for number in range(100, 10_000):
        try:
            file = (folder / f"array-{{number}}.json").open("x")
        except FileExistsError:
            continue
        for index in range(last + 1):
            job = dict(array=str(number), index=index, batch=batch, state="PENDING")
            file.write(json.dumps(job | dict(reason="Priority", options=words[:-1])) + "\\n")
        if fails.exists():  # it has it, and does not say so
            sys.exit(fails.read_text())
        sys.exit(print("Submitted batch job", number))
if name == "squeue":
    wanted = words[words.index("--name") + 1].split(",")
    for j in jobs:
        if j["batch"] in wanted:
            known = (j["array"], j["index"], j["state"], "1:00", "30:00", "gpu1", j["batch"])
            print(*known, j["reason"], sep="|")
if name == "scancel":
    for word in words:
        array, _, index = word.partition("_")
        path = folder / f"array-{{array}}.json"
        kept = [l for l in path.read_text().splitlines() if str(json.loads(l)["index"]) != index]
        path.write_text("".join(l + "\\n" for l in kept))
if name == "scontrol":
    print("MaxArraySize            = 1001")
    print((folder / "config").read_text() if (folder / "config").exists() else "PrivateData = none")
"""


@dataclass(frozen=True)
class FakeSlurm:
    """Its folder: one file for each array, and the calls it has had."""

    folder: Path

    @classmethod
    def install(cls, folder: Path) -> FakeSlurm:
        folder.mkdir()
        (folder / "calls").touch()
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            program = folder / name
            program.write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)))
            program.chmod(0o755)
        return cls(folder)

    def fails(self, program: str, words: str) -> None:
        """From now on this program says that and fails; sbatch does so once it has the array."""
        (self.folder / f"{program}.fails").write_text(words)

    def goes_down(self, down: bool = True) -> None:
        """Have the controller not answer, and hear nothing; or answer again."""
        if down:
            (self.folder / "down").touch()
        else:
            (self.folder / "down").unlink(missing_ok=True)

    def works(self) -> None:
        for path in self.folder.glob("*.fails"):
            path.unlink()

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().split()

    def arrays(self) -> list[list[dict[str, Any]]]:
        return [
            [json.loads(line) for line in p.read_text().splitlines()]
            for p in sorted(self.folder.glob("array-*"))
        ]

    def set(self, array: str, index: int, **facts: str) -> None:
        """Change what it says of one element."""
        path = self.folder / f"array-{array}.json"
        jobs = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text(
            "".join(json.dumps(j | (facts if j["index"] == index else {})) + "\n" for j in jobs)
        )

    def end(self, array: str) -> None:
        """All its elements are over, and nobody says how."""
        (self.folder / f"array-{array}.json").write_text("")


def laptop(folder: Path) -> Path:
    """A folder for PATH with git and no SLURM in it."""
    folder.mkdir()
    for name in ("git", "sh", "env"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return folder
