"""Bus-functional models for cocotb benches: valid/ready streams with random stalls, clock and reset.

Every model drives and samples just after the rising edge (`tick`), so that a handshake is what both sides saw there.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

CYCLE_NS = 4
MASTER_INPUTS = frozenset(
    f"m_axi_{name}" for name in ("arready", "rdata", "rresp", "rlast", "rvalid", "awready", "wready", "bresp", "bvalid")
)


def chance(name: str = "HAO_STALL", default: float = 0.4) -> float:
    """Probability of a stall in any cycle, from the environment of the bench."""
    return float(os.environ.get(name, default))


async def start(dut: Any, **inputs: int) -> None:
    """Start the clock and go through reset (`reset`); once a test."""
    Clock(dut.clk_i, CYCLE_NS, "ns").start()
    await reset(dut, **inputs)


async def reset(dut: Any, **inputs: int) -> None:
    """Set every input (0 unless named in ``inputs``) and go through reset. The clock runs."""
    for handle in dut:
        name = handle._name
        if (name.endswith("_i") and name != "clk_i") or name in MASTER_INPUTS:
            _zero(handle)
    for name, value in inputs.items():
        getattr(dut, name).value = value
    dut.rst_ni.value = 0
    for _ in range(4):
        await RisingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    await RisingEdge(dut.clk_i)


def _zero(handle: Any) -> None:
    try:
        handle.value = 0
    except (TypeError, ValueError):
        for element in handle:
            _zero(element)


async def send(
    clock: Any, valid: Any, ready: Any, drive: Callable[[Any], None], items: Iterable[Any], stall: float, rng: random.Random
) -> int:
    """Hand every item over on a valid/ready pair and return how many.

    ``drive`` puts an item on the payload; with probability ``stall`` a cycle passes before the next item is offered.
    """
    count = 0
    for item in items:
        while rng.random() < stall:
            await RisingEdge(clock)
        drive(item)
        valid.value = 1
        while True:
            await ReadOnly()
            taken = bool(ready.value)
            await RisingEdge(clock)
            if taken:
                break
        valid.value = 0
        count += 1
    return count


async def receive(
    clock: Any, valid: Any, ready: Any, sample: Callable[[], Any], count: int, stall: float, rng: random.Random
) -> list[Any]:
    """Take ``count`` items from a valid/ready pair; ready is low with probability ``stall`` in any cycle."""
    items: list[Any] = []
    while len(items) < count:
        ready.value = int(rng.random() >= stall)
        await ReadOnly()
        if bool(valid.value) and bool(ready.value):
            items.append(sample())
        await RisingEdge(clock)
    ready.value = 0
    return items
