"""HAO: takes a neural network to a Zynq FPGA and proves, bit for bit, that it got there unchanged.

This package imports nothing at start-up, so that ``hao --help`` and ``hao doctor`` answer at once; import the layer that
you need (``hao.ir``, ``hao.compiler``, ``hao.runtime`` ...).
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
