"""The kinds of values that options take, with our own words for what is wrong."""

from __future__ import annotations

import re
from typing import Any

import click

from repro.cli.shared.click_errors import BadValue


class WholeNumber(click.IntRange):
    """A whole number in the digits 0 to 9; other alphabets' digits are letters here."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # `int` would take other alphabets' digits, and fail by itself on thousands of them.
        if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,20}", value):
            raise BadValue(value, self._allowed(), param, ctx)
        number = int(value)
        too_small = self.min is not None and number < self.min
        too_large = self.max is not None and number > self.max
        if too_small or too_large:
            raise BadValue(value, self._allowed(), param, ctx)
        return number

    def _allowed(self) -> str:
        if self.min is not None and self.max is not None:
            return f"a whole number from {self.min} to {self.max}"
        if self.min is not None:
            return f"a whole number, {self.min} or more"
        return "a whole number"


class OneOf(click.Choice[str]):
    """One of some words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        # click's own sentence has the words without the value.
        if value not in self.choices:
            raise BadValue(value, f"one of {', '.join(self.choices)}", param, ctx)
        return value
