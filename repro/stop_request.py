"""Asking a run to stop. A signal handler only raises a flag; the loop saves between iterations."""

from __future__ import annotations

import os
import signal
from types import FrameType


class Stopped(Exception):
    """Training stopped where it was asked to, with everything saved."""

    def __init__(self, reason: str, iteration: int) -> None:
        super().__init__(f"stopped by {reason} at iteration {iteration}")
        self.reason = reason
        self.iteration = iteration


class StopRequest:
    """A flag that a signal handler may raise; the first reason is kept."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        self.reason = self.reason or reason

    def install(self, *signals: signal.Signals) -> StopRequest:
        """Raise the flag at these signals, in this process only.

        A forked child inherits the handler; it is told from its parent by its process id.
        """
        owner = os.getpid()

        def handler(number: int, frame: FrameType | None) -> None:
            if os.getpid() == owner:
                self.request(signal.Signals(number).name)

        for number in signals:
            signal.signal(number, handler)
        return self
