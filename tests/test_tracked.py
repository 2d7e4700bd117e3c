"""What needs no training is tracked, and comes out of the commands byte for byte."""

import pytest
from click.testing import CliRunner

from repro.cli import cli
from repro.folders import ROOT, Places


@pytest.mark.parametrize("form", ["txt", "md", "tex", "csv", "json", "html"])
def test_the_tracked_table_1_is_what_the_command_writes(form: str, here: Places) -> None:
    CliRunner().invoke(cli, ["table", "table1", "--scale", "paper"], catch_exceptions=False)
    assert (here.results / f"table1.{form}").read_bytes() == (ROOT / "results" / f"table1.{form}").read_bytes()


@pytest.mark.parametrize("name", ["figure3", "figure5"])
def test_the_tracked_drawings_are_what_the_command_draws(name: str, here: Places) -> None:
    CliRunner().invoke(cli, ["figure", name, "--scale", "paper"], catch_exceptions=False)
    for form in ("svg", "pdf", "png"):
        drawn = (here.figures / f"{name}.{form}").read_bytes()
        assert drawn == (ROOT / "figures" / f"{name}.{form}").read_bytes(), form
