"""What the tests of the commands share: run folders, written in a line."""

from tests.run_folders import diverged, finished, places, write_run

__all__ = ["diverged", "finished", "places", "write_run"]
