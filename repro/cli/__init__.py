"""`repro`: one module per verb, imported when that verb is called, so that help and completion feel
instant.

This page may import neither torch nor pandas; a verb imports them inside its function.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from repro.cli.shared import streams
from repro.cli.shared.click_errors import Group, of_click, of_import, of_system
from repro.cli.shared.environment_checks import check_folders, check_owners
from repro.errors import FINE, INTERRUPTED, USAGE, UserError
from repro.storage.atomic import set_private_umask
from repro.storage.paths import places

SECTIONS = {
    "See what there is": ("list", "show", "plan", "status", "logs", "config", "doctor"),
    "Train": ("run", "submit", "cancel", "reproduce", "data"),
    "Compare with the paper": ("collect", "table", "figure", "diff", "report"),
    "Share": ("publish", "check-record", "export"),
    "Measure": ("evaluate", "forensics", "bench"),
    "Set up": ("init", "completion"),
}
VERBS = {
    "list": "List every table and figure of the paper, and what is done of it.",
    "show": "Show an experiment: nets, recipe, departures, the paper's numbers.",
    "run": "Train on this machine the runs that an experiment still needs.",
    "plan": "Find the runs that decide the most within a budget of GPU-hours.",
    "submit": "Send the runs that an experiment still needs to a SLURM cluster.",
    "status": "Show the state of every run.",
    "logs": "Print the log of a run.",
    "cancel": "Cancel runs that wait or train on a cluster.",
    "collect": "Gather all runs into one table.",
    "table": "Print a table of the paper, with our numbers beside it.",
    "figure": "Draw a figure of the paper from our runs.",
    "diff": "Compare our numbers with the paper's: a verdict on each number and claim.",
    "report": "Write one HTML page with everything.",
    "reproduce": "Do run, collect, table or figure, and diff in one go.",
    "export": "Write what runs measured for other tools: CSV, TensorBoard, RO-Crate.",
    "publish": "Copy the records of finished runs to the folder that git tracks.",
    "check-record": "Check records that a lab offers, before a pull request.",
    "evaluate": "Measure any weights with one crop, ten crops or many scales.",
    "forensics": "Find which reading of a test gives a published number.",
    "bench": "Compare the speed of repro and of the usual code on this machine.",
    "data": "List, prepare, import and check the data sets.",
    "config": "Show every setting, and where it comes from.",
    "init": "Prepare a folder to work in: an example profile, the published records.",
    "doctor": "Check for problems before you queue or train.",
    "completion": "Print a script that completes commands and names in your shell.",
}

# Which folders must be our own for a command that always writes what it has read there. One that
# may only read looks for itself.
WRITING = {
    "run": ("results", "runs"),
    "collect": ("results", "runs"),
    "table": ("results", "runs"),
    "figure": ("figures",),
    "report": ("results", "runs"),
    "reproduce": ("results", "runs", "figures"),
    "forensics": ("results",),
}
ANYWHERE = ("--debug", "--trust-folder")  # may stand anywhere in the line

TRUST = "Write even where others may write too."
COLOUR = click.Choice(streams.COLOURS)
COLOURS = "Colours: on a terminal (auto), always or never."
# Answered before anything else of the line is looked at.
AT_ONCE: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False}


class Interrupted(Exception):
    """Ctrl-C, SIGTERM or SIGHUP; click would write to a terminal that may be gone."""


class ReaderGone(Exception):
    """Whoever read our output went away, as `| head` does; click would end with exit code 1."""


class Verbs(Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*VERBS]  # `list` is a verb here, once it has been imported

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = name.replace("-", "_")
        command: click.Command = import_module(f"repro.cli.{module}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                # From here and not from the commands, which would all be imported for it.
                formatter.write_dl([(name, VERBS[name]) for name in names])

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _ends_of_our_own():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        with _ends_of_our_own():
            return super().invoke(context)


@contextmanager
def _ends_of_our_own() -> Iterator[None]:
    """Keep from click's own treatment what `main` treats."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted from None
    except BrokenPipeError:
        raise ReaderGone from None


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:  # the shell is only completing a word
        from repro.cli.shared.version import version

        click.echo(version())
        context.exit()


@click.group(
    cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--trust-folder", is_flag=True, envvar="REPRO_TRUST_FOLDER", help=TRUST)
@click.option("--color", type=COLOUR, default="auto", expose_value=False, help=COLOURS)
@click.option("--version", help="Show versions.", callback=_version, **AT_ONCE)
@click.pass_context
def cli(context: click.Context, debug: bool, trust_folder: bool) -> None:
    """Reproduce Deep Residual Learning for Image Recognition.

    For example:  repro reproduce figure6 --scale smoke
    """
    # Help that nobody asked for is the answer to a mistake; `--help` ends with 0.
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(USAGE)
    # Before the checks, which are the first that ask.
    if trust_folder:
        _trust_folders(context)
    check_folders()
    here = places()
    for name in WRITING.get(context.invoked_subcommand, ()):
        check_owners(getattr(here, name))


def _trust_folders(context: click.Context) -> None:
    """Let whatever asks during this command, in whichever process, know of `--trust-folder`."""
    # Workers inherit the environment. A notebook or a test may call several commands: what one of
    # them was allowed must not hold for the next.
    before = os.environ.get("REPRO_TRUST_FOLDER")
    os.environ["REPRO_TRUST_FOLDER"] = "1"

    @context.call_on_close
    def restore() -> None:
        if before is None:
            del os.environ["REPRO_TRUST_FOLDER"]
        else:
            os.environ["REPRO_TRUST_FOLDER"] = before


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end with the exit code that scripts rely on."""
    streams.open_closed_streams()  # before anything opens a file
    streams.make_output_tolerant()
    set_private_umask()
    words = _common_options_first(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    code = FINE
    try:
        colour = streams.wanted_colour(words)
        code = cli.main(words, prog_name="repro", standalone_mode=False, color=colour)
        sys.stdout.flush()  # here, where a full disk is still an error of ours
    except UserError as error:
        code = _print_error(error, debug)
    except NoArgsIsHelpError as error:
        code = USAGE
        click.echo(error.ctx.get_help())
    except click.ClickException as error:
        code = _print_error(of_click(error), debug)
    except (click.Abort, Interrupted, KeyboardInterrupt):
        code = INTERRUPTED
        hint = "the same command carries on where this one stopped"
        _print_error(UserError("interrupted", hint))
    except (ReaderGone, BrokenPipeError):
        code = streams.READER_GONE
        streams.discard_output()  # Python would write the rest at its end, and fail
    except ImportError as error:
        code = _print_error(of_import(error), debug)
    except OSError as error:
        code = _print_error(streams.of_stream(error) or of_system(error), debug)
        streams.discard_output()
    # A command that returns nothing ended well.
    sys.exit(code if isinstance(code, int) else FINE)


def _common_options_first(words: list[str]) -> list[str]:
    """Return the words with those options first that may stand anywhere in the line.

    click takes an option of the group before the command's name only.
    """
    first: list[str] = []
    rest: list[str] = []
    following = iter(words)
    for word in following:
        if word in ANYWHERE or word.startswith("--color="):
            first.append(word)
        elif word == "--color":
            first += [word, next(following, "")]  # click says what is wrong with an empty value
        else:
            rest.append(word)
    return first + rest


def _print_error(error: UserError, debug: bool = False) -> int:
    if debug:  # first the details, so that the sentence is the last on the screen
        import traceback

        traceback.print_exc()
    text = f"Error: {error.problem}"
    if error.hint:
        text += f"\n\nhint: {error.hint}"
    with suppress(OSError, ValueError):  # the terminal may be gone
        click.echo(text, err=True)
    return error.code


__all__ = ["cli", "main"]
