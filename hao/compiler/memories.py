"""The memories of the instruction-level executor, with what is known about every byte in them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from hao.engine.config import EngineConfig
from hao.engine.isa import LANES, LIST_ENTRIES_PER_WORD, WINDOW_BANKS, WORD_BYTES, BaseSelect
from hao.errors import SimulationError

ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class Memory(IntEnum):
    """Address spaces that instructions touch; addresses are words (LM, DISP: entries; WIN: addresses of a bank; DRAM: 16 bytes)."""

    FM = 0
    WIN = 1
    WB = 2
    PB = 3
    LM = 4
    DISP = 5
    IMAGE = 6
    INPUT = 7
    OUTPUT = 8
    SCRATCH = 9


DRAM_OF: dict[BaseSelect, Memory] = {
    BaseSelect.IMAGE: Memory.IMAGE,
    BaseSelect.INPUT: Memory.INPUT,
    BaseSelect.OUTPUT: Memory.OUTPUT,
    BaseSelect.SCRATCH: Memory.SCRATCH,
}


def memory_sizes(config: EngineConfig, dram: Mapping[BaseSelect, int]) -> dict[Memory, int]:
    """Addresses of every memory; ``dram`` gives the bytes behind each base."""
    sizes = {
        Memory.FM: config.fm_words,
        Memory.WIN: config.win_depth,
        Memory.WB: config.wb_words,
        Memory.PB: config.pb_words,
        Memory.LM: config.lm_entries,
        Memory.DISP: config.disp_entries,
    }
    for base, memory in DRAM_OF.items():
        sizes[memory] = -(-dram.get(base, 0) // WORD_BYTES)
    return sizes


def _dram_words(data: bytes | bytearray | ByteArray) -> ByteArray:
    raw = np.frombuffer(bytes(data), np.uint8)
    padded = np.zeros(-(-len(raw) // WORD_BYTES) * WORD_BYTES, np.uint8)
    padded[: len(raw)] = raw
    return padded.reshape(-1, WORD_BYTES)


class Memories:
    """On-chip memories and DRAM of one engine.

    Attributes:
        fm: ``(fm_words, 16)`` bytes; window: ``(11, win_depth, 16)``; wb, pb: ``(words, 16)``; lm: ``(lm_entries,)``
            16-bit addresses; disp: ``(disp_entries,)`` signed bytes; dram: words ``(n, 16)`` per base.
        fm_known, window_known, disp_known: which lanes hold a value that the program (or the DRAM given) defined.
        window_tag: ``(11, win_depth)`` pixel ``y * 65536 + x`` held, -1 for none.

    Args:
        config: the engine.
        dram: bytes behind each base; IMAGE and INPUT count as defined, OUTPUT and SCRATCH do not.
        garbage: seed of the random contents that memories wake up with; None for zeros.
    """

    def __init__(self, config: EngineConfig, dram: Mapping[BaseSelect, bytes | bytearray], garbage: int | None = None) -> None:
        rng = np.random.default_rng(garbage)

        def fresh(*shape: int) -> ByteArray:
            return np.zeros(shape, np.uint8) if garbage is None else rng.integers(0, 256, shape, np.uint8)

        self.fm = fresh(config.fm_words, LANES)
        self.window = fresh(WINDOW_BANKS, config.win_depth, LANES)
        self.wb = fresh(config.wb_words, WORD_BYTES)
        self.pb = fresh(config.pb_words, WORD_BYTES)
        self.lm: npt.NDArray[np.uint16] = fresh(config.lm_entries * 2).view("<u2")
        self.disp: npt.NDArray[np.int8] = fresh(config.disp_entries).view(np.int8)
        self.dram = {base: _dram_words(dram.get(base, b"")) for base in BaseSelect}
        self.fm_known = np.zeros(self.fm.shape, np.bool_)
        self.window_known = np.zeros(self.window.shape, np.bool_)
        self.window_tag = np.full((WINDOW_BANKS, config.win_depth), -1, np.int64)
        self.wb_known = np.zeros(config.wb_words, np.bool_)
        self.pb_known = np.zeros(config.pb_words, np.bool_)
        self.lm_known = np.zeros(config.lm_entries, np.bool_)
        self.disp_known = np.zeros(config.disp_entries, np.bool_)
        self.dram_known = {
            base: np.full(words.shape, base in (BaseSelect.IMAGE, BaseSelect.INPUT)) for base, words in self.dram.items()
        }
        self.list_words = config.lm_entries // LIST_ENTRIES_PER_WORD

    def dram_bytes(self, base: BaseSelect) -> bytes:
        """Contents behind one base, a whole number of words."""
        return self.dram[base].tobytes()


def inside(addresses: IntArray, size: int, memory: Memory) -> IntArray:
    """Check ``addresses`` against the size of a memory.

    Raises:
        SimulationError: an address lies outside; the message names memory and address.
    """
    if addresses.size and (int(addresses.min()) < 0 or int(addresses.max()) >= size):
        worst = int(addresses.max()) if int(addresses.max()) >= size else int(addresses.min())
        raise SimulationError(
            f"address {worst} is outside {memory.name} ({size} addresses)", "the program image is wrong; compile it again"
        )
    return addresses
