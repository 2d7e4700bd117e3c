"""Everything that an iteration changes: what a checkpoint holds, and nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro import distributed
from repro.cost.memory import DEEP
from repro.data.source import Source
from repro.definition.run import Run
from repro.errors import RunFailed
from repro.nets import build
from repro.nets.batch_norm import set_batch_counts
from repro.training.device import fingerprint, memory_format
from repro.training.first_below import FirstBelow
from repro.training.gpu_usage import GpuUsage
from repro.training.optimizer import sgd
from repro.training.schedule import PlateauDrops, WarmUp
from repro.training.window import Window


class State:
    """A net in training: weights, momentum, warm-up, and the sums of the curve's next point."""

    def __init__(self, run: Run, source: Source, device: torch.device) -> None:
        recipe = run.recipe
        net = build(
            run.net,
            seed=run.seed,
            batch_norm_group=recipe.batch_norm_group,
            recompute=run.net.depth > DEEP,
        )
        self.run = run
        self.data = source.hash
        self.device = device
        self.net = net.lay_out(device, memory_format(device, recipe.precision)).train()
        self.optimizer = sgd(self.net, recipe)
        self.warm_up = WarmUp(recipe.warmup)
        self.plateau = PlateauDrops(recipe.plateau)
        self.below = FirstBelow(recipe.batch, device)
        self.window = Window(device)
        self.usage = GpuUsage.of(device)
        self.iteration = 0  # iterations done
        self._counted = 0  # the iteration that the batch norms' counters were last set to
        self.metrics_size = 0  # bytes of metrics.jsonl that belong to them
        self.seconds = 0.0  # spent by earlier attempts
        self.latest: dict[str, float] = {}  # the newest point of the curve, for display
        # More than one: the bits are not those that either machine alone would give.
        self.machines = [fingerprint(device)]

    def saw(self, loss: Tensor, wrong: Tensor, images: int) -> None:
        """Count the iteration that was just done."""
        self.window.add(self.iteration, loss, wrong, images)
        if self.device.type == "cpu":
            # On a GPU this would wait for the step; there it is done when the window closes.
            self.window.check()
        self.below.saw(self.iteration, wrong)
        if self.warm_up.warming:
            wrong_of_all = float(distributed.total(wrong.clone()))
            self.warm_up.saw(self.iteration, wrong_of_all * 100 / self.run.recipe.batch)
        self.iteration += 1

    def close_window(self) -> dict[str, float]:
        """Return the running training error and loss since the last point of the curve."""
        self.window.check()
        self.below.look(self.iteration)
        point = self.window.close()
        # A warm-up's low rate is none to drop from, and after the last iteration none is used.
        if not self.warm_up.warming and self.iteration < self.run.recipe.iterations:
            self.plateau.saw(self.iteration, point["train_error"])
        return point

    def events(self) -> dict[str, int]:
        """Return at which iterations something happened that was not known before.

        They are metrics of the final record.
        """
        return self.warm_up.facts() | self.plateau.facts() | self.below.facts()

    def facts(self) -> dict[str, Any]:
        """Return what `status` shows of it."""
        errors = {key: self.latest.get(key) for key in ("train_error", "test_error")}
        return errors | {"warmup_switch": self.warm_up.switch} | self.events()

    def snapshot(self, seconds: float) -> dict[str, Any]:
        """Return what a checkpoint holds; no checkpoint is made after a loss that is not finite."""
        self.window.check()
        self.below.look(self.iteration)
        self._count_batches()
        snapshot = {
            "iteration": self.iteration,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "warm_up": self.warm_up.state(),
            "plateau": self.plateau.state(),
            "below": self.below.state(),
            "window": self.window.state(),
            "latest": self.latest,
            "metrics_size": self.metrics_size,
            "data": self.data,
            "threads": torch.get_num_threads(),
            "seconds": seconds,
            "machines": self.machines,
        }
        if self.usage is not None:
            snapshot["usage"] = self.usage.state()
        return snapshot

    def restore(self, snapshot: dict[str, Any] | None) -> None:
        """Go on from a checkpoint, if there is one and the data set is still the same.

        Keys that older checkpoints lack have a default here.
        """
        if snapshot is None:
            return
        self._check_data(snapshot["data"])
        # Another number of threads would round differently.
        torch.set_num_threads(snapshot["threads"])
        self.net.load_state_dict(snapshot["net"])
        self._load_optimizer(snapshot["optimizer"])
        self.warm_up.restore(snapshot["warm_up"])
        if "plateau" in snapshot:  # older checkpoints are of runs without one
            self.plateau.restore(snapshot["plateau"])
        self.below.restore(snapshot.get("below"))
        self.window.restore(snapshot["window"])
        self.iteration = self._counted = snapshot["iteration"]
        self.metrics_size = snapshot["metrics_size"]
        self.seconds = snapshot["seconds"]
        self.latest = snapshot["latest"]
        if self.usage is not None:
            self.usage.restore(snapshot.get("usage"))
        earlier = snapshot.get("machines", [])
        self.machines = list(dict.fromkeys([*earlier, fingerprint(self.device)]))

    def _load_optimizer(self, state: dict[str, Any]) -> None:
        """Load the momentum into the memory layout of the weights, which may be another one now.

        The fused optimizer pairs numbers by their place in memory.
        """
        self.optimizer.load_state_dict(state)
        for weight, own in self.optimizer.state.items():
            momentum = own["momentum_buffer"]
            own["momentum_buffer"] = torch.empty_like(weight).copy_(momentum)

    def _count_batches(self) -> None:
        """Set the batch norms' counters; averages re-estimated after training keep their own."""
        if self._counted != self.iteration:
            set_batch_counts(self.net, self.iteration)
            self._counted = self.iteration

    def _check_data(self, data: str) -> None:
        if data != self.data:
            raise RunFailed(
                f"the data set of {self.run.id} has changed since its checkpoint: "
                f"`{data[:12]}…` then, `{self.data[:12]}…` now",
                "bring the old data back, or start the run again with `--again`",
            )
