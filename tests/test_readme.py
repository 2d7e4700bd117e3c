"""What the documents say is true: links lead somewhere, commands exist, readings are those of the recipes."""

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from repro.cli import cli
from repro.folders import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
COMMANDS = sorted(
    {
        found.group(1).strip()
        for path in DOCUMENTS
        for found in re.finditer(r"(?:^|`)(repro (?:[a-z].*?))(?:`|  +#|$)", path.read_text(), re.MULTILINE)
    }
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path):
    targets = re.findall(r"\]\(([^)]+)\)", path.read_text())
    assert not [target for target in targets if not target.startswith("https://") and not (ROOT / target).exists()]


def test_the_readings_are_those_of_the_recipes():
    write = runpy.run_path(str(Path(__file__).parent / "golden" / "write.py"))
    readme = write["README"].read_text()
    assert write["readings"](readme) == readme, "run `python tests/golden/write.py`"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_the_documents_are_understood(line):
    words = shlex.split(line)[1:]
    context = click.Context(cli, info_name="repro")
    name, command, rest = cli.resolve_command(context, words)
    assert command is not None
    command.make_context(name, [word for word in rest if word != "FILE"] or ["--help"], resilient_parsing=True)


def test_there_are_commands_to_test():
    assert len(COMMANDS) > 10
