"""Experiments by name, and where a run deviates. The only readers of `experiments/`."""
