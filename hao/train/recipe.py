"""What a training run does, as a value: phases, sizes, learning rates. Kept beside every checkpoint as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hao.errors import TrainingError
from hao.files import read_text
from hao.models.codenet import Operator


class Phase(BaseModel):
    """One stretch of training on pictures of one size.

    Attributes:
        task: classify ``shapes64`` crops or scaled-up objects cut from scenes (backbone only), or detect in scenes.
        size: height and width fed to the network, pixels.
        images: pictures until the phase ends.
        batch: pictures a step.
        rate: peak learning rate of AdamW; a linear rise, then a cosine to ``final`` times the peak.
        warmup, final: share of the phase spent rising; last rate relative to the peak.
        shards: how many shards of the training split are used.
        class_weight: of the auxiliary cross-entropy at the objects' centres (`hao.train.losses.detection_loss`).
        deep_weight: of a linear classifier on the backbone's cell under each object's centre; float networks only.
        smallest_crop: shortest side of the random crop that is resized to ``size``, pixels of the scene.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    task: Literal["crops", "objects", "scenes"]
    size: int = Field(ge=32, multiple_of=32)
    images: int = Field(gt=0)
    batch: int = Field(gt=0)
    rate: float = Field(gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    final: float = Field(default=0.02, ge=0, le=1)
    shards: int = Field(gt=0)
    smallest_crop: int = Field(default=256, gt=0)
    class_weight: float = Field(default=0.0, ge=0)
    deep_weight: float = Field(default=0.0, ge=0)


class Recipe(BaseModel):
    """A whole run.

    Attributes:
        name: names the folder of its checkpoints and log.
        config: CoDeNet configuration, a to e.
        operator: of the up blocks, as in `hao.models.codenet.CoDeNetConfig`.
        begin_with: which of the given initial weights are taken: all, or the backbone's (networks that differ behind it).
        seed: of the initial weights and of every draw of the data feed.
        phases: in order.
        decay: weight decay of AdamW, on weights of convolutions only.
        average: decay of the exponential moving average of the weights, per step.
        half: compute in bfloat16 where that is safe.
        validate_every, save_every: seconds.
        validation_scenes: scenes of the validation split in the periodic AP50.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    config: Literal["a", "b", "c", "d", "e"] = "b"
    operator: Operator = "deformable"
    begin_with: Literal["all", "backbone"] = "all"
    seed: int = 1
    phases: tuple[Phase, ...] = Field(min_length=1)
    decay: float = 0.01
    average: float = 0.998
    half: bool = True
    validate_every: float = 420.0
    save_every: float = 150.0
    validation_scenes: int = 300


def read_recipe(path: Path) -> Recipe:
    """The recipe in a JSON file.

    Raises:
        TrainingError: the file cannot be read or is no recipe; the first fault is named.
    """
    try:
        return Recipe.model_validate_json(read_text(path))
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"recipe {path} cannot be read: {getattr(error, 'strerror', error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TrainingError(f"recipe {path}: {place}: {first['msg']}", hint="hao/train/recipe.py lists the fields") from error
