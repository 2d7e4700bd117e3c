"""The container recipes: every path and command they name exists, and versions come from the lock."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from repro.cluster.profile import Profile, load_profile
from repro.cluster.submit.sbatch import array_for
from repro.storage.paths import ROOT, Places

FOLDER = ROOT / "slurm" / "container"
DOCKERFILE, DEFINITION = FOLDER / "Dockerfile", FOLDER / "Apptainer.def"
PAGE = ROOT / "docs" / "first-run-on-a-cluster.md"
WHEEL = "dist/repro-0.1.0-py3-none-any.whl"  # what `make wheel` makes; it is not tracked
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def docker(instruction: str) -> list[str]:
    """What stands behind an instruction of the Dockerfile, line by line."""
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE.read_text(), re.MULTILINE)


def section(name: str) -> list[str]:
    """The lines of a section of the definition file, without comments."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", DEFINITION.read_text(), re.M | re.S)
    assert found
    lines = [line.strip() for line in found[1].splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def pip_lines() -> list[str]:
    return [line for line in (*docker("RUN"), *section("post")) if " pip install" in line]


def copied() -> set[str]:
    """What the recipes copy from the checkout."""
    files = {shlex.split(line)[0] for line in docker("COPY")}
    assert files == {shlex.split(line)[0] for line in section("files")}
    return files


def test_what_is_copied_is_there_or_is_made_by_make_wheel() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "\nwheel: install\n" in makefile
    assert "hatchling build -t wheel -d dist\n" in makefile
    [package] = [name for name in copied() if not (ROOT / name).is_file()]
    assert fnmatchcase(WHEEL, package)
    assert PROJECT["version"] in WHEEL
    assert PROJECT["name"] in package


def test_the_builder_gets_what_is_copied_and_nothing_else() -> None:
    rules = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules[1:]} == copied()


def test_what_is_copied_is_what_is_installed_in_the_place_it_is_copied_to() -> None:
    for recipe in (docker("COPY"), section("files")):
        places = [shlex.split(line)[1] for line in recipe]
        assert {place.removesuffix("requirements.lock") for place in places} == {"/opt/repro/"}
    for line in pip_lines():
        for path in re.findall(r"/opt/\S+", line):
            assert f"{'dist/' if path.endswith('.whl') else ''}{Path(path).name}" in copied()


def test_the_packages_are_those_of_the_lock_with_their_digests() -> None:
    lines = pip_lines()
    locked = [line for line in lines if "--require-hashes" in line]
    assert len(lines) == 4
    assert len(locked) == 2
    assert all("--requirement /opt/repro/requirements.lock" in line for line in locked)
    assert all("--no-deps --no-index" in line for line in lines if line not in locked)
    lock = (ROOT / "requirements.lock").read_text()
    names = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    wanted = {re.split(r"[^a-z0-9-]", text)[0] for text in PROJECT["dependencies"]}
    assert wanted <= names
    for recipe in (DOCKERFILE, DEFINITION):  # no version beside the lock's
        assert "==" not in recipe.read_text()


def test_both_begin_with_a_python_that_the_lock_was_made_for_and_no_cuda() -> None:
    [image] = docker("FROM")
    assert f"\nFrom: {image}\n" in DEFINITION.read_text()
    assert image.startswith("python:")
    version = re.match(r"python:(\d+\.\d+)-", image)
    assert version
    assert PROJECT["requires-python"] == f">={version[1]}"
    assert f"--python-version {version[1]} " in (ROOT / "Makefile").read_text()
    assert re.search(r"^nvidia-cudnn", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_the_image_runs_repro_as_nobody_in_particular() -> None:
    *_, user = docker("USER")
    assert any(line.startswith("useradd ") and line.endswith(f" {user}") for line in docker("RUN"))
    assert user not in ("root", "0")
    [entry] = docker("ENTRYPOINT")
    assert entry == f'["{next(iter(PROJECT["scripts"]))}"]'
    assert section("runscript") == ['exec repro "$@"']
    text = DOCKERFILE.read_text()
    assert text.rindex("\nUSER ") > text.rindex("\nRUN ")


def test_no_home_folder_gets_between() -> None:
    assert "PYTHONNOUSERSITE=1" in docker("ENV")[0]
    assert section("environment") == ["export PYTHONNOUSERSITE=1"]


@pytest.mark.parametrize("line", section("test"))
def test_the_commands_that_check_the_image_work_here(line: str) -> None:
    program, *words = shlex.split(line)
    command = {"python": [sys.executable], "repro": [sys.executable, "-m", "repro.cli"]}[program]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [PAGE, DOCKERFILE, DEFINITION], ids=lambda path: path.name)
def test_the_commands_that_build_an_image_name_what_is_there(page: Path) -> None:
    lines = [line.lstrip("# ") for line in page.read_text().splitlines()]
    built = [line for line in lines if re.match(r"(docker|apptainer) build ", line)]
    assert built
    for line in built:
        [recipe] = re.findall(r"slurm/container/\S+", line)
        assert (ROOT / recipe).is_file()
    assert "make wheel" in lines


def test_the_page_s_profile_starts_the_job_in_the_image(tmp_path: Path) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "mine.toml").write_text(text)
    profile = load_profile("mine", tmp_path)
    shared = Path("/shared")
    places = Places(shared / "results", shared / "figures", shared / "data")
    folder = places.results / "jobs" / "repro-table6-01234567"
    script = array_for(folder, 1, places, profile, places.results / "code" / "0").text
    start = "apptainer exec --nv --bind /shared /shared/repro.sif python -u -m repro.cluster.job"
    assert f" {start} {folder}\n" in script


def test_the_example_names_the_two_keys_that_belong_together(tmp_path: Path) -> None:
    example = (ROOT / "slurm" / "example.toml").read_text()
    [line] = [line for line in example.splitlines() if line.startswith("# container")]
    assert 'python = "python"' in line
    (tmp_path / "mine.toml").write_text(line.removeprefix("# "))
    assert load_profile("mine", tmp_path).container[:2] == ("apptainer", "exec")
    assert Profile("mine").container == ()
