"""The state of a run and its checkpoints: safetensors with a JSON header, written whole or not at all."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from hao.data.scenes import GENERATOR_VERSION
from hao.data.shapes import CLASSES
from hao.errors import CheckpointError
from hao.files import parse_json, regular
from hao.models.codenet import IMAGE_MEAN, IMAGE_STD, CoDeNet
from hao.train.recipe import Phase, Recipe
from hao.train.targets import Targets

FORMAT = "hao-training-1"


class Learner(nn.Module):
    """The detector and, for the crop phase only, a linear classifier on its pooled backbone features."""

    def __init__(self, net: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.net = net
        self.classifier = nn.Linear(features, classes)

    def classify(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` -> logits ``(N, classes)``."""
        return self.classifier(self._float_net().features(images).mean((2, 3)))  # type: ignore[no-any-return]

    def features_and_heads(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """The backbone's last map and the detector's heads."""
        net = self._float_net()
        features = net.features(images)
        return features, net.heads(features)

    def name_objects(self, features: Tensor, targets: Targets) -> Tensor:
        """Class logits ``(objects, classes)`` from the cell of the backbone's last map under each object's centre."""
        side = targets.heat.shape[-1]
        shrink = side // features.shape[-1]
        y, x = (torch.from_numpy(each // shrink) for each in (targets.position // side, targets.position % side))
        return self.classifier(features[torch.from_numpy(targets.picture), :, y, x])  # type: ignore[no-any-return]

    def _float_net(self) -> CoDeNet:
        if not isinstance(self.net, CoDeNet):
            raise CheckpointError(
                "only the float network has a classifier on its backbone", hint="quantization-aware phases detect, with deep_weight 0"
            )
        return self.net


def keep_full_precision(net: nn.Module) -> None:
    """Compute strided depthwise convolutions in float32 under autocast: their bfloat16 gradient is 10 to 40 times slower."""
    full = torch.autocast("cpu", enabled=False)

    def enter(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        full.__enter__()  # type: ignore[no-untyped-call]
        return tuple(x.float() for x in inputs)

    def leave(_module: nn.Module, _inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        full.__exit__(None, None, None)

    for module in net.modules():
        if type(module) is nn.Conv2d and module.stride == (2, 2) and module.groups == module.in_channels > 1:
            module.register_forward_pre_hook(enter)
            module.register_forward_hook(leave, always_call=True)


@dataclass(slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        phase, step: steps of the current phase already done.
        images: pictures seen in all phases.
        seconds: time spent training and validating.
        history: validations, oldest first: images, seconds, phase, ap50 or accuracy, displacement histograms.
    """

    phase: int = 0
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Run:
    """Weights, their moving average, the optimizer and the progress of one recipe.

    Attributes:
        origin: headers of the runs whose weights this one began with, the latest first: recipe and progress of each.
    """

    def __init__(self, recipe: Recipe, net: nn.Module, features: int, origin: Sequence[dict[str, Any]] = ()) -> None:
        self.recipe, self.progress, self.origin = recipe, Progress(), list(origin)
        self.learner = Learner(net, features, len(CLASSES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.learner).eval().requires_grad_(False)
        keep_full_precision(self.learner)
        self.optimizer = self._optimizer(recipe.phases[0])

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.recipe.phases[self.progress.phase]

    def _optimizer(self, phase: Phase) -> torch.optim.AdamW:
        parameters = list(self.learner.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.recipe.decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=phase.rate, foreach=True)

    def next_phase(self) -> None:
        """Go to the start of the next phase with a fresh optimizer."""
        self.progress.phase, self.progress.step = self.progress.phase + 1, 0
        if self.progress.phase < len(self.recipe.phases):
            self.optimizer = self._optimizer(self.phase)

    @torch.no_grad()
    def update_average(self, steps: int) -> None:
        """Fold the weights into their moving average; ``steps`` taken so far shorten its memory at the start."""
        share = 1 - min(self.recipe.average, (1 + steps) / (10 + steps))
        mean, now = list(self.average.state_dict().values()), list(self.learner.state_dict().values())
        floating = [k for k, value in enumerate(now) if value.is_floating_point()]
        torch._foreach_lerp_([mean[k] for k in floating], [now[k] for k in floating], share)
        for k, value in enumerate(now):
            if not value.is_floating_point():
                mean[k].copy_(value)

    def save(self, path: Path) -> None:
        """Write everything needed to continue exactly from here."""
        tensors = {f"model.{k}": v for k, v in self.learner.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v for k, v in state.items()}
        _write(path, tensors, self._header())

    def load(self, path: Path) -> None:
        """Continue from `save`'s file.

        Raises:
            CheckpointError: damaged, of another format, or of another network.
        """
        tensors, header = read_checkpoint(path)
        try:
            self._restore(path, tensors, header)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(f"checkpoint {path} is not whole: {error!r}", hint="begin from an older one") from error

    def _restore(self, path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        self.progress = Progress(**header["progress"])
        if self.progress.phase < len(self.recipe.phases):
            self.optimizer = self._optimizer(self.phase)
        for prefix, module in (("model.", self.learner), ("average.", self.average)):
            load_weights(module, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}, path)
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, index, key = name.split(".", 2)
                adam.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({"state": adam, "param_groups": self.optimizer.state_dict()["param_groups"]})

    def _header(self) -> dict[str, Any]:
        return _facts() | {"recipe": self.recipe.model_dump(), "progress": asdict(self.progress), "origin": self.origin}

    def export(self, path: Path) -> None:
        """The averaged network in float16, names as in the network; the recipe and progress as JSON beside it."""
        net = self.average.net
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
        _write(path, tensors, self._header())
        text = json.dumps(self._header(), indent=1)
        partial = path.with_suffix(".json.partial")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path.with_suffix(".json"))


def _facts() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "generator_version": GENERATOR_VERSION,
        "classes": list(CLASSES),
        "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD),
    }


def origin_of(path: Path) -> list[dict[str, Any]]:
    """What `Run.origin` is for a run that begins with the weights of ``path``."""
    _, header = read_checkpoint(path)
    try:
        return [{"recipe": header["recipe"], "progress": header["progress"]}, *map(dict, header.get("origin", []))]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} does not say how it was trained", hint="give one that training wrote") from error


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, partial, metadata={"hao": json.dumps(header)})
    partial.replace(path)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header of a checkpoint written by this module.

    Raises:
        CheckpointError: missing, damaged or of another format.
    """
    try:
        with safe_open(regular(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}", hint="give a .safetensors file written by training") from error
    try:
        header: dict[str, Any] = dict(parse_json(metadata["hao"]))
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"checkpoint {path} was not written by HAO", hint="its header has no description") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint {path} has format {header.get('format')!r}, not {FORMAT!r}", hint="export it again")
    return tensors, header


def load_weights(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Fill ``module`` from tensors of the same names and shapes, in any floating type.

    Raises:
        CheckpointError: a name is missing or unknown, or a shape differs; the first is named.
    """
    own = module.state_dict()
    for name in sorted(own.keys() ^ tensors.keys()):
        kind = "lacks" if name in own else "has the unknown tensor"
        raise CheckpointError(f"checkpoint {path} {kind} {name}", hint="it belongs to another network or operator")
    for name, value in own.items():
        if value.shape != tensors[name].shape:
            found, expected = tuple(tensors[name].shape), tuple(value.shape)
            raise CheckpointError(f"checkpoint {path}: {name} has shape {found}, expected {expected}", hint="it belongs to another width")
    module.load_state_dict({name: value.to(own[name].dtype) for name, value in tensors.items()})
