"""Where PyTorch computes, set to give the same numbers every time; numbers of two devices differ in their last digits."""

from __future__ import annotations

import os

import torch

from hao.errors import UsageError


def settle(name: str) -> torch.device:
    """The device called ``name``; on a GPU float32 without reduced precision, and no choice of algorithms by trial.

    Raises:
        UsageError: there is none.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"there is no device called {name!r}", "cpu, or cuda where PyTorch finds one") from error
    if device.type == "cuda":
        # Read when cuBLAS starts: sums in one order.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        if not torch.cuda.is_available():
            raise UsageError("PyTorch finds no GPU here", "give --device cpu, or install a CUDA build of torch")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    return device
