"""One engine held against the reference: every result word by taps, every output as it lies in DRAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hao.engine.image import ProgramImage
from hao.engine.isa import Unit
from hao.engine.trace import TapComparison, TraceMap
from hao.errors import EngineMismatch
from hao.ir.reference import digest
from hao.runtime.compare import Comparison, Tensor, compare
from hao.runtime.csim import RunResult
from hao.runtime.rtl import RtlResult


@dataclass(frozen=True, slots=True)
class Program:
    """A program image as the driver sees it; see ``hao.runtime.driver.Loadable``."""

    dram: bytes
    program_offset: int
    program_count: int
    config_digest: str
    input_bytes: int
    output_bytes: int
    scratch_bytes: int


def program_of(image: ProgramImage) -> Program:
    """What a driver needs of ``image``."""
    form = image.manifest
    return Program(
        image.dram, form.program_offset, form.program_count, form.config_digest, form.input.size, form.output_bytes, form.scratch_bytes
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an engine computed, held against the reference.

    Attributes:
        engine: its name.
        layers: every tensor that the program computes, from the taps.
        outputs: the outputs as read from DRAM.
        digest: SHA-256 over those outputs.
    """

    engine: str
    layers: TapComparison
    outputs: Comparison
    digest: str

    @property
    def compared(self) -> int:
        """Values held against the reference, taps and outputs."""
        return self.layers.compared + self.outputs.compared

    @property
    def equal(self) -> bool:
        """Whether every tensor was covered by taps and every output read, and all values were equal."""
        return self.layers.equal and self.outputs.equal

    def require_equal(self) -> None:
        """Raise unless everything is equal.

        Raises:
            EngineMismatch: names the engine and the first difference.
        """
        if not self.layers.equal:
            raise EngineMismatch(
                f"{self.engine} differs from the reference: {self.layers.first_difference}", "the engine or its program is at fault"
            )
        self.outputs.require_equal()


def judge(engine: str, image: ProgramImage, result: RunResult, reference: Mapping[str, Tensor]) -> Verdict:
    """Hold one frame of ``engine`` against the reference.

    Args:
        engine: its name.
        image: the program that it ran.
        result: what it left behind, taps included.
        reference: every tensor of the compiled (rewritten) graph.

    Raises:
        EngineMismatch: a result word of an instruction that the program does not have.
    """
    outputs = image.unpack_output(result.output)
    names = [place.name for place in image.manifest.outputs]
    layers = image.trace.compare(result.taps, reference)
    return Verdict(engine, layers, compare(engine, reference, outputs, names), digest(outputs[name] for name in names))


@dataclass(frozen=True, slots=True)
class Interval:
    """First and last cycle of a tensor's results, counted from the start of the frame."""

    first: int
    last: int


def tensor_times(trace: TraceMap, result: RtlResult) -> dict[str, Interval]:
    """When the RTL produced each traced tensor.

    Args:
        trace: of the image that it ran.
        result: the run, taps included.
    """
    if result.cycle is None or not len(result.taps):
        return {}
    names = trace.names()
    index = {name: at for at, name in enumerate(names)}
    longest = 1 + max((entry.seq for entry in trace.entries), default=0)
    owner = np.full((len(Unit) + 1, longest), -1, np.int64)
    for entry in trace.entries:
        owner[entry.unit, entry.seq] = index[entry.tensor]
    records = result.taps.records
    tensor = owner[records["unit"].astype(np.int64), records["seq"].astype(np.int64)]
    first = np.full(len(names), np.iinfo(np.int64).max)
    last = np.full(len(names), -1)
    np.minimum.at(first, tensor, result.cycle)
    np.maximum.at(last, tensor, result.cycle)
    return {name: Interval(int(first[at]), int(last[at])) for name, at in index.items() if last[at] >= 0}
