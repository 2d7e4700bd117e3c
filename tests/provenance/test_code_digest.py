"""The digest of the code that can move a number: what changes it, and what does not."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10, IMAGENET
from repro.definition.net import resnet
from repro.definition.run import Run, to_definition
from repro.protocol import catalog
from repro.provenance.code_digest import CANNOT_MOVE_A_NUMBER, code_hash, modules
from repro.storage.paths import ROOT
from repro.training.device import fingerprint


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code, to be edited."""
    root = tmp_path / "code"
    caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "repro", root / "repro", ignore=caches)
    return root


def digest(root: Path) -> str:
    """The digest as a new process would take it."""
    code_hash.cache_clear()
    return code_hash(root)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


COMPUTING = (
    "training/captured_step.py",
    "training/schedule.py",
    "nets/batch_norm.py",
    "data/small/source.py",
    "evaluation/crops.py",
    "definition/net.py",
    "definition/recipe.py",
    "distributed.py",
)


@pytest.mark.parametrize("path", COMPUTING)
def test_one_more_statement_on_the_way_of_a_number_is_other_code(path: str, copy: Path) -> None:
    before = digest(copy)
    with (copy / "repro" / path).open("a") as file:
        file.write("ONE_MORE = 1\n")
    assert digest(copy) != before


def test_another_constant_or_operator_is_other_code(copy: Path) -> None:
    step, seen = copy / "repro" / "training" / "schedule.py", {digest(copy)}
    step.write_text(step.read_text() + "X = 0.1 * 2\n")
    for old, new in (("0.1 * 2", "0.1 + 2"), ("0.1 + 2", "0.2 + 2"), ("0.2 + 2", "'0.2' + 2")):
        seen.add(digest(copy))
        edit(step, old, new)
    assert len(seen | {digest(copy)}) == 5


def test_a_comment_a_docstring_and_another_layout_change_nothing(copy: Path) -> None:
    before = digest(copy)
    schedule = copy / "repro" / "training" / "schedule.py"
    tree = ast.parse(schedule.read_text())
    assert ast.get_docstring(tree)
    tree.body[0] = ast.Expr(ast.Constant("Another first line."))
    schedule.write_text(ast.unparse(tree) + "\n# One more comment.\n")
    assert digest(copy) == before


def test_a_docstring_of_a_function_or_a_class_changes_nothing(copy: Path) -> None:
    schedule = copy / "repro" / "training" / "schedule.py"
    code = "class A:\n    {}\n    def f(self):\n        {}\n        return 1\n"
    texts = [
        code.format('"""One."""', "'Two.'"),
        code.format('"""Three."""', "'Four.'"),
        code.format("", ""),
    ]
    original, seen = schedule.read_text(), set()
    for text in texts:
        schedule.write_text(original + text)
        seen.add(digest(copy))
    assert len(seen) == 1


SENDING = (
    "cli/run.py",
    "analysis/figures/style.py",
    "cluster/job/__main__.py",
    "bench/suites.py",
    "storage/atomic.py",
)


@pytest.mark.parametrize("path", SENDING)
def test_code_that_sends_stores_or_reads_runs_moves_no_number(path: str, copy: Path) -> None:
    before = digest(copy)
    with (copy / "repro" / path).open("a") as file:
        file.write("ONE_MORE = 1\n")
    assert digest(copy) == before


def test_the_digest_does_not_depend_on_fields_that_a_newer_python_adds(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(copy)
    for node in (ast.FunctionDef, ast.ClassDef):  # as 3.12 and 3.13 do with `type_params`
        fields = tuple(field for field in node._fields if field != "type_params")
        monkeypatch.setattr(node, "_fields", (*fields, "type_params", "of_the_future"))
        monkeypatch.setattr(node, "type_params", [], raising=False)
    assert digest(copy) == before


def test_a_word_that_only_some_pythons_can_print_is_digested_alike_in_all(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = copy / "repro" / "training" / "schedule.py"
    shaking_face = chr(0x1FAE8)  # of Unicode 15, which Python 3.11 does not know
    schedule.write_text(schedule.read_text() + f"NEW = '{shaking_face}'\n")
    before = digest(copy)
    edit(schedule, shaking_face, chr(92) + "U0001fae8")
    assert digest(copy) == before


DOORS = (
    "repro.training.worker",
    "repro.cluster.job",
    "repro.cluster.job.several_runs",
)  # the ways to train
STARTS_IT = (
    "repro.cluster",
    "repro.local",
    "repro.training.worker",
)  # and what is theirs alone
TRAIN = """
import importlib, json, sys
for door in {doors}:
    importlib.import_module(door)
from repro.storage.paths import places
from repro.definition.run import from_definition
from repro.training import train
for definition in json.load(sys.stdin):
    train(from_definition(definition), places())
print(*sys.modules)
"""


def loaded_by_training(runs: list[Run]) -> set[str]:
    """The modules of ours that a process has loaded once it has trained these runs."""
    command = [sys.executable, "-c", TRAIN.format(doors=DOORS)]
    given = json.dumps([to_definition(run) for run in runs])
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return {name for name in done.stdout.split() if name.partition(".")[0] == "repro"}


def test_every_module_that_training_loads_is_digested_or_listed_with_a_reason() -> None:
    smoke = catalog.load_scale("smoke")
    runs = [
        smoke(Run(resnet(8), CIFAR10, seed=0)),
        smoke(Run(resnet(18, "B", "imagenet"), IMAGENET, seed=0)),
    ]
    loaded = {name for name in loaded_by_training(runs) if not name.startswith(STARTS_IT)}
    assert {"repro.nets.exact_batch_norm", "repro.evaluation.crops"} <= loaded
    assert loaded <= set(modules()) | set(CANNOT_MOVE_A_NUMBER)


def test_every_module_listed_as_harmless_exists_and_is_not_digested() -> None:
    for name in CANNOT_MOVE_A_NUMBER:
        base = ROOT.joinpath(*name.split("."))
        assert base.with_suffix(".py").exists() or (base / "__init__.py").exists()
    assert not set(modules()) & set(CANNOT_MOVE_A_NUMBER)


def test_a_record_names_this_digest() -> None:
    import torch

    assert fingerprint(torch.device("cpu")).endswith(f", code {digest(ROOT)}")
