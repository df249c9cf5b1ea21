"""What each primitive cell contributes to a path: where paths start and end, and what lies between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hao.synth import delays
from hao.synth.yosys import Json

Bits = list[int]


@dataclass(slots=True)
class Arcs:
    """Arcs of one cell; bits are nets.

    Attributes:
        starts: net, delay after the clock edge.
        ends: net, set-up time.
        through: input net, output net, delay, levels, whether the input comes over routing.
    """

    starts: list[tuple[int, float]] = field(default_factory=list)
    ends: list[tuple[int, float]] = field(default_factory=list)
    through: list[tuple[int, int, float, int, bool]] = field(default_factory=list)


Connections = dict[str, Bits]


def _flip_flop(pins: Connections, _: Json) -> Arcs:
    data = [(bit, delays.SETUP) for pin in ("D", "CE", "R", "S") for bit in pins.get(pin, [])]
    # an asynchronous reset is a false path here: it is released by a synchronizer and held for many cycles
    return Arcs(starts=[(bit, delays.CLOCK_TO_Q) for bit in pins["Q"]], ends=data)


def _lut(pins: Connections, _: Json) -> Arcs:
    inputs = [bit for pin, bits in pins.items() if pin != "O" for bit in bits]
    return Arcs(through=[(bit, out, delays.LUT, 1, True) for bit in inputs for out in pins["O"]])


def _wide_mux(pins: Connections, _: Json) -> Arcs:
    through = [(bit, out, delays.MUXF, 0, False) for pin in ("I0", "I1") for bit in pins.get(pin, []) for out in pins["O"]]
    return Arcs(through=through + [(bit, out, delays.MUXF, 0, True) for bit in pins.get("S", []) for out in pins["O"]])


def _carry(pins: Connections, _: Json) -> Arcs:
    arcs = Arcs()
    outputs = [(k, bit, 0.0) for k, bit in enumerate(pins.get("CO", [])) if bit >= 0]
    sums = [(k, bit, delays.CARRY_LEAVE) for k, bit in enumerate(pins.get("O", [])) if bit >= 0]
    for pin in ("S", "DI"):
        for k, bit in enumerate(pins.get(pin, [])):
            if bit >= 0:
                # the LUT that forms S sits in the same slice; DI may come from outside and is charged alike
                reached = [(out, delays.CARRY_ENTER + delays.CARRY_STEP * (j - k)) for j, out, _ in outputs + sums if j >= k]
                arcs.through += [(bit, out, delay, 1, pin == "DI") for out, delay in reached]
    for pin in ("CI", "CYINIT"):
        for bit in pins.get(pin, []):
            arcs.through += [(bit, out, delays.CARRY_STEP * (k + 1) + extra, 0, False) for k, out, extra in outputs + sums]
    return arcs


def _block_ram(pins: Connections, _: Json) -> Arcs:
    starts = [(bit, delays.BRAM_CLOCK) for pin, bits in pins.items() if pin.startswith(("DOUT", "CASDOUT")) for bit in bits]
    ends = [
        (bit, delays.BRAM_SETUP)
        for pin, bits in pins.items()
        if not pin.startswith(("DOUT", "CASDOUT", "CLK", "CASOREG")) and "BITERR" not in pin
        for bit in bits
    ]
    return Arcs(starts, ends)


def _lut_ram(pins: Connections, _: Json) -> Arcs:
    outputs = [bit for pin, bits in pins.items() if pin.startswith(("DO", "O", "Q", "SPO", "DPO")) for bit in bits]
    arcs = Arcs(starts=[(bit, delays.LUTRAM_CLOCK) for bit in outputs])
    for pin, bits in pins.items():
        if pin.startswith(("ADDR", "A", "DPRA")):
            arcs.through += [(bit, out, delays.LUTRAM_READ, 1, True) for bit in bits for out in outputs]
        elif pin.startswith(("D", "WE", "CE")) and not pin.startswith(("DO", "DPO")):
            arcs.ends += [(bit, delays.SETUP) for bit in bits]
    return arcs


def _integer(value: object) -> int:
    text = str(value)
    return int(text, 2) if set(text) <= {"0", "1"} else int(text)


def _dsp(pins: Connections, parameters: Json) -> Arcs:
    register = {name: _integer(parameters.get(name, 1)) for name in ("AREG", "BREG", "CREG", "DREG", "ADREG", "MREG", "PREG")}
    arcs = Arcs()
    outputs = [bit for pin in ("P", "PCOUT") for bit in pins.get(pin, [])]
    if register["PREG"] or register["MREG"]:
        arcs.starts = [(bit, delays.DSP_CLOCK_P if register["PREG"] else delays.DSP_CLOCK_M) for bit in outputs]
    to_m = delays.DSP_SETUP_M if register["MREG"] else delays.DSP_SETUP_M + delays.DSP_SETUP_C
    pre_adder = "AD" in str(parameters.get("AMULTSEL", "A"))
    for pin, own in (("A", "AREG"), ("B", "BREG"), ("C", "CREG"), ("D", "DREG")):
        setup = delays.DSP_SETUP_A
        if not register[own]:
            setup = delays.DSP_SETUP_C if pin == "C" else delays.DSP_SETUP_AD if pre_adder and register["ADREG"] else to_m
        if register[own] or register["PREG"] or (register["MREG"] and pin != "C"):
            arcs.ends += [(bit, setup) for bit in pins.get(pin, [])]
        else:
            arcs.through += [(bit, out, delays.DSP_THROUGH, 1, True) for bit in pins.get(pin, []) for out in outputs]
    for pin, bits in pins.items():
        if pin.startswith(("CE", "RST", "OPMODE", "ALUMODE", "INMODE", "PCIN")):
            late = delays.DSP_SETUP_C if pin in ("OPMODE", "ALUMODE", "PCIN") else delays.DSP_SETUP_A
            arcs.ends += [(bit, late) for bit in bits]
    return arcs


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Connections, Json], Arcs]], ...] = (
    (("FD",), _flip_flop),
    (("LUT", "INV"), _lut),
    (("MUXF",), _wide_mux),
    (("CARRY",), _carry),
    (("RAMB", "URAM"), _block_ram),
    (("RAM", "SRL"), _lut_ram),
    (("DSP48",), _dsp),
)
IGNORED = ("BUFG", "GND", "VCC")


def arcs_of(kind: str, pins: Connections, parameters: Json) -> Arcs | None:
    """Arcs of a primitive, or None for one that no path passes.

    Args:
        kind: cell type.
        pins: nets by pin; a negative number is a constant or an open end.
        parameters: of the cell, as in the netlist.
    """
    positional = kind.startswith("CARRY")
    used = {pin: list(bits) if positional else [bit for bit in bits if bit >= 0] for pin, bits in pins.items()}
    if positional:
        used |= {pin: [bit for bit in used.get(pin, []) if bit >= 0] for pin in ("CI", "CYINIT")}
    for prefixes, arcs in _KINDS:
        if kind.startswith(prefixes):
            return arcs(used, parameters)
    if kind.startswith(IGNORED):
        return None
    raise KeyError(kind)
