"""Training: a callable that may be called again. Killed at any moment, it carries on where it was."""

from repro.training.loop import train
from repro.training.stop import Stop, Stopped

__all__ = ["Stop", "Stopped", "train"]
