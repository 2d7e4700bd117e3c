"""A digest of the code that can move a number, so that a record says which code made it.

It covers the modules that training imports, found by following their imports, less the few listed
here that only say, stop or store something. It is taken of their syntax trees without docstrings:
a comment, a docstring or another layout changes nothing. The trees are walked by hand, because
`ast.dump` writes them differently in Python 3.13.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from repro.storage.paths import ROOT

TRAINING = "repro.training.loop"  # every way to train a run goes through this module

# Modules that training imports and that cannot move a number. Whoever adds one says why.
CANNOT_MOVE_A_NUMBER = {
    "repro": "empty",
    "repro.provenance": "empty",
    "repro.provenance.checkout": "asks git",
    "repro.provenance.code_digest": "names the code",
    "repro.storage.atomic_folder": "moves folders",
    "repro.errors": "messages and exit codes",
    "repro.storage.paths": "paths",
    "repro.definition.bounds": "refuses what is too large, and changes nothing",
    "repro.storage.pid": "tells one process from another",
    "repro.provenance.processor": "names the processor",
    "repro.stop_request": "stops between two iterations, and the run goes on to the bit",
    "repro.storage.atomic": "writes files whole or not at all",
}

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def code_hash(root: Path = ROOT) -> str:
    """Return the digest of the code that can move a number, in 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tree in sorted(modules(root).items()):
        words = [name]
        _write_words(tree, words)
        digest.update("\0".join([*words, ""]).encode())
    return digest.hexdigest()[:16]


def modules(root: Path = ROOT) -> dict[str, ast.Module]:
    """Return the syntax trees of the modules that can move a number, by the module's name."""
    trees: dict[str, ast.Module] = {}
    waiting = [TRAINING]
    while waiting:
        name = waiting.pop()
        path = _file_of(name, root)
        if name in trees or name in CANNOT_MOVE_A_NUMBER or path is None:
            continue
        trees[name] = ast.parse(path.read_bytes())
        waiting += _imported(trees[name])
        if "." in name:
            waiting.append(name.rpartition(".")[0])  # Python runs the package's `__init__` first
    return trees


def _file_of(name: str, root: Path) -> Path | None:
    """Return the file of a module; None for a name that is no module of ours."""
    if name.partition(".")[0] != "repro":
        return None
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield every name that a module imports anywhere in it, be it a module or something in one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _write_words(node: ast.AST, words: list[str]) -> None:
    """Append the words that stand for a tree: each node's kind, its fields, and its end.

    Empty fields are left out: newer versions of Python add fields that are empty in older code.
    """
    words.append(type(node).__name__)
    for field in node._fields:
        value = getattr(node, field, None)
        if field == "body" and isinstance(node, _DOCUMENTED):
            value = _without_docstring(node.body)
        if value is None and not isinstance(node, ast.Constant):
            continue
        if value == [] or field == "kind":  # the `u` of u"…" means nothing
            continue
        words.append(field)
        _write_words_of_value(value, words)
    words.append("end")


def _write_words_of_value(value: object, words: list[str]) -> None:
    if isinstance(value, ast.AST):
        _write_words(value, words)
    elif isinstance(value, list):
        for item in value:
            _write_words_of_value(item, words)
        words.append("end")
    else:
        words.append(ascii(value))  # `repr` depends on the characters that this Python knows


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return body
    return body[1:] if isinstance(first.value.value, str) else body
