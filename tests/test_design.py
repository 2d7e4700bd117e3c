"""The design itself: the wings meet only on disk, definitions are light, each part needs its own
tools only.

Which part may import which is written in `pyproject.toml` and checked by `make check`
(import-linter).
"""

import ast
import os
import subprocess
import sys
from importlib import import_module
from shutil import copyfile, copytree, ignore_patterns

import pytest

import repro
from experiments.skipped import EXPERIMENTS
from repro.cli import VERBS
from repro.protocol.catalog import NAMES, REPRODUCED, SKIPPED
from repro.storage.paths import ROOT

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


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, cwd=ROOT
    )


def lint_imports(folder):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    environment = os.environ | {"PYTHONPATH": str(folder), "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def test_the_contracts_between_the_parts_hold_and_notice_when_they_do_not(tmp_path):
    held = lint_imports(ROOT)
    assert held.returncode == 0, held.stdout
    copytree(ROOT / "repro", tmp_path / "repro", ignore=ignore_patterns("__pycache__"))
    copytree(ROOT / "experiments", tmp_path / "experiments", ignore=ignore_patterns("__pycache__"))
    copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    with (tmp_path / "repro" / "training" / "loop.py").open("a") as page:
        page.write("\nimport repro.analysis.compare.verdict\n")
    with (tmp_path / "repro" / "definition" / "net.py").open("a") as page:
        page.write("\nimport repro.storage.paths\n")
    broken = lint_imports(tmp_path)
    assert broken.returncode == 1
    assert (
        "The running wing never imports the analysis wing, nor pandas and plotting BROKEN"
        in broken.stdout
    )
    assert "Definitions import nothing of ours but errors BROKEN" in broken.stdout


def test_importing_repro_loads_nothing_and_naming_its_functions_nothing_heavy():
    code = "import sys, repro; print(*sys.modules)"
    assert not {"click", "msgspec", *HEAVY} & {
        name.split(".")[0] for name in python(code).stdout.split()
    }
    code = (
        "import sys, repro; [getattr(repro, name) for name in repro.__all__]; print(*sys.modules)"
    )
    loaded = {name.split(".")[0] for name in python(code).stdout.split()}
    assert "repro" in loaded
    assert not HEAVY & loaded


def test_every_public_name_is_there_and_is_the_one_that_type_checkers_see():
    page = ast.parse((ROOT / "repro" / "__init__.py").read_text())
    typed = {}
    for node in ast.walk(page):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("repro."):
            typed |= {name.name: node.module for name in node.names}
    assert sorted(typed) == repro.__all__
    for name, module in typed.items():
        assert getattr(repro, name) is getattr(import_module(module), name)
    with pytest.raises(AttributeError, match="has no attribute 'tabel'"):
        repro.tabel  # noqa: B018


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
    modules = {path.stem for path in (ROOT / "repro" / "cli").glob("*.py")}
    assert modules >= {verb.replace("-", "_") for verb in VERBS}


def test_every_experiment_of_the_catalog_has_its_page():
    pages = {path.stem for path in (ROOT / "experiments").glob("*[0-9].py")}
    assert pages - {"cifar10"} == set(REPRODUCED)
    assert set(EXPERIMENTS) == set(SKIPPED) == set(NAMES) - set(REPRODUCED)


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


def test_no_test_outside_tests_gpu_can_reach_a_gpu_for_it_is_hidden_before_torch_is_imported():
    if os.environ.get("REPRO_TEST_GPU") != "1":
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    lines = (ROOT / "Makefile").read_text().splitlines()
    run_tests = [
        line.strip() for line in lines if "-m pytest -" in line or "reliability.long" in line
    ]
    hidden = [line for line in run_tests if line.startswith("CUDA_VISIBLE_DEVICES= ")]
    (seen,) = set(run_tests) - set(hidden) - {"$(BIN)/python -m pytest -q tests/test_style.py"}
    assert seen.startswith("REPRO_TEST_GPU=1 ")
    assert len(hidden) == 4
