"""Memories and DENSE instructions for the bench of hao_dense, and what they must produce."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hao.compiler import executor_ops
from hao.compiler.memories import Memories
from hao.engine.config import EngineConfig
from hao.engine.encode import Instruction
from hao.engine.isa import LANES, WINDOW_BANKS, Destination, Opcode, Unit
from hao.engine.taps import TAP_DTYPE

BOUNDS = ((-32768, 32767), (-32768, 32767), (0, 255), (-128, 127), (0, 15), (-8, 7))


@dataclass
class Contents:
    """What the bench starts from: memories of ``config`` and the list entries handed out so far."""

    config: EngineConfig
    rng: random.Random
    memories: Memories = field(init=False)
    lists: int = 0

    def __post_init__(self) -> None:
        self.memories = Memories(self.config, {})
        draw = np.random.default_rng(self.rng.getrandbits(32))
        m = self.memories
        m.fm[:] = draw.integers(0, 256, m.fm.shape)
        m.wb[:] = draw.integers(0, 256, m.wb.shape)
        self.parameters(draw, 20)

    def parameters(self, draw: np.random.Generator, bias_bits: int) -> None:
        """Random bias (``bias_bits`` and a sign), multiplier and shift of every channel of the parameter buffer."""
        m = self.memories
        count = m.pb.size // 8
        bias = draw.integers(-(1 << bias_bits), 1 << bias_bits, count).astype(np.int64)
        mult = draw.integers(0, 1 << 17, count).astype(np.int64)
        code = draw.integers(0, 4, count).astype(np.int64)
        words = (bias & 0xFFFFFFFF) | mult << 32 | code << 49
        m.pb[:] = words.astype("<u8").view(np.uint8).reshape(m.pb.shape)

    def extremes(self) -> None:
        """Only the values that make the packed lanes largest."""
        draw = np.random.default_rng(self.rng.getrandbits(32))
        m = self.memories
        m.fm[:] = draw.choice([0, 127, 128, 255, 255, 255], (m.fm.shape[0], 1))
        m.wb[:] = draw.choice([127, 128, 128], (m.wb.shape[0], 1))
        m.wb[: len(m.wb) // 4] = draw.choice([0x77, 0x88, 0x78], (len(m.wb) // 4, 1))

    def planes(self, bases: Sequence[int]) -> int:
        """Enter plane addresses into the list memory and return the first entry's number (the memory is a ring)."""
        first = self.lists
        for base in bases:
            self.memories.lm[self.lists % self.config.lm_entries] = base & 0xFFFF
            self.lists += 1
        return first % self.config.lm_entries


def parity(rng: random.Random, low: int, high: int, odd: int, px: int) -> int:
    """A random address in ``[low, high]`` with the wanted lowest bit where there are two banks."""
    at = rng.randint(low, high)
    return at if px == 1 or (at & 1) == odd else (at - 1 if at > low else at + 1)


def window_fields(rng: random.Random, c: EngineConfig, width: int, y0: int) -> dict[str, int]:
    """A random slice that holds rows of ``width`` pixels."""
    pitch = -(-width // WINDOW_BANKS) + rng.randint(0, 1)
    rows = rng.randint(1, max(1, min(20, c.win_depth // pitch)))
    base = rng.randint(0, c.win_depth - rows * pitch)
    return {"win_base": base, "win_rows": rows, "win_pitch": pitch, "win_slot0": y0 % rows, "win_bank0": 3 * y0 % 11}


def instruction(contents: Contents, rng: random.Random, *, largest: int, swap: bool = False, **fixed: int) -> Instruction:
    """A random legal DENSE instruction; ``fixed`` fields keep their value. Inputs lie in the lower half of the feature memory and
    results in the upper half, or with ``swap`` the other way round."""
    c, half = contents.config, contents.config.fm_words // 2
    read_from, write_to = (half, 0) if swap else (0, half)
    kernel = fixed.get("kernel", rng.choice([1, 1, 1, 2, 3, 3, 4, 5]))
    stride = fixed.get("stride", rng.choice([1, 1, 1, 2, 3, 4]))
    pad = fixed.get("pad", rng.randint(0, min(7, kernel)))
    in_w, out_w = fixed.get("in_w", rng.randint(1, largest)), fixed.get("out_w", rng.randint(1, largest))
    if not fixed and rng.random() < 0.6 and in_w + 2 * pad >= kernel:
        out_w = (in_w + 2 * pad - kernel) // stride + 1
    y0 = fixed.get("y0", rng.choice([0, 0, rng.randint(0, 40), rng.randint(0, 60000)]))
    y1 = fixed.get("y1", y0 + rng.randint(1, max(1, min(largest, half // out_w - 2, c.disp_entries // out_w - 1))))
    first, last = max(0, y0 * stride - pad), max(0, (y1 - 1) * stride - pad + kernel - 1)
    in_h = fixed.get("in_h", min(65535, max(1, rng.choice([last + 1, last + 1 - rng.randint(0, kernel), last + 5]))))
    last = min(last, in_h - 1)
    rows = max(0, last - first + 1)
    while rows * in_w > half:  # give up rows at the lower edge: they become padding
        in_h -= 1
        last = min(last, in_h - 1)
        rows = max(0, last - first + 1)
    n_in = fixed.get("n_in", rng.randint(1, max(1, min(6, 120 // kernel**2))))
    bases = [read_from + rng.randint(0, half - rows * in_w) - first * in_w for _ in range(n_in)]
    pixels, odd = (y1 - y0) * out_w, rng.randint(0, 1)
    lo, hi = rng.choice(BOUNDS)
    values = {
        "in_w": in_w, "in_h": in_h, "out_w": out_w, "kernel": kernel, "stride": stride, "pad": pad, "y0": y0, "y1": y1, "n_in": n_in,
        "list_addr": contents.planes(bases), "x_signed": rng.randint(0, 1), "w8": rng.randint(0, 1), "lo": lo, "hi": hi,
        "w_addr": rng.randrange(c.wb_words), "p_addr": rng.randrange(c.pb_words),
        "lane_sel": rng.getrandbits(32), "lane_mask": rng.choice([0xFFFF, 0xFFFF, rng.getrandbits(16)]),
    }  # fmt: skip
    values["dst"] = fixed.get("dst", rng.choice([0, 0, 1, 2]))
    if values["dst"] == Destination.DISPLACEMENT:
        values["dst_base0"] = rng.randint(0, c.disp_entries - pixels) - y0 * out_w
    else:
        for plane in range(4):
            values[f"dst_base{plane}"] = parity(rng, write_to, write_to + half - pixels - 1, odd, c.px) - y0 * out_w
    values |= window_fields(rng, c, out_w, y0)
    values |= fixed
    return Instruction(Opcode.DENSE, {name: value & 0xFFFF if name.startswith("dst_base") else value for name, value in values.items()})


def expected(contents: Contents, program: Sequence[Instruction]) -> npt.NDArray[np.void]:
    """Run ``program`` on the contents, which change, and return its result words in order."""
    parts = []
    for sequence, item in enumerate(program):
        result = executor_ops.run_dense(item, contents.memories, contents.config, False)
        rows = np.zeros(len(result.pixels), TAP_DTYPE)
        rows["unit"], rows["seq"], rows["p"], rows["data"] = int(Unit.DENSE), sequence, result.pixels, result.words
        parts.append(rows)
    return np.concatenate(parts)


def write_hex(path: Path, data: npt.NDArray[np.uint8]) -> None:
    """Words of ``data`` (one a row, lane 0 first) as ``$readmemh`` reads them."""
    path.write_text("\n".join(row[::-1].tobytes().hex() for row in data) + "\n", encoding="ascii")


def read_hex(path: Path) -> npt.NDArray[np.uint8]:
    """What ``$writememh`` wrote: one word a row, lane 0 first."""
    words = [line for line in path.read_text(encoding="ascii").split() if not line.startswith(("//", "@"))]
    return np.array([np.frombuffer(bytes.fromhex(word), np.uint8)[::-1] for word in words])


def write_files(folder: Path, contents: Contents, program: Sequence[Instruction], slots: int) -> None:
    """Everything the bench loads."""
    m = contents.memories
    for name, data in (("fm", m.fm), ("wb", m.wb), ("pb", m.pb), ("lm", m.lm.view(np.uint8).reshape(-1, LANES))):
        write_hex(folder / f"{name}.hex", data)
    coded = np.frombuffer(b"".join(item.encode() for item in program), np.uint8).reshape(-1, 64)
    write_hex(folder / "instr.hex", np.concatenate([coded, np.zeros((slots - len(coded), 64), np.uint8)]))
