"""What a terminal sees, and what a pipe sees instead."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import click
import pytest

from experiments.cifar10 import RESNET
from repro.cli.shared.run_progress import ProgressLines
from repro.cli.shared.text_table import counted, cut
from repro.protocol.catalog import load_scale
from repro.storage.atomic import to_json

RUN = load_scale("smoke")(RESNET[20].run)
COMMAND = [sys.executable, "-m", "repro.cli"]


def on_a_terminal(columns: int, *words: str, **environment: str) -> str:
    """What the command writes on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=known | {"TERM": "xterm"} | environment,
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65_536)
        except OSError:  # the other side is closed
            break
        if not read:
            break
        written += read
    process.wait()
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def piped(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, env=os.environ | environment
    )


def test_on_a_terminal_a_list_fits_and_says_where_it_was_cut():
    lines = on_a_terminal(60, "list").splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert lines[0].startswith("experiment  ")
    assert lines[1].endswith("…")


def test_a_title_has_the_room_of_columns_that_say_less():
    title = "Standard deviations (std) of layer responses on CIFAR-10"
    wide, narrow = on_a_terminal(160, "list"), on_a_terminal(80, "list")
    assert "published" in wide
    assert "missing" in wide
    assert "published" not in narrow
    assert "missing" not in narrow
    assert title[:40] in narrow
    assert title in on_a_terminal(100, "list")


def test_on_a_terminal_what_is_never_reproduced_is_one_sentence():
    text = on_a_terminal(80, "list")
    assert "skipped" not in text
    last = "not reproduced here: table7 to table14 (`repro show table7` says why)"
    assert last in text.splitlines()
    assert "skipped" in on_a_terminal(80, "list", "table7")


def test_on_a_terminal_data_sets_fit_and_their_folder_is_said_once(here):
    lines = on_a_terminal(80, "data", "list").splitlines()
    assert not [line for line in lines[:-1] if "…" in line]
    assert lines[-1] == f"folder: {here.data}"


def test_a_status_of_no_runs_has_no_heading(here):
    lines = on_a_terminal(80, "status").splitlines()
    assert lines[0].startswith("no runs yet")


def test_colours_take_no_room_in_the_diff():
    words = ("diff", "table1", "figure5", "table6", "--scale", "paper")
    painted = on_a_terminal(80, *words)
    assert "\033[" in painted
    assert click.unstyle(painted) == on_a_terminal(80, *words, NO_COLOR="1")


def test_in_a_pipe_a_list_is_whole_with_tabs_between():
    lines = piped("list").stdout.splitlines()
    heading = ["experiment", "done", "published", "left", "state", "what it is"]
    assert lines[0].split("\t") == heading
    assert lines[1].split("\t")[-1].endswith("with 20-layer and 56-layer plain networks")


def test_a_list_of_nothing_done_names_the_scales_that_have_runs(finished):
    finished(RUN, test_error=9.0)
    said = "nothing of scale paper is done; `repro list --scale smoke` shows other runs\n"
    assert piped("list").stderr == said
    assert piped("list", "--scale", "smoke").stderr == ""


def test_colours_are_for_terminals_that_want_them(finished):
    finished(RUN, test_error=9.0)
    assert "\033[32m" in on_a_terminal(80, "status")
    assert "\033" not in on_a_terminal(80, "status", NO_COLOR="1")
    assert "\033" not in on_a_terminal(80, "status", TERM="dumb")
    assert "\033" not in piped("status").stdout


def test_a_letter_that_the_encoding_lacks_is_no_reason_to_fail():
    latin = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [*COMMAND, "show", "table1"], capture_output=True, encoding="latin-1", env=latin
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "(10?)" in done.stdout


def test_an_output_that_cannot_be_written_is_said_once():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "list"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert done.stderr.startswith(
        "Error: cannot write to standard output: No space left on device\n"
    )


@pytest.mark.parametrize(
    ("room", "rest"),
    [
        (120, "30/120  train 12.50 %  test 25.00 %  1.0/s  0:01:30 left"),
        (90, "30/120  train 12.50 %  test 25.00 %  0:01:30 left"),
        (70, "30/120  0:01:30 left"),
        (50, "30/120"),
        (20, "…"),
    ],
)
def test_progress_in_a_narrow_terminal_gives_up_its_pace_first_and_then_its_errors(
    room, rest, places
):
    facts = {
        "iteration": 30,
        "rate_per_second": 1.0,
        "eta_seconds": 90,
        "train_error": 12.5,
        "test_error": 25.0,
    }
    places.run(RUN.id).path.mkdir(parents=True)
    places.run(RUN.id).progress.write_bytes(to_json(facts))
    lines = ProgressLines()
    lines.begin([RUN], [RUN])
    line = lines._line(RUN.id, room)
    assert line.endswith(rest)
    assert len(line) <= room


def test_in_a_log_a_line_about_a_run_comes_when_there_is_something_new(places, monkeypatch, capsys):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    places.run(RUN.id).path.mkdir(parents=True)
    lines = ProgressLines()
    lines.begin([RUN], [RUN])
    told = []
    for seconds, iteration in [(0, 0), (1, 1), (29, 20), (31, 20), (40, 60), (70, 60), (99, 61)]:
        now = 1000.0 + seconds
        facts = to_json({"iteration": iteration})
        places.run(RUN.id).progress.write_bytes(facts)
        lines.look([RUN.id])
        told.append(capsys.readouterr().err.count(f"{RUN.id}  {iteration}/120"))
    # It begins; half a minute has passed; it has moved since, and half a minute has passed again.
    assert told == [1, 0, 0, 1, 0, 1, 0]


def test_counts_and_cuts():
    assert (counted(1, "run"), counted(2, "run"), counted(1200, "run")) == (
        "1 run",
        "2 runs",
        "1,200 runs",
    )
    assert (cut("abcdef", 6), cut("abcdef", 4)) == ("abcdef", "abc…")
