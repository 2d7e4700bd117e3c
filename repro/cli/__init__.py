"""`repro`: one module per verb, imported when that verb is called, so that help and completion feel instant.

This page may import neither torch nor pandas; a verb imports them inside its function.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from repro.cli.click_errors import of_click, of_import, of_system
from repro.cli.environment_checks import check_folders, check_owners, colours, make_output_tolerant
from repro.errors import INTERRUPTED, USAGE, UserError, did_you_mean, quote
from repro.storage.atomic import set_private_umask

VERBS = {
    "list": "Every table and figure of the paper, and how far it is.",
    "show": "What an experiment is: nets, recipe, departures, the paper's numbers.",
    "run": "Train here what an experiment still lacks.",
    "submit": "Send what an experiment still lacks to a SLURM cluster.",
    "status": "Where every run is.",
    "logs": "What a run said.",
    "cancel": "Take runs out of the queue.",
    "collect": "Gather all runs into one table.",
    "table": "A table of the paper, with ours beside it.",
    "figure": "A figure of the paper, drawn from our runs.",
    "diff": "Our numbers and the paper's claims, each with a verdict.",
    "report": "One HTML page with everything.",
    "reproduce": "run, collect, table or figure, and diff, in one go.",
    "publish": "Put the records of finished runs where they are tracked.",
    "evaluate": "Measure any weights by centre crop, ten crops or many scales.",
    "forensics": "Which reading of a test gives a published number.",
    "bench": "Measure this machine against the usual way of doing it.",
    "data": "List, prepare, import and check the data sets.",
    "doctor": "What would fail later, said now.",
    "completion": "The script that completes commands and names in your shell.",
}

WRITING = (
    "run",
    "submit",
    "collect",
    "table",
    "figure",
    "diff",
    "report",
    "reproduce",
    "publish",
    "evaluate",
    "forensics",
    "bench",
)
EVERYWHERE = ("--debug", "--trust-folder")  # may stand anywhere in the line


class Verbs(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*VERBS]  # `list` is a verb here, once it has been imported

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"repro.cli.{name}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], VERBS, "`repro --help` lists the commands")
            raise UserError(f"no command named {quote(args[0])}", hint)
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*VERBS.items()])


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from repro.cli.version import version

        click.echo(version())
        context.exit()


@click.group(
    cls=Verbs, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--trust-folder",
    is_flag=True,
    envvar="REPRO_TRUST_FOLDER",
    help="Write even where others may write too.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show versions.",
)
@click.pass_context
def cli(context: click.Context, debug: bool, trust_folder: bool) -> None:
    """Reproduce Deep Residual Learning for Image Recognition.

    For example:  repro reproduce figure6 --scale smoke
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(USAGE)
    check_folders()
    if context.invoked_subcommand in WRITING and not trust_folder:
        check_owners()


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end with the exit code that scripts rely on."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    debug = "--debug" in words
    words = [word for word in EVERYWHERE if word in words] + [
        word for word in words if word not in EVERYWHERE
    ]
    make_output_tolerant()
    set_private_umask()
    code = 0
    try:
        code = cli.main(words, prog_name="repro", standalone_mode=False, color=colours())
    except UserError as error:
        code = _say(error, debug)
    except NoArgsIsHelpError as error:
        code = USAGE
        click.echo(error.ctx.get_help())
    except click.ClickException as error:
        code = _say(of_click(error), debug)
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
        _say(UserError("interrupted", "the same command carries on where this one stopped"))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away, as `| head` does
    except ImportError as error:
        code = _say(of_import(error), debug)
    except OSError as error:
        code = _say(of_system(error), debug)
    sys.exit(code if isinstance(code, int) else 0)


def _say(error: UserError, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    click.echo(
        f"Error: {error.problem}" + (f"\n\nhint: {error.hint}" if error.hint else ""), err=True
    )
    return error.code


__all__ = ["cli", "main"]
