"""A device that every machine has and that refuses what a GPU refuses: tensors on it are of device ``meta`` and computed on the CPU.

Operands on two devices, and tensors handed to numpy, fail as they do on a GPU, and numbers are those of the CPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

_MOVES = ("aten::_to_copy", "aten::copy_")
_INDEXING = ("aten::index.Tensor", "aten::index_put_", "aten::_index_put_impl_")
DEVICE = torch.device("meta")


class TwoDevices(RuntimeError):
    """Operands of one operation are on two devices."""


class Elsewhere(Tensor):
    """Says that it lives elsewhere; ``numbers`` holds its numbers."""

    numbers: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, real: Tensor) -> Elsewhere:
        return torch.Tensor._make_wrapper_subclass(  # type: ignore[no-any-return,attr-defined]
            cls, real.shape, strides=real.stride(), storage_offset=real.storage_offset(), dtype=real.dtype, device=DEVICE
        )

    def __init__(self, real: Tensor) -> None:
        self.numbers = real

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(operation, args, kwargs or {})


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(operation, args, kwargs or {})


class _Function(TorchFunctionMode):
    """``torch.tensor`` leaves a tensor of device ``meta`` empty before any dispatch."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        device = kwargs.get("device")
        if function is torch.tensor and device is not None and torch.device(device).type == "meta":
            return torch.tensor(*args, **{**kwargs, "device": "cpu"}).to(DEVICE)
        return function(*args, **kwargs)


@contextlib.contextmanager
def elsewhere() -> Iterator[torch.device]:
    """Inside it, ``.to("meta")`` and ``device="meta"`` make tensors that compute."""
    # Mixed precision knows no device ``meta``; none of this code asks for it.
    with mock.patch.object(torch, "autocast", lambda *_, **__: contextlib.nullcontext()), _Function(), _Dispatch():
        yield DEVICE


def _compute(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = operation.name()
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
    here = [each for each in tensors if not isinstance(each, Elsewhere)]
    away = [each for each in tensors if isinstance(each, Elsewhere)]
    mixed = any(each.dim() for each in here) and bool(away)
    if mixed and name not in _MOVES and not (name in _INDEXING and isinstance(args[0], Elsewhere)):
        raise TwoDevices(f"{name}: expected all tensors to be on the same device, found meta and cpu")
    target = kwargs.get("device")
    wrap = bool(away) if target is None else torch.device(target).type == "meta"
    if name == "aten::copy_":
        wrap = isinstance(args[0], Elsewhere)
    if target is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    owners = {id(each.numbers): each for each in away}
    real_args, real_kwargs = tree_map(lambda each: each.numbers if isinstance(each, Elsewhere) else each, (args, kwargs))
    found = operation(*real_args, **real_kwargs)

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return owners[id(value)] if id(value) in owners else Elsewhere(value)

    return tree_map(wrapped, found) if wrap else found
