"""One network that holds the weights of every member of the searchable family: each member's are slices of its own.

Weight sharing after Cai et al. (Once-for-All, 2020) and Yu et al. (BigNAS, 2020): channels are cut from the front, batch statistics are
taken anew for every member. The width of weights is shared too: members of four bits see their weights rounded while training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hao.models.searchable import DIGITS, OPERATORS, Architecture, Family, Searchable, block_of

FULL_BITS = 8
"""Weights of so many bits are not rounded here: the loss is below what the supernet tells apart."""
_FIRST, _LAST = "stem.0.weight", "linear.weight"


def rounded(weight: Tensor, bits: int) -> Tensor:
    """Weights ``(out, ...)`` on the symmetric narrow grid of each output; gradients pass straight through."""
    most = 2 ** (bits - 1) - 1
    scale = weight.detach().flatten(1).abs().amax(1).clamp(min=1e-8) / most
    step = scale.view(-1, *[1] * (weight.dim() - 1))
    found: Tensor = weight + ((weight / step).round().clamp(-most, most) * step - weight).detach()
    return found


class Supernet(nn.Module):
    """The widest network with every operator in every place.

    Args:
        family: whose members it holds.
    """

    def __init__(self, family: Family = DIGITS) -> None:
        super().__init__()
        self.family, widest = family, family.widest
        self.net = Searchable(Architecture(widest, ("none", "none", "none"), FULL_BITS), family)
        for place in ("before", "middle", "last"):
            setattr(self.net, place, nn.ModuleDict({operator: block_of(operator, widest) for operator in OPERATORS}))
        self._shared = dict(self.net.named_parameters())
        self._frames: dict[Architecture, Searchable] = {}

    def _frame(self, member: Architecture) -> Searchable:
        """The member's network, its numbers undefined."""
        key = Architecture(member.width, member.blocks, FULL_BITS)
        if key not in self._frames:
            with torch.device("meta"):
                frame = Searchable(key, self.family)
            self._frames[key] = frame.to_empty(device=next(self.parameters()).device)
        return self._frames[key]

    def slices(self, member: Architecture) -> dict[str, Tensor]:
        """The member's parameters by name, as slices of the shared ones; weights of four bits rounded."""
        found: dict[str, Tensor] = {}
        for name, parameter in self._frame(member).named_parameters():
            cut = self._shared[name][tuple(slice(0, size) for size in parameter.shape)]
            narrow = member.bits < FULL_BITS and cut.dim() > 1 and name not in (_FIRST, _LAST)
            found[name] = rounded(cut, member.bits) if narrow else cut
        return found

    def forward(self, x: Tensor, member: Architecture) -> Tensor:
        """``(N, channels, H, W)`` -> logits of ``member``, normalized by the statistics of the batch."""
        frame = self._frame(member).train()
        return functional_call(frame, self.slices(member), (x,))  # type: ignore[no-any-return]

    @torch.no_grad()
    def inherit(self, member: Architecture, seen: Tensor) -> Searchable:
        """The member with its slices for weights and the batch statistics of ``seen``, normalized images ``(N, C, H, W)``."""
        network = Searchable(member, self.family)
        network.to(seen.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.load_state_dict(self.slices(member), strict=False)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = 1.0
        network.train()(seen)
        for norm in norms:
            norm.momentum = 0.1
        return network.eval()
