"""Assumed delays and set-up times of UltraScale+ cells, speed grade -1, in ns.

These are orders of magnitude from public data sheets and common experience, not vendor timing data, and are calibrated against
nothing: good for finding the worst stage and ranking designs, no sign-off. Routing is charged per hop, more for large fan-out.
"""

from __future__ import annotations

import math

CLOCK_TO_Q = 0.08
SETUP = 0.06
LUT = 0.12
MUXF = 0.08
CARRY_ENTER = 0.15  # S or DI to the carry or sum output
CARRY_STEP = 0.005  # a bit along the chain
CARRY_LEAVE = 0.08  # carry in to sum output
LUTRAM_CLOCK = 0.60
LUTRAM_READ = 0.20
BRAM_CLOCK = 0.95
BRAM_SETUP = 0.35
DSP_SETUP_A = 0.25  # into an input register
DSP_SETUP_AD = 1.0  # through the pre-adder
DSP_SETUP_M = 1.6  # through the multiplier
DSP_SETUP_C = 1.1  # through the adder
DSP_CLOCK_P = 0.45
DSP_CLOCK_M = 1.3  # from M through the adder to P
DSP_THROUGH = 3.0  # no register at all
NET = 0.30
NET_FAN_OUT = 0.05  # for every doubling of the fan-out
NET_LONGEST = 0.80


def net_delay(fan_out: int) -> float:
    """Delay of one routed net with ``fan_out`` (at least 1) sinks; nets beyond about a thousand are assumed to be replicated."""
    return min(NET_LONGEST, NET + NET_FAN_OUT * math.log2(max(fan_out, 1)))
