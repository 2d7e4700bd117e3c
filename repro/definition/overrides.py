"""`--set KEY=VALUE`: the same run with some fields of its definition set by hand.

A key is a dotted path into the definition (`recipe.warmup.rate`) or the end of one (`warmup.rate`,
`rate`). If several paths have that end, the shortest is meant: `rate` is that of the recipe, not
that of the warm-up. A value is JSON, or else a string. The types are those of the definition, which
also checks the values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from repro.definition.bounds import LARGEST_COUNT
from repro.definition.net import BOTTLENECK_FROM
from repro.definition.run import JSON_KEYS, Run, from_definition, to_definition
from repro.errors import UserError, did_you_mean, quote

NOT_OVERRIDABLE = {
    "seed": "use `--seeds`",
    "scale": "use `--scale`",
    "recipe.name": "a changed recipe is named by itself",
    "net.family": "choose another experiment: its data and recipe belong to its family of nets",
}

SHORT_NAMES = {  # what other people call our fields
    **dict.fromkeys(("lr", "lr0", "base_lr"), "learning_rate"),
    **dict.fromkeys(("wd", "weight_decay", "l2"), "decay"),
    **dict.fromkeys(("bs", "batch_size", "batchsize"), "batch"),
    **dict.fromkeys(("epochs", "steps", "max_iter", "num_iterations"), "iterations"),
    **dict.fromkeys(("milestones", "lr_steps", "schedule"), "drops"),
    **dict.fromkeys(("layers", "num_layers"), "depth"),
    **dict.fromkeys(("data", "data_set"), "dataset"),
    **dict.fromkeys(("amp", "dtype", "fp16"), "precision"),
}
# JSON writes them otherwise.
PYTHONS = {"None": "null", "True": "true", "False": "false", "none": "null"}


def with_overrides(run: Run, settings: Iterable[str]) -> Run:
    """The run with each `KEY=VALUE` applied; its recipe's name shows that it was changed."""
    values = to_definition(run)
    asked: dict[str, Any] = {}
    for setting in settings:
        path, value = _parsed(setting)
        for other in asked:
            if other == path:
                raise UserError(f"`{path}` is set twice", "set it once")
            # A part is set as a whole, or field by field.
            if path.startswith(f"{other}.") or other.startswith(f"{path}."):
                raise UserError(f"`{path}` is set twice", f"`{other}` sets it too")
        asked[path] = value
        _put(values, path.split("."), value)
    values["net"] |= _net_that_fits(values["net"], asked)
    changed = from_definition(values)
    name = changed.recipe.name
    if changed.recipe == run.recipe or name.endswith("-set"):
        return changed
    return replace(changed, recipe=replace(changed.recipe, name=f"{name}-set"))


def _parsed(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise UserError(
            f"{quote(setting)} is not a setting", "write KEY=VALUE, for example `rate=0.05`"
        )
    path = _path(key.strip())
    return path, _typed(path, text.strip())


def _path(key: str) -> str:
    """The full path that the key ends: itself, or the one nearest the top."""
    known = _types()
    key = _json_path(key)
    ends = [path for path in known if f".{path}".endswith(f".{key}")]
    if not ends:
        free = [path for path in known if path not in NOT_OVERRIDABLE]
        if ours := SHORT_NAMES.get(key.removeprefix("recipe.").lower()):
            raise UserError(
                f"there is no setting {quote(key)}", f"did you mean `{ours}`?{_counted(ours)}"
            )
        near = did_you_mean(key, dict.fromkeys([*free, *(path.split(".")[-1] for path in free)]))
        raise UserError(
            f"there is no setting {quote(key)}", near or "there are " + ", ".join(map(quote, free))
        )
    path = key if key in known else min(ends, key=lambda path: path.count("."))
    if path in NOT_OVERRIDABLE:
        raise UserError(f"`{path}` cannot be set", NOT_OVERRIDABLE[path])
    return path


def _json_path(key: str) -> str:
    """Return the key as run.json has it, where the code has another name: `learning_rate`."""
    parent, dot, name = key.rpartition(".")
    return parent + dot + JSON_KEYS.get(name, name)


def _typed(path: str, text: str) -> Any:
    """The text as a value of the type that the spec gives this field."""
    import msgspec

    kind = _types()[path]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    try:
        return msgspec.to_builtins(msgspec.convert(value, kind, strict=True))
    except msgspec.ValidationError:
        raise UserError(
            f"`{path}` cannot be {quote(text)}", f"it is {_described(kind)}{_instead(text, kind)}"
        ) from None


def _counted(ours: str) -> str:
    """A schedule is counted in iterations, which is not what everybody counts."""
    return " (390.6 of them are one epoch of CIFAR-10 at batch 128)" if ours == "iterations" else ""


def _instead(text: str, kind: Any) -> str:
    """How the same value is written here, where it is written otherwise."""
    others = (PYTHONS.get(text), text.replace(",", "."), _digits(text))
    fit = next((other for other in others if other and other != text and _fits(other, kind)), None)
    return f": write {quote(fit)}" if fit else ""


def _fits(text: str, kind: Any) -> bool:
    import msgspec

    try:
        msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, ValueError):
        return False
    return True


def _digits(text: str) -> str | None:
    """1e5 in digits."""
    try:
        number = float(text)
    except ValueError:
        return None
    return str(int(number)) if abs(number) <= LARGEST_COUNT and number.is_integer() else None


@cache
def _types(of: Any = Run) -> dict[str, Any]:
    """Return every path of a definition with its type.

    A part is set field by field; an optional one can be null as a whole.
    """
    types: dict[str, Any] = {}
    for field in fields(of):
        kind = get_type_hints(of)[field.name]
        part: Any = next(
            (option for option in (kind, *get_args(kind)) if is_dataclass(option)), None
        )
        if part is None:
            types[JSON_KEYS.get(field.name, field.name)] = kind
        else:
            types |= {field.name: type(None)} if part is not kind else {}
            types |= {f"{field.name}.{path}": inner for path, inner in _types(part).items()}
    return types


def _described(kind: Any) -> str:
    """What may stand there, in words."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of whole numbers such as [32000,48000]"
    if get_args(kind):
        options = [_described(option) for option in get_args(kind) if option is not type(None)]
        return " or ".join([*options, "null"])
    return {
        float: "a finite number",
        int: "a whole number",
        bool: "true or false",
        str: "text",
    }.get(kind, "null, which takes it away")


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    """Set the value at the path, making the optional part it is in where there is none."""
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _net_that_fits(net: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return what follows from a net's kind, depth and shortcut, unless it was set by hand."""
    if not asked.keys() & {"net.kind", "net.depth", "net.shortcut"}:
        return {}
    bottleneck = net["family"] == "imagenet" and net["depth"] >= BOTTLENECK_FROM
    shortcut = net.get("shortcut") or ("B" if bottleneck else "A")
    if net["kind"] == "plain" and "net.shortcut" not in asked:
        shortcut = None
    follows = {
        "net.shortcut": shortcut,
        "net.stride_in": (net.get("stride_in") or "1x1") if bottleneck else None,
        "net.zeros": (net.get("zeros") or "end") if shortcut == "A" else None,
    }
    return {
        path.removeprefix("net."): value for path, value in follows.items() if path not in asked
    }
