"""The training loop, float and quantization-aware."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hao.data.cache import crop_shard, scene_shard
from hao.data.shapes import CLASSES
from hao.errors import TrainingError
from hao.models.codenet import BACKBONE, CONFIGS, build
from hao.train.evaluate import average_precision, detect, displacement_histograms, scenes
from hao.train.feed import Batch, Feed, ahead, normalize, objects
from hao.train.losses import DetectionLoss, detection_loss
from hao.train.recipe import Phase, Recipe
from hao.train.state import Run, load_weights, origin_of, read_checkpoint

Prepare = Callable[[nn.Module], nn.Module]
Listener = Callable[[dict[str, Any]], None]

_REPORT_EVERY = 15.0
_CLIP_NORM = 10.0
_CROPS_CHECKED = 1500


def learning_rate(phase: Phase, step: int) -> float:
    """Rate at ``step``: a linear rise, then a cosine down to ``phase.final`` of the peak."""
    steps = steps_of(phase)
    rise = max(1, round(steps * phase.warmup))
    if step < rise:
        return phase.rate * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return phase.rate * (phase.final + (1 - phase.final) * (1 + math.cos(math.pi * share)) / 2)


def steps_of(phase: Phase) -> int:
    """Steps of a phase; the last one may see a few pictures more than asked."""
    return -(-phase.images // phase.batch)


class Trainer:
    """Runs a recipe from where its checkpoint stands to its end.

    Args:
        recipe: what to do.
        folder: where ``<name>.safetensors`` and ``<name>.log`` (one JSON object a line) go.
        data: folder of rendered pictures; filled on demand.
        initial: float weights to start from (an export or a checkpoint), used when there is nothing to resume.
        prepare: turns the float network into the one that is trained, e.g. by inserting quantizers.
        export: float16 weights, written anew at every validation.
        listen: called with every record that goes to the log.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        data: Path,
        initial: Path | None = None,
        prepare: Prepare | None = None,
        export: Path | None = None,
        listen: Listener | None = None,
    ) -> None:
        self.recipe, self.data, self.export, self.listen = recipe, data, export, listen
        self.checkpoint, self.log = folder / f"{recipe.name}.safetensors", folder / f"{recipe.name}.log"
        torch.manual_seed(recipe.seed)
        net: nn.Module = build(recipe.config, operator=recipe.operator)
        if initial is not None:
            load_float(net, initial, recipe.begin_with)
        origin = [] if initial is None else origin_of(initial)
        self.run = Run(recipe, prepare(net) if prepare else net, CONFIGS[recipe.config].widths[4], origin)
        if self.checkpoint.is_file():
            self.run.load(self.checkpoint)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.stopping = False

    def stop(self) -> None:
        """Make `train` write a checkpoint and return after the current step."""
        self.stopping = True

    def train(self, seconds: float = math.inf) -> None:
        """Train to the end of the recipe, or for about ``seconds``; a checkpoint is written either way.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        started = time.monotonic()
        progress = self.run.progress
        while progress.phase < len(self.recipe.phases):
            done = self._phase(started + seconds)
            if done:
                self._validate()
                # Later phases can undo what an earlier one taught: its end stays at hand to start from again.
                self.run.save(self.checkpoint.with_stem(f"{self.recipe.name}-phase{progress.phase}"))
                self.run.next_phase()
            self.run.save(self.checkpoint)
            if not done:
                return

    def _phase(self, deadline: float) -> bool:
        """Train the current phase; False when the deadline came first."""
        progress, phase = self.run.progress, self.run.phase
        feed = Feed(self.data, phase, (self.recipe.seed, progress.phase), len(CLASSES))
        last_report = last_save = last_validation = clock = time.monotonic()
        sums, counted = dict.fromkeys(("loss", "heat", "size", "offset", "naming", "deep"), 0.0), 0
        for batch in ahead(feed, progress.step, steps_of(phase)):
            for key, value in self._step(batch).items():
                sums[key] += value
            counted += 1
            now = time.monotonic()
            progress.seconds += now - clock
            clock = now
            if now - last_report >= _REPORT_EVERY:
                speed = counted * phase.batch / (now - last_report)
                self._report({"images_per_s": round(speed, 1), **{k: round(v / counted, 4) for k, v in sums.items()}})
                sums, counted, last_report = dict.fromkeys(sums, 0.0), 0, now
            if now - last_save >= self.recipe.save_every:
                self.run.save(self.checkpoint)
                last_save = now
            if now - last_validation >= self.recipe.validate_every:
                self._validate()
                last_validation = last_report = time.monotonic()
                sums, counted = dict.fromkeys(sums, 0.0), 0
            if self.stopping or now >= deadline:
                return False
        return True

    def _step(self, batch: Batch) -> dict[str, float]:
        run, phase = self.run, self.run.phase
        rate = learning_rate(phase, run.progress.step)
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        run.learner.train()
        loss, parts = self._loss(batch)
        if not math.isfinite(parts["loss"]):
            raise TrainingError(
                f"the loss is {parts['loss']} at step {run.progress.step}", hint=f"lower the rate and resume from {self.checkpoint}"
            )
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(run.learner.parameters(), _CLIP_NORM)
        run.optimizer.step()
        run.progress.step += 1
        run.progress.images += phase.batch
        run.update_average(run.progress.step + (1000 if run.progress.phase else 0))
        return parts

    def _loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        learner = self.run.learner
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.half):
            if batch.targets is None:
                loss = functional.cross_entropy(learner.classify(batch.images).float(), batch.labels, label_smoothing=0.05)
                return loss, {"loss": loss.item()}
            if not self.run.phase.deep_weight:
                return self._parts(detection_loss(learner.net(batch.images), batch.targets, self.run.phase.class_weight))
            features, heads = learner.features_and_heads(batch.images)
            named = learner.name_objects(features, batch.targets)
        losses = detection_loss(heads, batch.targets, self.run.phase.class_weight)
        deep = functional.cross_entropy(named.float(), torch.from_numpy(batch.targets.label), reduction="sum") / max(len(named), 1)
        total, parts = self._parts(losses)
        return total + self.run.phase.deep_weight * deep, parts | {"deep": deep.item()}

    @staticmethod
    def _parts(losses: DetectionLoss) -> tuple[Tensor, dict[str, float]]:
        parts = {"loss": losses.total, "heat": losses.heat, "size": losses.size, "offset": losses.offset, "naming": losses.naming}
        return losses.total, {name: value.item() for name, value in parts.items()}

    def _validate(self) -> None:
        progress, net = self.run.progress, self.run.average.net
        started = time.monotonic()
        record: dict[str, Any] = {}
        if self.run.phase.task != "scenes":
            record["accuracy"] = round(self._accuracy(), 2)
        else:
            images, truth = scenes(self.data, "val", self.recipe.validation_scenes)
            record["ap50"] = round(average_precision(detect(net, images), truth), 2)
            record["displacements"] = displacement_histograms(net, images[:32])
        progress.seconds += time.monotonic() - started
        self._report(record)
        progress.history.append({"phase": progress.phase, "images": progress.images, "seconds": round(progress.seconds), **record})
        if self.export is not None:
            self.run.export(self.export)

    def _accuracy(self) -> float:
        """Percent of validation pictures that the averaged classifier names."""
        right = total = 0
        with torch.inference_mode():
            if self.run.phase.task == "objects":
                images, labels = objects(scene_shard(self.data, "val", 0), _CROPS_CHECKED, self.run.phase.size)
            else:
                shard = crop_shard(self.data, "val", 0)
                images, labels = np.asarray(shard.images), shard.labels[:, 0]
            for start in range(0, len(images), 250):
                named = self.run.average.classify(normalize(images[start : start + 250])).argmax(1).numpy()
                right += int((named == labels[start : start + 250]).sum())
                total += len(named)
        return 100 * right / total

    def _report(self, record: dict[str, Any]) -> None:
        progress, phase = self.run.progress, self.run.phase
        steps = steps_of(phase)
        head = {"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "phase": progress.phase, "step": progress.step, "steps": steps}
        if "images_per_s" in record:
            head["eta_s"] = round((steps - progress.step) * phase.batch / max(record["images_per_s"], 1e-3))
            head["rate"] = round(learning_rate(phase, progress.step), 6)
        line = head | {"images": progress.images, "seconds": round(progress.seconds)} | record
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if self.listen:
            self.listen(line)


def load_float(net: nn.Module, path: Path, part: Literal["all", "backbone"] = "all") -> None:
    """Fill a float network, or only its backbone, from an export or from the averaged weights of a checkpoint.

    Raises:
        CheckpointError: not readable, or of another network.
    """
    tensors, _ = read_checkpoint(path)
    prefix = "average.net."
    if any(name.startswith(prefix) for name in tensors):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    if part == "backbone":
        kept = {name: value for name, value in net.state_dict().items() if not name.startswith(BACKBONE)}
        tensors = {name: value for name, value in tensors.items() if name.startswith(BACKBONE)} | kept
    load_weights(net, tensors, path)
