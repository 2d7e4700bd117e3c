"""The code reads one idea a line: what is counted here is what makes a line hard to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from repro.storage.paths import ROOT

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PAGES = sorted(
    path for folder in ("repro", "experiments") for path in (ROOT / folder).rglob("*.py")
)


def nested(tree: ast.AST, kinds: tuple[type[ast.AST], ...]) -> Iterator[int]:
    """Yield the line of each node of these kinds that stands inside another one of them."""
    for outer in ast.walk(tree):
        if isinstance(outer, kinds):
            for inner in ast.walk(outer):
                if inner is not outer and isinstance(inner, kinds):
                    yield inner.lineno  # type: ignore[attr-defined]


def conditional_elements(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each conditional expression in the element of a comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, ast.DictComp):
            elements: list[ast.AST] = [node.key, node.value]
        elif isinstance(node, COMPREHENSIONS):
            elements = [node.elt]  # type: ignore[attr-defined]
        else:
            continue
        for element in elements:
            for inner in ast.walk(element):
                if isinstance(inner, ast.IfExp):
                    yield inner.lineno


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield each statement that holds no other statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


def crowded(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each statement with more than two comprehensions."""
    for statement in statements(tree):
        count = sum(isinstance(node, COMPREHENSIONS) for node in ast.walk(statement))
        if count > 2:
            yield statement.lineno


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def places(path: Path, lines: Iterator[int]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}" for line in sorted(set(lines))]


def test_no_comprehension_stands_inside_another() -> None:
    found = [at for path in PAGES for at in places(path, nested(parsed(path), COMPREHENSIONS))]
    assert found == []


def test_no_conditional_expression_stands_inside_another_or_in_a_comprehensions_element() -> None:
    found = []
    for path in PAGES:
        tree = parsed(path)
        found += places(path, nested(tree, (ast.IfExp,)))
        found += places(path, conditional_elements(tree))
    assert found == []


def test_a_statement_has_at_most_two_comprehensions() -> None:
    found = [at for path in PAGES for at in places(path, crowded(parsed(path)))]
    assert found == []
