"""What click and the system complain of, in the words of our own errors: the value in backticks, then what to do."""

from __future__ import annotations

import ast
import re

import click
from click.exceptions import NoSuchCommand

from repro.errors import EnvironmentProblem, UserError, quote

TORCH = "`pip install 'torch>=2.11' 'torchvision>=0.26'`"
NEEDED = {
    "torch": TORCH,
    "torchvision": TORCH,
    "PIL": "`pip install pillow`",
    "submitit": "`pip install submitit==1.5.4`",
}
NEEDED |= {
    name: f"`pip install {name}`"
    for name in ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn")
}
NEEDED |= {name: f"`pip install {name}`" for name in ("jinja2", "msgspec")}
RESUMING = ("--resume", "--continue", "--restart")


def of_click(error: click.ClickException) -> UserError:
    """A complaint about the words that were typed."""
    context = getattr(error, "ctx", None)
    problem, hint = _problem(error)
    return UserError(problem, hint or _example(context))


def of_system(error: OSError) -> UserError:
    """What the system refuses, and no part of the code expected it to."""
    where = f"{quote(error.filename, 300)}: " if error.filename else ""
    return EnvironmentProblem(
        f"{where}{error.strerror or error}",
        "with `--debug` the same command shows where it happened",
    )


def of_import(error: ImportError) -> UserError:
    """A package that this command needs and that is not there."""
    package = (error.name or "").split(".")[0]
    if package not in NEEDED:
        raise error
    return EnvironmentProblem(
        f"{quote(package)} is not installed, and this command needs it",
        f"`make install`, or {NEEDED[package]}",
    )


def _problem(error: click.ClickException) -> tuple[str, str]:
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        near = error.possibilities or []
        if error.option_name in RESUMING:
            return (
                f"no option {quote(error.option_name)}",
                "what is half done carries on by itself; `--again` begins anew",
            )
        return f"no option {quote(error.option_name)}", f"did you mean `{near[0]}`?" if near else ""
    if isinstance(error, NoSuchCommand):
        near = error.possibilities or []
        return (
            f"no command {quote(error.command_name)}",
            f"did you mean `{near[0]}`?" if near else "",
        )
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)} is missing", ""
    if isinstance(error, click.BadOptionUsage):
        return f"{quote(error.option_name)} needs a value" if "requires" in message else _cut(
            message
        ), ""
    if isinstance(error, click.BadParameter):
        return _bad_value(error)
    if extra := re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", message, re.DOTALL):
        return f"too many arguments: {quote(extra[1])}", ""
    return _cut(message), ""


def _bad_value(error: click.BadParameter) -> tuple[str, str]:
    kind = error.param.type if error.param else None
    value = _value(error.message)
    if isinstance(kind, click.IntRange):
        return f"{_name(error)} cannot be {quote(value)}", f"it is {_range(kind)}"
    if isinstance(kind, click.Choice):
        return f"{_name(error)} cannot be {quote(value)}", "it is one of " + ", ".join(
            map(str, kind.choices)
        )
    return f"{_name(error)}: {_cut(error.message)}", ""


def _value(message: str) -> str:
    """The value that click quotes: `'abc' is not a valid integer range.`, `-1 is not in the range 1<=x<=10.`"""
    said = message.split(" is not ")[0]
    try:
        return str(ast.literal_eval(said))
    except (ValueError, SyntaxError):
        return said


def _range(kind: click.IntRange) -> str:
    if kind.min is not None and kind.max is not None:
        return f"a whole number from {kind.min} to {kind.max}"
    return "a whole number" if kind.min is None else f"a whole number, {kind.min} or more"


def _name(error: click.BadParameter) -> str:
    """`--seeds` of an option, `EXPERIMENT…` of an argument."""
    parameter = error.param
    if isinstance(parameter, click.Option):
        return f"`{max(parameter.opts, key=len)}`"
    return f"`{(parameter.metavar if parameter else None) or 'an argument'}`"


def _cut(message: str, width: int = 160) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in message).rstrip(".")
    return text if len(text) <= width else text[: width - 1] + "…"


def _example(context: click.Context | None) -> str:
    """The example of the command's own help."""
    found = re.search(r"For example:\s+(.+)", (context and context.command.help) or "")
    return f"for example `{found[1]}`" if found else "`--help` says what there is"
