"""Training: a callable that may be called again. Killed at any moment, it carries on where it was."""

from repro.stop_request import Stop, Stopped
from repro.training.loop import train

__all__ = ["Stop", "Stopped", "train"]
