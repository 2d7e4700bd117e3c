"""`repro completion SHELL`: the script that completes commands, experiments and scales."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from repro.cli.shared.click_errors import Command
from repro.cli.shared.param_types import OneOf
from repro.errors import UserError


@click.command(cls=Command)
@click.argument("shell", type=OneOf(["bash", "zsh", "fish"]), metavar="SHELL")
def command(shell: str) -> None:
    """Print the completion script of a SHELL: bash, zsh or fish.

    For example:  eval "$(repro completion bash)"
    """
    from repro.cli import cli

    kind = get_completion_class(shell)
    if kind is None:  # a click that no longer knows one of the three
        raise UserError(f"no completion for `{shell}`", "use bash, zsh or fish")
    try:
        click.echo(kind(cli, {}, "repro", "_REPRO_COMPLETE").source())
    except RuntimeError as error:  # click asks bash for its version
        raise UserError(
            f"cannot make the completion script: {error}", "bash must be 4.4 or newer"
        ) from None
