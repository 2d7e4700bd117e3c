"""What is trained, as a value: a Run is a net, a recipe, a seed and a scale; and the identity of a run.

Equal runs are one run, whichever table asks for it. A run's id is a readable name and a digest of the
whole resolved definition, so a changed default makes a new run and never silently reuses an old one. Where a run runs
(cluster, devices, workers, folders) is no part of it; what can move a number is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any, Self

from repro.definition.bounds import check_name
from repro.definition.net import Net
from repro.definition.recipe import Recipe
from repro.errors import UserError, quote

DIGITS = 10  # of a run's digest

_ID = re.compile(rf".+\.s\d+-[0-9a-f]{{{DIGITS}}}")


@dataclass(frozen=True)
class Run:
    """One training of one net by one recipe from one seed, at one scale."""

    net: Net
    recipe: Recipe
    seed: int = 0
    scale: str = "paper"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed {quote(self.seed)} is out of range", "seeds are 0 to 4294967295")
        check_name(self.scale, "a scale")
        check_name(f"{self._stem}-{'0' * DIGITS}", "a run: the recipe's name is too long")

    @property
    def id(self) -> str:
        return f"{self._stem}-{digest(self)}"

    @property
    def _stem(self) -> str:
        return f"{self.net.name}.{self.recipe.name}.{self.scale}.s{self.seed}"

    def repeated(self, seeds: int) -> Runs:
        return Runs(self, seeds)


@dataclass(frozen=True)
class Runs:
    """The same run from seeds 0, 1, 2, …"""

    run: Run
    seeds: int = field(default=1)

    def __iter__(self) -> Iterator[Run]:
        return (replace(self.run, seed=seed) for seed in range(self.seeds))

    def __len__(self) -> int:
        return self.seeds

    def limited(self, seeds: int | None) -> Self:
        return self if seeds is None else replace(self, seeds=seeds)


def to_definition(run: Run) -> dict[str, Any]:
    """The run as plain JSON values. Unset optional fields are left out, so that adding one keeps every old id."""
    return _without_none(asdict(run))


def digest(run: Run) -> str:
    """Ten hexadecimal digits that differ when anything that can move a number differs: of the definition as JSON."""
    values = {each.name: getattr(run, each.name) for each in fields(run)}
    parts = (
        f'"{name}":{_text(values[name])}' for name in sorted(values) if values[name] is not None
    )
    return hashlib.sha256(f"{{{','.join(parts)}}}".encode()).hexdigest()[:DIGITS]


@cache
def _text(part: Any) -> str:
    """A part of a definition as canonical JSON; hundreds of runs share a few nets and recipes."""
    value = (
        _without_none(asdict(part))
        if is_dataclass(part) and not isinstance(part, type)
        else _plain(part)
    )
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def looks_like_run_id(name: str) -> bool:
    """Return whether a folder of this name claims to be a run's: it ends with a seed and a digest."""
    return _ID.fullmatch(name) is not None


def from_definition(values: dict[str, Any]) -> Run:
    """The run that `definition` describes; a wrong key or type is an error that names its path."""
    import msgspec

    try:
        return _strictly(msgspec.convert(values, Run, strict=True), values)
    except msgspec.ValidationError as error:
        raise UserError(
            f"not the definition of a run: {error}", "was it written by another version?"
        ) from None


def _strictly(run: Run, values: dict[str, Any]) -> Run:
    """Refuse unknown keys, which msgspec passes over: such a definition is of a newer version."""
    import msgspec

    unknown = sorted(_unknown(values, msgspec.to_builtins(run)))
    if unknown:
        raise UserError(
            f"not the definition of a run: unknown {', '.join(map(quote, unknown))}",
            "it was written by a newer version; update this one",
        )
    return run


def _unknown(values: dict[str, Any], known: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths in `values` that `known` does not have."""
    for key, value in values.items():
        if key not in known:
            yield prefix + key
        elif isinstance(value, dict):
            yield from _unknown(value, known[key], f"{prefix}{key}.")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """Nested values likewise; and 1.0 as 1, so that equal runs have equal digests."""
    if isinstance(value, dict):
        return _without_none(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
