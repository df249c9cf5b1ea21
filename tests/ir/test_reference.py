"""The numpy reference against plain loops, against floating point, and on the cases that tell roundings apart."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from hao.errors import DataError
from hao.ir import graph as ir
from hao.ir.random_graph import MOTIFS, random_graph, random_image
from hao.ir.reference import compute, digest, execute, outputs, requantize
from tests.ir import naive

SMALL = {"max_ops": 7, "max_size": 7, "max_channels": 9}


def held_equal(graph: ir.Graph, seed: int) -> int:
    image = random_image(graph.nodes[0].shape, np.random.default_rng(seed))
    fast, slow = execute(graph, image), naive.execute(graph, image)
    compared = 0
    for name, value in fast.items():
        expected = np.array(slow[name])
        assert value.shape == expected.shape and value.dtype == np.int32
        np.testing.assert_array_equal(value, expected, err_msg=f"{graph.name}: {name}")
        compared += value.size
    return compared


@pytest.mark.parametrize("motif", sorted(MOTIFS))
def test_every_operator_equals_plain_loops(motif: str) -> None:
    stems = {"upsample": ("upsample", "max_pool")}.get(motif, (motif,))
    assert sum(held_equal(random_graph(seed, motifs=stems, **SMALL), seed) for seed in range(12)) > 1000


def test_random_networks_equal_plain_loops() -> None:
    assert sum(held_equal(random_graph(seed, **SMALL), seed) for seed in range(100, 180)) > 20000


@pytest.mark.parametrize("displacement", [-8, -3, -1, 0, 1, 2, 7, 8])
def test_constant_displacement_is_a_dilated_convolution(displacement: int) -> None:
    rng = np.random.default_rng(displacement + 100)
    x = rng.integers(-128, 128, (4, 11, 6)).astype(np.int32)
    weight = rng.integers(-127, 128, (4, 1, 3, 3))
    rule = ir.Requant(np.zeros(4, np.int64), np.full(4, 1 << 13), np.full(4, 28), -128, 127, 8, True)
    got = compute(ir.DeformConv("d", ("x", "s"), weight, 8, rule), [x, np.full((1, 11, 6), displacement, np.int32)], x)
    padded = np.pad(x, ((0, 0), (8, 8), (8, 8))).astype(float)
    total = np.zeros(x.shape)
    for i in range(3):
        for j in range(3):
            y, z = 8 + (i - 1) * displacement, 8 + (j - 1) * displacement
            total += padded[:, y : y + 11, z : z + 6] * weight[:, 0, i, j, None, None]
    np.testing.assert_array_equal(got, np.clip(np.floor(total / 2**15 + 0.5), -128, 127))


@pytest.mark.parametrize(
    ("value", "expected", "why"),
    [
        (1, 1, "half goes up, not to even and not down"),
        (3, 2, "1.5 goes to 2"),
        (5, 3, "2.5 goes up; half to even gives 2"),
        (-1, 0, "-0.5 goes up to 0; half away from zero gives -1"),
        (-3, -1, "-1.5 goes up to -1; half to even gives -2"),
        (-5, -2, "-2.5 goes up to -2; half away from zero gives -3"),
        (2, 1, "exact"),
        (-4, -2, "exact"),
    ],
)
def test_rounding_is_half_up(value: int, expected: int, why: str) -> None:
    # m / 2^s = 1/2 exactly, so odd values sit on the tie.
    assert requantize(np.array([value]), 1 << 15, 16, -128, 127)[0] == expected, why
    assert naive.rescale(value, 1 << 15, 16, -128, 127) == expected == math.floor(value / 2 + 0.5)


@pytest.mark.parametrize("shift", [16, 20, 24, 28, 32, 36, 40, 44])
def test_requantization_at_the_ends_of_the_format(shift: int) -> None:
    largest = (1 << 26) - 1
    for acc in (largest, -largest - 1, 0, 1, -1):
        for multiplier in (1 << 13, (1 << 17) - 1):
            got = int(requantize(np.array([acc]), multiplier, shift, -(1 << 40), 1 << 40)[0])
            assert got == naive.rescale(acc, multiplier, shift, -(1 << 40), 1 << 40)


def test_saturation_stops_at_the_bounds() -> None:
    np.testing.assert_array_equal(requantize(np.array([-9, -1, 0, 5, 300]), 1 << 16, 16, 0, 255), [0, 0, 0, 5, 255])


def test_max_pool_padding_never_wins() -> None:
    x = np.full((1, 3, 3), -100, np.int32)
    assert compute(ir.MaxPool("m", ("x",), 3, 2, 1), [x], x).tolist() == [[[-100, -100], [-100, -100]]]


def test_image_is_bytes_minus_mean_and_padding_is_real_zero() -> None:
    weight = np.ones((1, 1, 3, 3), np.int64)
    rule = ir.Requant(np.zeros(1, np.int64), np.array([1 << 16]), np.array([16]), -128, 127, 8, True)
    graph = ir.Graph("g", (ir.Input("image", (), (1, 1, 1), (104,)), ir.Conv("c", ("image",), weight, 8, rule, 1, 1)), ("c",))
    assert execute(graph, np.array([[[110]]], np.uint8))["c"].item() == 6


def test_digest_is_what_the_documentation_says() -> None:
    graph = random_graph(3)
    tensors = execute(graph, random_image(graph.nodes[0].shape, np.random.default_rng(0)))
    raw = b"".join(np.ascontiguousarray(tensors[name]).astype("<i4").tobytes() for name in graph.outputs)
    found = outputs(graph, tensors)
    assert digest(found.values()) == hashlib.sha256(raw).hexdigest()
    first = next(iter(found))
    changed = dict(found) | {first: found[first] + 1}
    assert digest(changed.values()) != digest(found.values())


def test_wrong_image_is_named() -> None:
    graph = random_graph(3)
    with pytest.raises(DataError, match="image"):
        execute(graph, np.zeros((1, 1, 999), np.uint8))
    with pytest.raises(DataError, match="float64"):
        execute(graph, np.zeros(graph.nodes[0].shape))  # type: ignore[arg-type]


def test_broken_reference_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding down instead of half up must not survive the comparison with plain loops."""
    from hao.ir import reference

    def floor_only(acc, multiplier, shift, lo, hi):  # type: ignore[no-untyped-def]
        return np.clip(acc.astype(np.int64) * np.asarray(multiplier) >> np.asarray(shift), lo, hi)

    monkeypatch.setattr(reference, "requantize", floor_only)
    with pytest.raises(AssertionError):
        for seed in range(5):
            held_equal(random_graph(seed, **SMALL), seed)
