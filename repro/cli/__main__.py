"""`python -m repro.cli`: the same command, where the script is not on the path."""

from repro.cli import main

main()
