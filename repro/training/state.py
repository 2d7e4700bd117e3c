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
from repro.training.first_below import FirstBelow
from repro.training.machine import machine
from repro.training.schedule import PlateauDrops, WarmUp
from repro.training.step import Window, sgd


class State:
    """A net in training: weights, momentum, warm-up, and the sums since the last point of its curve."""

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
        self.net = net.to(device, memory_format=torch.channels_last).train()
        self.optimizer = sgd(self.net, recipe)
        self.warm_up = WarmUp(recipe.warmup)
        self.plateau = PlateauDrops(recipe.plateau)
        self.below = FirstBelow(recipe.batch, device)
        self.window = Window(device)
        self.iteration = 0  # iterations done
        self.metrics_size = 0  # bytes of metrics.jsonl that belong to them
        self.seconds = 0.0  # spent by earlier attempts
        self.latest: dict[str, float] = {}  # the newest point of the curve, for display
        self.machines = [
            machine(device)
        ]  # more than one: not bit for bit what either alone would give

    def saw(self, loss: Tensor, wrong: Tensor, images: int) -> None:
        """Count the iteration that was just done."""
        self.window.add(self.iteration, loss, wrong, images)
        if self.device.type == "cpu":
            self.window.check()  # on a GPU this would wait for the step; there it is done when the window closes
        self.below.saw(self.iteration, wrong)
        if self.warm_up.warming:
            errors = float(distributed.total(wrong.clone())) * 100 / self.run.recipe.batch
            self.warm_up.saw(self.iteration, errors)
        self.iteration += 1

    def close_window(self) -> dict[str, float]:
        self.window.check()
        self.below.look(self.iteration)
        point = self.window.close()
        # A warm-up's low rate is none to drop from, and after the last iteration none is used.
        if not self.warm_up.warming and self.iteration < self.run.recipe.iterations:
            self.plateau.saw(self.iteration, point["train_error"])
        return point

    def events(self) -> dict[str, Any]:
        """Return at which iterations something happened that was not known before: what the final record gives."""
        return self.warm_up.facts() | self.plateau.facts() | self.below.facts()

    def facts(self) -> dict[str, Any]:
        """What `status` shows of it."""
        shown = {key: self.latest.get(key) for key in ("train_error", "test_error")}
        return shown | {"warmup_switch": self.warm_up.switch} | self.events()

    def snapshot(self, seconds: float) -> dict[str, Any]:
        """What a checkpoint holds. A loss that is not finite is found first, so none is ever saved behind it."""
        self.window.check()
        self.below.look(self.iteration)
        return {
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

    def restore(self, snapshot: dict[str, Any] | None) -> None:
        """Carry on from a checkpoint, if there is one and the data set is still the same."""
        if snapshot is None:
            return
        if snapshot["data"] != self.data:
            raise RunFailed(
                f"the data set of {self.run.id} has changed since its checkpoint: `{snapshot['data'][:12]}…` then, "
                f"`{self.data[:12]}…` now",
                "bring the old data back, or start the run again with `--again`",
            )
        torch.set_num_threads(
            snapshot["threads"]
        )  # another count of threads would round differently
        self.net.load_state_dict(snapshot["net"])
        self.optimizer.load_state_dict(snapshot["optimizer"])
        self.warm_up.restore(snapshot["warm_up"])
        if "plateau" in snapshot:  # older checkpoints are of runs without one
            self.plateau.restore(snapshot["plateau"])
        self.below.restore(snapshot.get("below"))
        self.window.restore(snapshot["window"])
        for name in ("iteration", "metrics_size", "seconds", "latest"):
            setattr(self, name, snapshot[name])
        self.machines = list(dict.fromkeys([*snapshot.get("machines", []), machine(self.device)]))
