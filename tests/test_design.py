"""The design itself: the wings meet only on disk, definitions are light, each part needs its own tools only."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.cli import VERBS
from repro.protocol.catalog import NAMES
from repro.storage.paths import ROOT

RUNNING = ("nets", "data", "training", "evaluation", "cluster")
READING = ("analysis",)
HEAVY = {
    "torch",
    "torchvision",
    "pandas",
    "pyarrow",
    "matplotlib",
    "seaborn",
    "scipy",
    "submitit",
    "jinja2",
}
PLOTTING = {"pandas", "matplotlib", "seaborn"}
TABLES = {"pyarrow"}  # data sets come as parquet files, too; loaded only to read one


def imports(path: Path) -> set[str]:
    """Every module a file imports anywhere in it, dotted."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def at_the_top(path: Path) -> set[str]:
    """The packages a file imports when it is imported itself."""
    nodes = [
        n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)
    ]
    names = [name.name for n in nodes if isinstance(n, ast.Import) for name in n.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module]
    return {name.split(".")[0] for name in names}


def pages(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / "repro" / folder).rglob("*.py"))


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, cwd=ROOT
    )


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_the_running_wing_never_imports_the_reading_wing_or_its_tools():
    for path in pages(*RUNNING):
        names = imports(path)
        assert not [name for name in names if name.startswith("repro.analysis")], path
        assert not packages(names) & PLOTTING, path
        assert not at_the_top(path) & TABLES, path


def test_the_reading_wing_never_imports_the_running_wing_or_torch():
    wings = tuple(f"repro.{wing}" for wing in RUNNING)
    for path in pages(*READING):
        names = imports(path)
        assert not [name for name in names if name.startswith(wings)], path
        assert not packages(names) & {"torch", "torchvision", "submitit"}, path


def test_the_ground_floor_and_the_command_line_import_nothing_heavy():
    for path in [*(ROOT / "repro").glob("*.py"), *pages("cli")]:
        if path.name != "distributed.py":  # which belongs to the running wing
            assert not at_the_top(path) & HEAVY, path


def test_an_experiment_page_loads_nothing_heavy():
    loaded = python("import sys, experiments.table6; print(*sys.modules)").stdout.split()
    assert not HEAVY & {name.split(".")[0] for name in loaded}


@pytest.mark.parametrize(
    "words", ["--help", "list", "show table6", "completion bash", "run --help", "diff --help"]
)
def test_words_that_should_feel_instant_load_nothing_heavy(words):
    code = f"import sys; from repro.cli import cli; cli({words.split()}, standalone_mode=False); "
    code += "print(*sys.modules, file=sys.stderr)"
    loaded = {name.split(".")[0] for name in python(code).stderr.split()}
    assert "click" in loaded
    assert not HEAVY & loaded


def test_every_verb_of_the_help_has_its_module():
    assert {path.stem for path in (ROOT / "repro" / "cli").glob("*.py")} >= set(VERBS)


def test_every_experiment_of_the_catalog_has_its_page():
    assert {path.stem for path in (ROOT / "experiments").glob("*[0-9].py")} >= set(NAMES)


WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names})); "


def test_the_reading_wing_works_where_torch_is_not_installed(here):
    code = WITHOUT.format(names=["torch", "torchvision", "submitit"])
    code += "from repro.cli import main; main(['table', 'table6', '--scale', 'smoke', '--json'])"
    done = python(code)
    assert done.returncode in (0, 3), done.stderr


def test_the_running_wing_works_where_the_reading_tools_are_not_installed(here):
    code = WITHOUT.format(
        names=["pandas", "pyarrow", "matplotlib", "seaborn", "submitit", "jinja2"]
    )
    code += "from repro.cli import main; "
    code += "main(['run', 'table6', '--scale', 'smoke', '--only', 'resnet-20', '--seeds', '1', '--set', 'iterations=4',"
    code += " '--set', 'drops=[2]'])"
    done = python(code)
    assert done.returncode == 0, done.stderr
