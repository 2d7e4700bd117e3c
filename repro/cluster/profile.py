"""A cluster as one page of TOML: what to ask it for, and how a job sets itself up there.

Nothing is invented: a partition, an account or a QOS that is not given is not asked for. What is given reaches the
scheduler only after a check against a list of what such a value may look like, for quoting can be got around.
Precedence: command line, `REPRO_*` variables, `slurm/<name>.toml`, the defaults of this page.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from repro.definition.bounds import check_name
from repro.errors import UserError, did_you_mean, quote

LONGEST = 365 * 24 * 60  # minutes
MOST_PACKED = 64  # runs in one job

_WORD = re.compile(
    r"[A-Za-z0-9._,:|&*()\[\]@+=/-]{1,200}"
)  # no quotes, blanks, $, `, ;, \ or control characters
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPTION = re.compile(r"[a-z][a-z0-9-]{0,40}")
_MEMORY = re.compile(r"[1-9][0-9]{0,6}(?:\.[0-9]+)?[KMGT]B?")
_CLOCK = re.compile(r"(?:(?P<days>[0-9]{1,3})-)?(?P<rest>[0-9]{1,4}(?::[0-9]{1,2}){0,2})")

# sbatch options that are ours to set: given twice, the later one would silently win.
_OURS = {
    "array",
    "output",
    "error",
    "open-mode",
    "signal",
    "requeue",
    "chdir",
    "job-name",
    "wckey",
    "wrap",
}
_OURS |= {"test-only", "gpus-per-node", "gres", "mem", "cpus-per-task", "ntasks-per-node"}


@dataclass(frozen=True)
class Profile:
    """What is asked of a cluster for one run. Only `time` and `cpus` are always asked for."""

    name: str
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    time: int = 24 * 60  # minutes
    memory: str | None = None  # of a node
    cpus: int = 4  # of a process
    gpus: int = 1  # of a node
    gpu_type: str | None = None
    gpu_flag: Literal["gpus-per-node", "gres"] = "gpus-per-node"
    nodes: int = 1
    processes: int = 1  # on a node; several train one run together
    pack: int | Literal["auto"] = (
        1  # runs that differ in their seed alone, and share a job and its GPU
    )
    max_parallel: int = 50  # elements of an array that may run at once
    grace: int = 120  # seconds before the time limit at which a run is told to save and queue again
    setup: tuple[str, ...] = ()  # shell lines before the run
    environment: dict[str, str] = field(default_factory=dict)
    container: tuple[str, ...] = ()  # words before `python`
    python: str | None = None  # default: the one that submits
    scratch: str | None = (
        None  # a folder on the node's own disk, to which the data set is copied first
    )
    sbatch: dict[str, str | int | bool] = field(default_factory=dict)  # any other option
    slurm_conf: str | None = None
    ask_above_jobs: int = 100
    ask_above_gpu_hours: float = 200.0

    def __post_init__(self) -> None:
        check_name(self.name, "a cluster")
        for key in ("partition", "account", "qos", "constraint", "exclude", "gpu_type"):
            _check_word(key, getattr(self, key))
        if self.memory is not None and not _MEMORY.fullmatch(self.memory):
            raise UserError(
                f"`memory` is {quote(self.memory)}", "write a number and a unit: `16GB`, `500MB`"
            )
        for key, low, high in _RANGES:
            if not low <= getattr(self, key) <= high:
                raise UserError(f"`{key}` is {quote(getattr(self, key))}", f"it is {low} to {high}")
        self._check_pack()
        for line in (
            *self.setup,
            *self.container,
            *filter(None, (self.python, self.scratch, self.slurm_conf)),
        ):
            _check_text("setup, container, python, scratch or slurm_conf", line)
        for name, value in self.environment.items():
            if not _VARIABLE.fullmatch(name):
                raise UserError(
                    f"{quote(name)} is not the name of a variable", "letters, digits and `_`"
                )
            _check_text(f"environment.{name}", value)
        _check_sbatch(self.sbatch)

    def _check_pack(self) -> None:
        """Runs that share a job share one GPU, and have a process each."""
        if self.pack == "auto" or self.pack == 1:
            return
        if not 1 <= self.pack <= MOST_PACKED:
            raise UserError(f"`pack` is {quote(self.pack)}", f"it is 1 to {MOST_PACKED}, or auto")
        if self.gpus > 1 or self.nodes * self.processes > 1:
            processes, gpus = self.nodes * self.processes, self.nodes * self.gpus
            raise UserError(
                f"`pack` is {quote(self.pack)}, and a job has {processes} processes and {gpus} GPUs",
                "runs that share a job share one GPU and have one process each: ask for one of each",
            )

    @property
    def on_gpu(self) -> bool:
        """Whether its jobs train on a GPU."""
        return self.gpus > 0 and not self.environment.get("REPRO_DEVICE", "").startswith("cpu")

    @property
    def memory_bytes(self) -> float | None:
        """What it asks for of each node, as SLURM reads it; None where it leaves that to the cluster."""
        if self.memory is None:
            return None
        number, unit = self.memory.removesuffix("B")[:-1], self.memory.removesuffix("B")[-1]
        return float(number) * 1024 ** ("KMGT".index(unit) + 1)

    @property
    def interpreter(self) -> str:
        """What starts Python in a job, as the shell reads it."""
        return shlex.join([*self.container, self.python or sys.executable])


_RANGES = (
    ("time", 1, LONGEST),
    ("cpus", 1, 4096),
    ("gpus", 0, 64),
    ("nodes", 1, 1024),
    ("processes", 1, 64),
    ("max_parallel", 1, 100_000),
    ("grace", 10, 24 * 3600),
    ("ask_above_jobs", 0, 10**9),
    ("ask_above_gpu_hours", 0, 10**9),
)


def load_profile(name: str, folder: Path, given: Mapping[str, Any] | None = None) -> Profile:
    """The profile `slurm/<name>.toml`, with the environment's and then the command line's values over it."""
    check_name(name, "a cluster")
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(each.stem for each in folder.glob("*.toml"))
        otherwise = f"copy `{folder.name}/example.toml` to `{folder.name}/{name}.toml` and fill in two lines"
        raise UserError(f"no cluster named {quote(name)}", did_you_mean(name, known, otherwise))
    values = _read(path)
    try:
        return _convert({"name": name} | values | _from_environment() | _without_none(given or {}))
    except UserError as error:
        raise UserError(
            f"{error.problem} (cluster {quote(name)}, {quote(path.name)})", error.hint
        ) from None


def parse_time(text: str | int) -> int:
    """Minutes from SLURM's own forms: `90`, `30:00` (minutes and seconds), `1:30:00`, `2-12`, `2-12:00:00`."""
    match = _CLOCK.fullmatch(str(text))
    if not match:
        raise UserError(
            f"{quote(text)} is not a time", "write minutes (`90`), `1:30:00` or `2-12:00:00`"
        )
    numbers = [int(part) for part in match["rest"].split(":")]
    if match["days"] is not None:
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, minutes, seconds = 0, *[*numbers, 0][:2]
    long = len(numbers) == 3 or match["days"] is not None
    if seconds > 59 or (long and minutes > 59) or (match["days"] is not None and hours > 23):
        raise UserError(
            f"{quote(text)} is not a time", "minutes and seconds go to 59, hours after days to 23"
        )
    total = int(match["days"] or 0) * 1440 + hours * 60 + minutes + (seconds > 0)
    if not 1 <= total <= LONGEST:
        raise UserError(f"{quote(text)} is not a time limit", "it is one minute to 365 days")
    return total


def format_time(minutes: int) -> str:
    """As SLURM shows it: 1-12:00:00."""
    days, rest = divmod(minutes, 1440)
    return (f"{days}-" if days else "") + f"{rest // 60:02}:{rest % 60:02}:00"


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > 2**20:
        raise UserError(
            f"{quote(path)} is too large for a profile", "copy `slurm/example.toml` and start again"
        )
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{quote(path)} is not TOML: {error}", "see https://toml.io, and `slurm/example.toml`"
        ) from None


def _from_environment() -> dict[str, Any]:
    """REPRO_PARTITION, REPRO_TIME and so on, for every key that is one plain value."""
    plain = {each.name for each in fields(Profile)} - {
        "name",
        "setup",
        "environment",
        "container",
        "sbatch",
    }
    found = {
        key: os.environ[f"REPRO_{key.upper()}"]
        for key in plain
        if os.environ.get(f"REPRO_{key.upper()}")
    }
    return {key: _number(value) if key not in _TEXTS else value for key, value in found.items()}


_TEXTS = {
    "time",
    "partition",
    "account",
    "qos",
    "constraint",
    "exclude",
    "memory",
    "gpu_type",
    "gpu_flag",
}
_TEXTS |= {"python", "scratch", "slurm_conf"}


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text) if text.isascii() else text
        except ValueError:
            continue
    return text


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != ()}


def _convert(values: dict[str, Any]) -> Profile:
    import msgspec

    known = [each.name for each in fields(Profile) if each.name != "name"]
    for key in values:
        if key not in (*known, "name"):
            raise UserError(
                f"no key {quote(key)} in a profile",
                did_you_mean(key, known, "keys: " + ", ".join(known)),
            )
    if "time" in values:
        time = values["time"]
        if isinstance(time, bool) or not isinstance(time, (int, str)):
            raise UserError(
                f"{quote(time)} is not a time", "write minutes (`90`), `1:30:00` or `2-12:00:00`"
            )
        values = values | {"time": parse_time(time)}
    if "pack" in values:
        values = values | {"pack": _pack(values["pack"])}
    if isinstance(values.get("container"), str):
        values = values | {"container": shlex.split(values["container"])}
    try:
        return msgspec.convert(values, Profile, strict=True)
    except msgspec.ValidationError as error:
        # msgspec wraps what __post_init__ raises; a UserError is not a ValueError, so it passes as it is.
        where = str(error).replace("$.", "")
        raise UserError(
            f"wrong type in a profile: {where}", "compare with `slurm/example.toml`"
        ) from None


def _pack(value: Any) -> Any:
    """A number, also as the command line has it, or `auto`."""
    known = value == "auto" or (isinstance(value, int) and not isinstance(value, bool))
    if known or (isinstance(value, str) and value.isascii() and value.isdigit()):
        return value if known else int(value)
    raise UserError(f"`pack` is {quote(value)}", f"it is 1 to {MOST_PACKED}, or auto")


def with_sbatch(profile: Profile, options: tuple[str, ...]) -> Profile:
    """The profile with more sbatch options, each `key=value` or `key`, leading dashes allowed."""
    more: dict[str, str | int | bool] = {}
    for option in options:
        key, equals, value = option.removeprefix("--").partition("=")
        if key in more:
            raise UserError(f"sbatch option {quote(key)} is given twice", "give it once")
        more[key] = value if equals else True
    return replace(profile, sbatch=profile.sbatch | more)


def _check_word(key: str, value: str | None) -> None:
    if value is not None and not (
        _WORD.fullmatch(value) and value.isascii() and not value.startswith("-")
    ):
        raise UserError(
            f"`{key}` is {quote(value)}",
            "use letters, digits and . _ - , : | & * ( ) [ ] @ + = / and no blanks",
        )


def _check_text(key: str, value: str) -> None:
    if not value.isprintable() or len(value) > 4096:
        raise UserError(
            f"`{key}` has a control character or is too long: {quote(value)}",
            "one line, printable, each",
        )


def _check_sbatch(options: dict[str, str | int | bool]) -> None:
    for key, value in options.items():
        if not _OPTION.fullmatch(key):
            raise UserError(
                f"{quote(key)} is not an option of sbatch",
                "write it as sbatch does, without the dashes",
            )
        if key in _OURS or key.replace("-", "_") in {each.name for each in fields(Profile)} - {
            "python",
            "environment",
        }:
            raise UserError(
                f"sbatch option {quote(key)} is not free",
                "it is set from a key of the profile, or by us",
            )
        if not isinstance(value, bool):
            _check_word(f"sbatch.{key}", str(value))
