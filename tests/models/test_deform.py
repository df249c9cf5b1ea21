"""The deformable operators against `grid_sample`, which shares no code with them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hao.errors import ModelError
from hao.models.deform import TAPS, DeformableSeparable, Displacement, clip_inward, rounded_square_depthwise
from hao.models.variants import VARIANTS, FloatDeformable, deformable_conv


def sample(x: Tensor, y: Tensor, column: Tensor) -> Tensor:
    """Bilinear samples of ``x`` (N, C, H, W) at pixel coordinates (N, H, W), zero outside; (N, C, H, W)."""
    height, width = x.shape[2:]
    # A border of zeros makes positions outside the map cheap to normalize even where a side is one pixel long.
    padded = functional.pad(x, (1, 1, 1, 1))
    grid = torch.stack((2 * (column + 1) / (width + 1) - 1, 2 * (y + 1) / (height + 1) - 1), dim=-1)
    return functional.grid_sample(padded, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def reference(x: Tensor, displacement: Tensor, weight: Tensor) -> Tensor:
    height, width = x.shape[2:]
    rows, columns = torch.arange(height, dtype=x.dtype)[:, None], torch.arange(width, dtype=x.dtype)
    parts = [
        sample(x, rows + i * displacement[:, 0], columns + j * displacement[:, 0]) * weight[:, 0, i + 1, j + 1, None, None] for i, j in TAPS
    ]
    return torch.stack(parts).sum(0)


def case(shape: tuple[int, int, int, int], low: float, high: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(seed)
    batch, channels, height, width = shape
    x = torch.randint(-9, 10, shape).double()
    displacement = torch.rand(batch, 1, height, width, dtype=torch.float64) * (high - low) + low
    return x, displacement, torch.randint(-7, 8, (channels, 1, 3, 3)).double()


SHAPES = [(2, 5, 9, 7), (1, 3, 1, 6), (3, 1, 16, 16)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("low", "high"), [(0, 7), (-8, 8), (0, 0), (7, 7), (8, 8), (20, 30), (-7, -7)])
def test_forward_equals_sampling_at_rounded_points(shape: tuple[int, int, int, int], low: float, high: float) -> None:
    x, displacement, weight = case(shape, low, high)
    expected = reference(x, torch.floor(displacement + 0.5), weight)
    got = rounded_square_depthwise(x, displacement, weight)
    assert got.numel() == expected.numel() > 0
    # Integers in, integers out: rounding the reference removes the error of its normalized coordinates.
    assert torch.equal(got, expected.round())
    assert (expected - expected.round()).abs().max() < 1e-6


def test_half_rounds_up() -> None:
    x = torch.arange(25.0).reshape(1, 1, 5, 5)
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 2] = 1
    for value, moved in ((0.5, 1), (1.5, 2), (-0.5, 0), (0.49, 0), (-0.51, -1)):
        got = rounded_square_depthwise(x, torch.full((1, 1, 5, 5), value), weight)
        assert got[0, 0, 2, 2] == x[0, 0, 2, 2 + moved], value


@pytest.mark.parametrize("shape", SHAPES[:2])
@pytest.mark.parametrize(("low", "high"), [(0, 7), (-8, 8), (20, 30)])
def test_gradients(shape: tuple[int, int, int, int], low: float, high: float) -> None:
    x, displacement, weight = (t.requires_grad_() for t in case(shape, low, high, seed=3))
    upstream = torch.randn(shape, dtype=torch.float64)
    got = torch.autograd.grad(rounded_square_depthwise(x, displacement, weight), (x, displacement, weight), upstream)
    at_rounded = reference(x, torch.floor(displacement.detach() + 0.5), weight)
    for mine, theirs in zip((got[0], got[2]), torch.autograd.grad(at_rounded, (x, weight), upstream), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)
    (slope,) = torch.autograd.grad(reference(x, displacement, weight), displacement, upstream)
    assert torch.allclose(got[1], slope, atol=1e-5)
    assert low > 8 or slope.abs().sum() > 0


def test_gradient_at_an_integer_is_the_slope_to_the_right() -> None:
    x, _, weight = case((1, 2, 9, 9), 0, 0)
    displacement = torch.full((1, 1, 9, 9), 2.0, dtype=torch.float64, requires_grad=True)
    rounded_square_depthwise(x, displacement, weight).sum().backward()
    step = 1e-7
    higher = reference(x, torch.full_like(displacement, 2 + step), weight).sum(1, keepdim=True)
    now = reference(x, torch.full_like(displacement, 2), weight).sum(1, keepdim=True)
    assert displacement.grad is not None
    assert torch.allclose(displacement.grad, (higher - now).detach() / step, atol=1e-3)


def test_half_precision_forward_and_backward() -> None:
    x, displacement, weight = case((1, 4, 6, 6), 0, 3)
    leaves = (x.bfloat16().requires_grad_(), displacement.bfloat16().requires_grad_(), weight.float().requires_grad_())
    out = rounded_square_depthwise(*leaves)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert [leaf.grad.dtype for leaf in leaves if leaf.grad is not None] == [torch.bfloat16, torch.bfloat16, torch.float32]


def test_clip_passes_what_points_inward() -> None:
    x = torch.tensor([-2.0, -2.0, 3.0, 9.0, 9.0], requires_grad=True)
    clipped = clip_inward(x, 0, 7)
    assert clipped.tolist() == [0, 0, 3, 7, 7]
    clipped.backward(torch.tensor([1.0, -1.0, 5.0, 1.0, -1.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [0, -1, 5, 1, 0]


def test_displacements_start_alive() -> None:
    torch.manual_seed(0)
    layer = DeformableSeparable(256, 64)
    used = layer.displacement(layer.conv_scale(torch.rand(2, 256, 16, 16) * torch.randn(1, 256, 1, 1).exp()))
    assert len(torch.unique(torch.floor(used + 0.5))) > 1


def test_displacement_range_and_shapes_are_checked() -> None:
    with pytest.raises(ModelError, match="empty"):
        Displacement(3, 2)
    with pytest.raises(ModelError, match="must be"):
        rounded_square_depthwise(torch.zeros(1, 4, 5, 5), torch.zeros(1, 2, 5, 5), torch.zeros(4, 1, 3, 3))


@pytest.mark.parametrize("depthwise", [True, False])
def test_free_offsets_equal_grid_sample(depthwise: bool) -> None:
    torch.manual_seed(2)
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64, requires_grad=True)
    offsets = (torch.randn(2, 18, 7, 6, dtype=torch.float64) * 3).requires_grad_()
    weight = torch.randn(4 if depthwise else 5, 1 if depthwise else 4, 3, 3, dtype=torch.float64, requires_grad=True)
    rows, columns = torch.arange(7.0, dtype=torch.float64)[:, None], torch.arange(6.0, dtype=torch.float64)
    expected = torch.zeros(())
    for tap, (i, j) in enumerate(TAPS):
        part = sample(x, rows + i + offsets[:, 2 * tap], columns + j + offsets[:, 2 * tap + 1])
        kernel = weight[:, :, i + 1, j + 1]
        expected = expected + (part * kernel[:, 0, None, None] if depthwise else torch.einsum("nchw,oc->nohw", part, kernel))
    got = deformable_conv(x, offsets, weight)
    assert torch.allclose(got, expected, atol=1e-9)
    upstream = torch.randn_like(got)
    pairs = zip(*(torch.autograd.grad(y, (x, offsets, weight), upstream) for y in (got, expected)), strict=True)
    assert all(torch.allclose(mine, theirs, atol=1e-8) for mine, theirs in pairs)


def test_square_variant_is_the_rounded_operator_without_rounding() -> None:
    torch.manual_seed(4)
    layer, x = FloatDeformable(6, 3, "square"), torch.randn(1, 6, 9, 9)
    displacement = clip_inward(layer.conv_scale(x), 0, 7)
    expected = layer.conv_channel(reference(x, displacement, layer.weight))
    assert torch.allclose(layer(x), expected, atol=1e-4)


def test_variants_restrict_step_by_step() -> None:
    torch.manual_seed(5)
    x = 40 * torch.randn(1, 8, 6, 6)
    seen = {name: FloatDeformable(8, 8, name).offsets(x) for name in VARIANTS}
    assert seen["depthwise"].abs().max() > 7
    assert seen["bounded"].abs().max() == 7
    assert torch.equal(seen["bounded_rounded"], seen["bounded_rounded"].round())
    centre = seen["square"][:, 8:10]
    assert torch.equal(centre, torch.zeros_like(centre))
    assert torch.equal(seen["square"][:, 0], seen["square"][:, 1])
    with pytest.raises(ModelError, match="cubic"):
        FloatDeformable(8, 8, "cubic")
