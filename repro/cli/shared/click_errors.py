"""Mistakes on the command line, as our own errors: the value in backticks, then what to do.

click's exceptions carry words for people. Ours are subclasses that carry the value and what is
allowed; `Command` raises them, or finds the facts in the fields of click's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from repro.cli.shared.text_table import cut
from repro.errors import EnvironmentProblem, UserError, did_you_mean, quote
from repro.storage.access import how_to_get

TORCH = "`pip install 'torch>=2.11' 'torchvision>=0.26'`"
INSTALL = {
    "torch": TORCH,
    "torchvision": TORCH,
    "PIL": "`pip install pillow`",
    "submitit": "`pip install 'submitit>=1.5.4,<2'`",
}
_AS_NAMED = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn", "jinja2", "msgspec")
for _package in _AS_NAMED:
    INSTALL[_package] = f"`pip install {_package}`"
# Of 1: an option this like another one is a slip for it; `--data` is none for `--again`.
CLOSE = 0.7
# What other trainers call things that have no option here.
DATA_FOLDER = ("--data", "--data-dir", "--dataset")
RESUMING = ("--resume", "--continue", "--restart")


class BadValue(click.BadParameter):
    """A value that an option or argument does not allow."""

    def __init__(
        self,
        value: object,
        allowed: str,
        param: click.Parameter | None = None,
        ctx: click.Context | None = None,
    ) -> None:
        super().__init__(f"{value!r} is not allowed", ctx, param)
        self.value = value
        self.allowed = allowed


class TooManyArguments(click.UsageError):
    """Words that no argument of the command takes."""

    def __init__(self, words: list[str], ctx: click.Context | None = None) -> None:
        super().__init__("too many arguments", ctx)
        self.words = words


class Command(click.Command):
    """A command that names the words it does not take."""

    allow_extra_args = True  # click's own complaint has the words in a sentence only

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise TooManyArguments(rest, ctx)
        return rest


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            # A proposal is only made when it is near: `nosuch` is no slip for `bench`.
            hint = did_you_mean(args[0], known, f"`{ctx.command_path} --help` lists the commands")
            raise UserError(f"no command named {quote(args[0])}", hint)
        return super().resolve_command(ctx, args)


def of_click(error: click.ClickException) -> UserError:
    """Return a complaint about the words that were typed."""
    problem, hint = _problem(error)
    return UserError(problem, hint or _example(getattr(error, "ctx", None)))


def of_system(error: OSError) -> UserError:
    """Return what the system refused, where no part of the code expected it to."""
    problem = str(error.strerror or error)
    if error.filename:
        problem = f"{quote(error.filename, 300)}: {problem}"
    hint = "with `--debug` the same command shows where it happened"
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        path = Path(error.filename)
        hint = how_to_get(os.R_OK, path) or how_to_get(os.W_OK, path.parent) or hint
    return EnvironmentProblem(problem, hint)


def of_import(error: ImportError) -> UserError:
    """Return which package is missing; raise the error again if it is none of the dependencies."""
    package = (error.name or "").split(".")[0]
    # A module of ours that is missing is a mistake in the code, and needs its traceback.
    if package not in INSTALL:
        raise error
    problem = f"{quote(package)} is not installed, and this command needs it"
    return EnvironmentProblem(problem, f"`make install`, or {INSTALL[package]}")


def _problem(error: click.ClickException) -> tuple[str, str]:
    """Return what is wrong, and a hint where there is a better one than the example."""
    if isinstance(error, click.NoSuchOption):
        return f"no option {quote(error.option_name)}", _near_option(error)
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)} is missing", ""
    if isinstance(error, click.BadOptionUsage):
        return _bad_usage(error), ""
    if isinstance(error, BadValue):
        return f"{_name(error)} cannot be {quote(error.value)}", f"it is {error.allowed}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error)}: {_cut(error.message)}", ""
    if isinstance(error, TooManyArguments):
        return f"too many arguments: {quote(' '.join(error.words))}", ""
    return _cut(error.format_message()), ""


def _near_option(error: click.NoSuchOption) -> str:
    # No option is near these words, and what they ask for is there.
    if error.option_name in RESUMING:
        return "what is half done carries on by itself; `--again` begins anew"
    if error.option_name in DATA_FOLDER:
        return "`REPRO_DATA` names the folder of the data sets; `--set dataset=NAME` takes another"
    import difflib

    near = difflib.get_close_matches(error.option_name, error.possibilities or [], 1, CLOSE)
    if near:
        return f"did you mean `{near[0]}`?"
    path = error.ctx.command_path if error.ctx else "repro"
    return f"`{path} --help` lists the options"


def _bad_usage(error: click.BadOptionUsage) -> str:
    """Return whether the option lacks a value, or has one too many."""
    name = quote(error.option_name)
    parameters: list[click.Parameter] = error.ctx.command.params if error.ctx else []
    for parameter in parameters:
        if isinstance(parameter, click.Option) and error.option_name in parameter.opts:
            if parameter.is_flag:
                return f"{name} takes no value"
            if parameter.nargs > 1:
                return f"{name} needs {parameter.nargs} values"
    return f"{name} needs a value"


def _name(error: click.BadParameter) -> str:
    """Return `--seeds` of an option, `EXPERIMENT…` of an argument."""
    parameter: Any = error.param
    if isinstance(parameter, click.Option):
        return f"`{max(parameter.opts, key=len)}`"  # `--lines` and not `-n`
    return f"`{getattr(parameter, 'metavar', None) or 'an argument'}`"


def _cut(message: str, width: int = 160) -> str:
    """Return the message in one printable line without its full stop, cut at its end."""
    for letter in set(message):
        if not letter.isprintable():  # it could drive the terminal
            message = message.replace(letter, " ")
    return cut(message.rstrip("."), width)


def _example(context: click.Context | None) -> str:
    """Return the example of the command's own help."""
    help_text = context.command.help if context else None
    for line in (help_text or "").splitlines():
        _, marker, example = line.partition("For example:")
        if marker and example.strip():
            return f"for example `{example.strip()}`"
    return "`--help` says what there is"
