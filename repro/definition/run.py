"""What is trained, as a value: a run is a net, a recipe, a seed and a scale; and its identity.

Equal runs are one run, whichever table asks for it. A run's id is a readable name and a digest of
the whole resolved definition, so a changed default makes a new run and never silently reuses an old
one. Where a run runs (cluster, devices, workers, folders) is no part of it; what can move a number
is.
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

# The recipe's fields that run.json and ids know by an older key.
JSON_KEYS = {"learning_rate": "rate"}

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
    """Return the run as JSON values. Unset fields are left out: adding one keeps old ids."""
    return _without_none(asdict(run))


def digest(run: Run) -> str:
    """Return ten hexadecimal digits of the definition: they differ if anything in it differs."""
    values = {each.name: getattr(run, each.name) for each in fields(run)}
    parts = (
        f'"{name}":{_text(values[name])}' for name in sorted(values) if values[name] is not None
    )
    return hashlib.sha256(f"{{{','.join(parts)}}}".encode()).hexdigest()[:DIGITS]


@cache
def _text(part: Any) -> str:
    """Return a part of a definition as canonical JSON; runs share a few nets and recipes."""
    value = _plain(part)
    if is_dataclass(part) and not isinstance(part, type):
        value = _without_none(asdict(part))
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def looks_like_run_id(name: str) -> bool:
    """Return whether a folder of this name claims to be a run's, by its seed and digest."""
    return _ID.fullmatch(name) is not None


def from_definition(values: dict[str, Any]) -> Run:
    """Return the run that `values` describe; an error names the path of a wrong key or type."""
    import msgspec

    try:
        run = msgspec.convert(_with_field_names(values), Run, strict=True)
    except msgspec.ValidationError as error:
        reason = str(error)
        for name, key in JSON_KEYS.items():
            reason = reason.replace(name, key)
        raise UserError(
            f"not the definition of a run: {reason}", "was it written by another version?"
        ) from None
    # msgspec passes over unknown keys of a dataclass.
    known = msgspec.to_builtins(run)
    known["recipe"] = {JSON_KEYS.get(key, key): value for key, value in known["recipe"].items()}
    unknown = sorted(_unknown(values, known))
    if unknown:
        raise UserError(
            f"not the definition of a run: unknown {', '.join(map(quote, unknown))}",
            "it was written by a newer version; update this one",
        )
    return run


def _with_field_names(values: Any) -> Any:
    """Return the definition with the recipe's fields called as in the code."""
    recipe = values.get("recipe") if isinstance(values, dict) else None
    if not isinstance(recipe, dict):
        return values
    names = {key: name for name, key in JSON_KEYS.items()}
    return values | {"recipe": {names.get(key, key): value for key, value in recipe.items()}}


def _unknown(values: dict[str, Any], known: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the paths in `values` that `known` does not have."""
    for key, value in values.items():
        if key not in known:
            yield prefix + key
        elif isinstance(value, dict):
            yield from _unknown(value, known[key], f"{prefix}{key}.")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        JSON_KEYS.get(key, key): _plain(value) for key, value in values.items() if value is not None
    }


def _plain(value: Any) -> Any:
    """Nested values likewise; and 1.0 as 1, so that equal runs have equal digests."""
    if isinstance(value, dict):
        return _without_none(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
