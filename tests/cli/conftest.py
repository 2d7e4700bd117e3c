"""What the tests of the commands share: run folders, written in a line."""

from run_folders import diverged, finished, places, write_run

__all__ = ["diverged", "finished", "places", "write_run"]
