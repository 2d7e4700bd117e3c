"""Training: a callable that may be called again. Killed at any moment, it carries on where it was."""

from repro.stop_request import Stopped, StopRequest
from repro.training.loop import train

__all__ = ["StopRequest", "Stopped", "train"]
