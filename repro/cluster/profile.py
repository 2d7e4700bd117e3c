"""A cluster as one page of TOML: what to ask it for, and how a job sets itself up there.

Nothing is invented: a partition, an account or a QOS that is not given is not asked for. What is
given reaches the scheduler only after a check against a list of what such a value may look like,
for quoting can be got around. `setup`, `container` and `python` are run as they stand: a profile is
code, and is to be trusted like code.
Precedence: command line, `REPRO_*` variables, `slurm/<name>.toml`, the defaults of this page.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from repro.cluster.profile_checks import check_sbatch, check_text, check_word
from repro.cluster.slurm_time import LONGEST, not_a_time, parse_time
from repro.definition.bounds import check_name
from repro.errors import UserError, did_you_mean, quote
from repro.storage.atomic import cannot_read

MOST_PACKED = 64  # runs in one job

_MEMORY = re.compile(r"[1-9][0-9]{0,6}[KMGT]B?")  # sbatch takes whole numbers only
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
    # Runs that differ in their seed alone, and share a job and its GPU.
    pack: int | Literal["auto"] = 1
    mps: bool = True  # whether jobs may start an MPS daemon, by which runs share a GPU best
    max_parallel: int = 50  # elements of an array that may run at once
    grace: int = 120  # seconds before the time limit at which a run is told to save and queue again
    setup: tuple[str, ...] = ()  # shell lines before the run
    environment: dict[str, str] = field(default_factory=dict)
    container: tuple[str, ...] = ()  # words before `python`
    python: str | None = None  # default: the one that submits
    # A folder on the node's own disk, to which the data set is copied first.
    scratch: str | None = None
    sbatch: dict[str, str | int | bool] = field(default_factory=dict)  # any other option
    slurm_conf: str | None = None
    ask_above_jobs: int = 100
    ask_above_gpu_hours: float = 200.0

    def __post_init__(self) -> None:
        check_name(self.name, "a cluster")
        for key in ("partition", "account", "qos", "constraint", "exclude", "gpu_type"):
            check_word(key, getattr(self, key))
        if self.memory is not None and not _MEMORY.fullmatch(self.memory):
            raise UserError(
                f"`memory` is {quote(self.memory)}", "write a number and a unit: `16GB`, `500MB`"
            )
        for key, low, high in _RANGES:
            if not low <= getattr(self, key) <= high:
                raise UserError(f"`{key}` is {quote(getattr(self, key))}", f"it is {low} to {high}")
        self._check_pack()
        self._check_texts()
        check_sbatch(self.sbatch, _KEYS)

    def _check_texts(self) -> None:
        """Whatever becomes a part of the script is one printable line."""
        given = [value for value in (self.python, self.scratch, self.slurm_conf) if value]
        for line in (*self.setup, *self.container, *given):
            check_text("setup, container, python, scratch or slurm_conf", line)
        for name, value in self.environment.items():
            if not _VARIABLE.fullmatch(name):
                raise UserError(
                    f"{quote(name)} is not the name of a variable", "letters, digits and `_`"
                )
            check_text(f"environment.{name}", value)

    def _check_pack(self) -> None:
        """Runs that share a job share one GPU, and have a process each."""
        if self.pack == "auto" or self.pack == 1:
            return
        if not 1 <= self.pack <= MOST_PACKED:
            raise UserError(f"`pack` is {quote(self.pack)}", f"it is 1 to {MOST_PACKED}, or auto")
        processes, gpus = self.nodes * self.processes, self.nodes * self.gpus
        if self.gpus > 1 or processes > 1:
            raise UserError(
                f"`pack` is {quote(self.pack)}, "
                f"and a job has {processes} processes and {gpus} GPUs",
                "runs that share a job share one GPU and have one process each: "
                "ask for one of each",
            )

    @property
    def on_gpu(self) -> bool:
        """Whether its jobs train on a GPU."""
        return self.gpus > 0 and not self.environment.get("REPRO_DEVICE", "").startswith("cpu")

    @property
    def memory_bytes(self) -> float | None:
        """The bytes of each node, as SLURM reads them; None where that is left to the cluster."""
        if self.memory is None:
            return None
        text = self.memory.removesuffix("B")
        power = "KMGT".index(text[-1]) + 1
        return float(text[:-1]) * float(1024**power)

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
    """Return the profile `slurm/<name>.toml`.

    The environment's values go over the file's, and the command line's over both.
    """
    check_name(name, "a cluster")
    values = _read(name, folder)
    asked = {key: value for key, value in (given or {}).items() if value not in (None, ())}
    try:
        return _convert({"name": name} | values | _from_environment() | asked)
    except UserError as error:
        raise UserError(
            f"{error.problem} (cluster {quote(name)}, {quote(f'{name}.toml')})", error.hint
        ) from None


def _read(name: str, folder: Path) -> dict[str, Any]:
    """Return what the profile's file says."""
    path = folder / f"{name}.toml"
    if not path.exists():
        raise _no_profile(name, folder)
    if not path.is_file():
        # A FIFO would be waited for, and a folder cannot be read.
        raise UserError(
            f"{quote(path)} is not a file",
            f"move it away and copy `{folder.name}/example.toml` in its place",
        )
    advice = "copy `slurm/example.toml` and start again"
    try:
        if path.stat().st_size > 2**20:
            raise UserError(f"{quote(path)} is too large for a profile", advice)
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise cannot_read(path, error) from None
    except RecursionError:
        raise UserError(f"{quote(path)} is nested too deep for a profile", advice) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{quote(path)} is not TOML: {error}", "see https://toml.io, and `slurm/example.toml`"
        ) from None


def _no_profile(name: str, folder: Path) -> UserError:
    """Return what to say where there is no such file; a near name is proposed if it would work."""
    known = sorted(path.stem for path in folder.glob("*.toml") if path.is_file())
    copy = f"copy `{folder.name}/example.toml` to `{folder.name}/{name}.toml` and fill in two lines"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    hint = f"did you mean `{near[0]}`?" if near else copy
    return UserError(f"no cluster named {quote(name)}", hint)


def _from_environment() -> dict[str, Any]:
    """Return REPRO_PARTITION, REPRO_TIME and so on: every key that is one plain value."""
    values: dict[str, Any] = {}
    for key in _KEYS - {"name", "setup", "environment", "container", "sbatch"}:
        text = os.environ.get(f"REPRO_{key.upper()}")
        if text and key in _TEXTS:
            values[key] = text
        elif text and text.lower() in _SWITCHES and key in _BOOLEANS:
            values[key] = _SWITCHES[text.lower()]
        elif text:
            values[key] = _number(text)
    return values


_KEYS = frozenset(key.name for key in fields(Profile))
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
_BOOLEANS = {"mps"}
_SWITCHES = {"1": True, "true": True, "0": False, "false": False}


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text) if text.isascii() else text
        except ValueError:
            continue
    return text


def _convert(values: dict[str, Any]) -> Profile:
    import msgspec

    known = [key.name for key in fields(Profile) if key.name != "name"]
    for key in values:
        if key not in _KEYS:
            raise UserError(
                f"no key {quote(key)} in a profile",
                did_you_mean(key, known, "keys: " + ", ".join(known)),
            )
    converted = dict(values)
    if "time" in values:
        converted["time"] = _time(values["time"])
    if "pack" in values:
        converted["pack"] = _pack(values["pack"])
    if isinstance(values.get("container"), str):
        converted["container"] = _words(values["container"])
    try:
        return msgspec.convert(converted, Profile, strict=True)
    except msgspec.ValidationError as error:
        # msgspec wraps what __post_init__ raises; a UserError is no ValueError, so it passes.
        where = str(error).replace("$.", "")
        raise UserError(
            f"wrong type in a profile: {where}", "compare with `slurm/example.toml`"
        ) from None


def _time(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise not_a_time(value)
    return parse_time(value)


def _words(text: str) -> list[str]:
    """Return the words of a command as a shell would."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(
            f"`container` is {quote(text)}: {str(error).lower()}",
            'close each quote, or write a list of words: ["apptainer", "exec", "image.sif"]',
        ) from None


def _pack(value: Any) -> Any:
    """Return a number, also where the command line has it as text, or `auto`."""
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise UserError(f"`pack` is {quote(value)}", f"it is 1 to {MOST_PACKED}, or auto")


def with_sbatch(profile: Profile, options: tuple[str, ...]) -> Profile:
    """Return the profile with more options of sbatch: `key=value` or `key`, dashes allowed."""
    more: dict[str, str | int | bool] = {}
    for option in options:
        key, equals, value = option.removeprefix("--").partition("=")
        if key in more:
            raise UserError(f"sbatch option {quote(key)} is given twice", "give it once")
        more[key] = value if equals else True
    return replace(profile, sbatch=profile.sbatch | more)
