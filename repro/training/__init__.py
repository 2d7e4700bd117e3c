"""Training: called again after it was killed at any moment, it goes on from where it was."""

from repro.stop_request import Stopped, StopRequest
from repro.training.loop import train

__all__ = ["StopRequest", "Stopped", "train"]
