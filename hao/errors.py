"""The one error tree: every failure that a user can meet, its hint, and its exit code.

Each class has an exit code of its own, documented in ``docs/exit-codes.md`` (a test holds the page against this file).
The command line prints ``message`` as one line and ``hint`` as a second one; nothing else reaches the user.
This module imports nothing, so that every layer may use it.
"""

from __future__ import annotations

from collections.abc import Sequence


class HaoError(Exception):
    """Base of all errors that HAO raises on purpose.

    Args:
        message: one line that names the thing at fault.
        hint: one line that names the way out; empty when there is none to give.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HaoError):
    """An option or argument that does not exist or does not fit the others."""

    exit_code = 2


class MissingTool(HaoError):
    """A program, compiler feature, library or Python package that this command needs is absent or too old."""

    exit_code = 3


class DataError(HaoError):
    """An image or a data set that cannot be read, or whose content is not what its format promises."""

    exit_code = 4


class CheckpointError(HaoError):
    """A checkpoint that is corrupted, or that belongs to another network, configuration or format version."""

    exit_code = 5


class ImageFormatError(HaoError):
    """A program image that is corrupted, truncated or of another format version."""

    exit_code = 6


class ConfigurationMismatch(HaoError):
    """A program image that was compiled for another accelerator configuration than the one that should run it."""

    exit_code = 7


class UnsupportedNetwork(HaoError):
    """A network with operators or attributes that the framework does not map.

    Args:
        message: one line that names the network.
        nodes: one line a node at fault: its name, why, and the nearest supported form.
        hint: the way out.
    """

    exit_code = 8

    def __init__(self, message: str, nodes: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint)
        self.nodes = tuple(nodes)

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {node}" for node in self.nodes)]
        return "\n".join([*lines, f"  {self.hint}"] if self.hint else lines)


class CompileError(HaoError):
    """A legal network that does not fit the engine: a buffer, an accumulator bound, a field of an instruction."""

    exit_code = 9


class EngineMismatch(HaoError):
    """Two engines disagree: the first differing layer, index and both values are in the message."""

    exit_code = 10


class SimulationError(HaoError):
    """A simulation that did not end: a time-out, an assertion, a protocol violation, an engine error status."""

    exit_code = 11


class TrainingError(HaoError):
    """Training that diverged, or that cannot be resumed from what is on disk."""

    exit_code = 12


class ModelError(HaoError):
    """A model name, structure or parameter that does not exist or does not load."""

    exit_code = 13


class ConfigurationError(HaoError):
    """An accelerator configuration whose parameters are out of range or contradict one another."""

    exit_code = 14


class BoardError(HaoError):
    """A board file that is unknown, malformed, or whose device cannot hold the configuration."""

    exit_code = 15


class BuildError(HaoError):
    """Generated C++ or SystemVerilog that the compiler refused; the message names the log."""

    exit_code = 16


class GraphError(HaoError):
    """An integer graph that breaks a rule of its own definition (types, shapes, ranges, references)."""

    exit_code = 17


class QuantizationError(HaoError):
    """Weights, scales or ranges that the integer format cannot hold; the layer is named."""

    exit_code = 18


class SearchError(HaoError):
    """A search without a solution, or a solver that failed; its status is in the message."""

    exit_code = 19


class SynthesisError(HaoError):
    """Synthesis that failed or produced no usable figures."""

    exit_code = 20


class EngineTimeout(SimulationError):
    """A frame that the engine did not finish in time; how far every unit came is in the message."""

    exit_code = 21


class EngineFault(SimulationError):
    """A fault that the engine reports: an illegal instruction, a start while it was busy."""

    exit_code = 22


class BusError(SimulationError):
    """An error response on the engine's memory port: an address without memory behind it."""

    exit_code = 23


class EngineReset(SimulationError):
    """An engine that somebody reset in mid-frame; the frame is lost."""

    exit_code = 24


class VendorToolError(HaoError):
    """Vivado or Vitis failed; the first real error of its log and what it means are in the message."""

    exit_code = 25


class LicenceError(VendorToolError):
    """Vivado or Vitis found no licence for the device or for itself."""

    exit_code = 26


class TimingError(VendorToolError):
    """A design that was placed and routed but misses its clock."""

    exit_code = 27


class CostError(HaoError):
    """A program that the cost models cannot weigh, or calibration data that does not belong to them."""

    exit_code = 28


class ProofError(HaoError):
    """A property of the RTL that does not hold, or a state that nothing reaches."""

    exit_code = 29


class ProofUndecided(ProofError):
    """Properties that the prover could neither prove nor refute within its time limit."""

    exit_code = 30


def error_classes() -> tuple[type[HaoError], ...]:
    """Every class of the tree, the base first, in the order of their exit codes."""
    found: list[type[HaoError]] = [HaoError]
    for cls in found:
        found.extend(sub for sub in cls.__subclasses__() if sub not in found)
    return tuple(sorted(found, key=lambda cls: cls.exit_code))
