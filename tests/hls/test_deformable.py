"""Displacements at the bounds of the window's reach, read from a displacement map, on maps larger and smaller than they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.engine.encode import Instruction, encode_program
from hao.engine.isa import LANES, BaseSelect, Destination, LoadTarget, Opcode
from hao.engine.pack import DramBuilder, pack_list, pack_requant, pack_taps, pack_tiles
from hao.runtime.csim import CsimEngine
from hao.runtime.csim_build import Arithmetic

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A map ``x`` (H, W, 16) of u8, displacements ``d`` (H, W) and taps ``w`` (9, 16)."""

    x: IntArray
    d: IntArray
    w: IntArray

    def expected(self) -> IntArray:
        """Nine samples a pixel at its displacement, zero outside the map, straight from the definition; shifted right by 16."""
        height, width, _ = self.x.shape
        out = np.zeros_like(self.x)
        for y in range(height):
            for x in range(width):
                for tap in range(9):
                    at = (y + (tap // 3 - 1) * self.d[y, x], x + (tap % 3 - 1) * self.d[y, x])
                    if 0 <= at[0] < height and 0 <= at[1] < width:
                        out[y, x] += self.w[tap] * self.x[at]
        return np.clip((out * 8192 + (1 << 15)) >> 16, -128, 127)


def program_of(case: Case) -> tuple[bytes, int, int]:
    """IMAGE bytes, offset and count of a program that computes ``case`` into OUTPUT, the displacement as a layer's result."""
    height, width, _ = case.x.shape
    words, rows = height * width, height
    pitch = -(-width // 11)
    image = DramBuilder()
    body: list[Instruction] = []

    def load(target: LoadTarget, address: int, data: bytes) -> None:
        fields = {"target": target, "dram_offset": image.add(data), "dst_addr": address, "length": len(data) // 16}
        body.append(Instruction(Opcode.LOAD, fields))

    ones, zeros = np.ones(LANES, np.int64), np.zeros(LANES, np.int64)
    displacement = np.zeros((height, width, LANES), np.int8)
    displacement[:, :, 0] = case.d
    load(LoadTarget.FEATURE, 0, case.x.astype(np.uint8).tobytes())
    load(LoadTarget.FEATURE, words, displacement.tobytes())
    load(LoadTarget.LIST, 0, pack_list([words]))
    load(LoadTarget.WEIGHT, 0, pack_tiles(np.eye(LANES, dtype=np.int64), 8))
    load(LoadTarget.PARAM, 0, pack_requant(zeros, ones << 16, 16 * ones))
    load(LoadTarget.PARAM, 8, pack_requant(zeros, ones << 13, 16 * ones) + pack_taps(case.w))
    size = {"in_w": width, "in_h": height, "out_w": width, "y0": 0, "y1": height, "stride": 1}
    window = {"win_base": 3, "win_rows": rows, "win_pitch": pitch}
    dense = {"kernel": 1, "x_signed": 1, "w8": 1, "n_in": 1, "lo": -8, "hi": 8, "dst": Destination.DISPLACEMENT}
    body.append(Instruction(Opcode.DENSE, {**size, **dense}))
    body.append(Instruction(Opcode.FILL, {"out_w": width, "y0": 0, "y1": height, **window}))
    dw = {"deform": 1, "tap_mask": 0x1FF, "p_addr": 8, "lo": -128, "hi": 127, "lane_mask": 0xFFFF}
    body.append(Instruction(Opcode.DW, {**size, **window, **dw, "dst_base0": 2 * words}))
    body.append(Instruction(Opcode.STORE, {"base_sel": BaseSelect.OUTPUT, "src_addr": 2 * words, "length": words}))
    body.append(Instruction(Opcode.END))
    offset = image.add(encode_program(body), 64)
    return image.tobytes(), offset, len(body)


def displacements(name: str, height: int, width: int, rng: np.random.Generator) -> IntArray:
    ramp = np.arange(height * width).reshape(height, width)
    return {
        "zero": np.zeros((height, width), np.int64),
        "minimum": np.full((height, width), -8),
        "maximum": np.full((height, width), 8),
        "published": ramp % 16 - 8,
        "random": rng.integers(-8, 9, (height, width)),
    }[name]


@pytest.mark.parametrize("size", [(17, 23), (3, 5), (1, 1), (12, 11)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ["zero", "minimum", "maximum", "published", "random"])
@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=list(CI_CONFIGS))
def test_displacements(config: EngineConfig, name: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(17 * size[0] + size[1])
    case = Case(rng.integers(0, 256, (*size, LANES)), displacements(name, *size, rng), rng.integers(-128, 128, (9, LANES)))
    image, offset, count = program_of(case)
    regions = {BaseSelect.IMAGE: image, BaseSelect.OUTPUT: bytes(16 * size[0] * size[1])}
    found, _ = CsimEngine(config, Arithmetic.NATIVE).execute(regions, offset, count)
    values = np.frombuffer(found.output, np.int8).reshape(*size, LANES)
    assert np.array_equal(values, case.expected())
    assert values.size == size[0] * size[1] * LANES
    assert name == "zero" or min(size) < 3 or len(np.unique(values)) > 8
