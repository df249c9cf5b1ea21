"""Runs a plainly exported integer network with numpy alone: python examples/run_plain.py NETWORK.json IMAGE.npy"""

import json
import sys

import numpy as np


def windows(x, k, stride, pad, fill=0):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))[:, ::stride, ::stride]  # (C, H, W, k, k)


def requantize(total, m, s, n):
    return np.clip((total * m + (np.int64(1) << (s - 1))) >> s, n["lo"], n["hi"])


def compute(n, x, arrays, image):
    kind, a = n["kind"], x[0] if x else None
    if kind == "Input":
        return image.astype(np.int64) - np.array(n["mean"])[:, None, None]
    if kind in ("Conv", "DeformConv"):
        w, b, m, s = (arrays[f"{n['name']}.{label}"].astype(np.int64) for label in ("weight", "bias", "multiplier", "shift"))
        if kind == "DeformConv":  # tap (i, j) lies d rows and columns from the centre, one d a pixel, zeros around the map
            (y, z), p, d = np.mgrid[: a.shape[1], : a.shape[2]], np.pad(a, ((0, 0), (8, 8), (8, 8))), x[1][0]
            total = sum(w[:, 0, i, j, None, None] * p[:, 8 + y + (i - 1) * d, 8 + z + (j - 1) * d] for i in range(3) for j in range(3))
        else:
            v = windows(a, w.shape[2], n["stride"], n["pad"])
            total = np.einsum("chwij,cij->chw", v, w[:, 0]) if n["groups"] > 1 else np.einsum("chwij,ocij->ohw", v, w)
        return requantize(total + b[:, None, None], m[:, None, None], s[:, None, None], n)
    if kind == "MaxPool":
        return windows(a, n["kernel"], n["stride"], n["pad"], -(1 << 30)).max((3, 4))
    if kind == "AvgPool":
        total = windows(a, n["kernel"], n["stride"], 0).sum((3, 4)) if n["kernel"] else a.sum((1, 2), keepdims=True)
        return requantize(total, n["multiplier"], n["shift"], n)
    if kind in ("Add", "Requantize"):
        return requantize(a * n["m1"] + x[1] * n["m2"] if kind == "Add" else a, n.get("multiplier", 1), n["shift"], n)
    if kind == "Shuffle":
        return a.reshape(n["groups"], -1, *a.shape[1:]).swapaxes(0, 1).reshape(a.shape)
    moves = {
        "Concat": lambda: np.concatenate(x),
        "Slice": lambda: a[n["start"] : n["stop"]],
        "Upsample": lambda: a.repeat(2, 1).repeat(2, 2),
    }
    return moves[kind]()


def run(structure, arrays, image):
    values = {}
    for n in structure["nodes"]:
        values[n["name"]] = compute(n, [values[name] for name in n["inputs"]], arrays, image)
    return values


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as stream:  # noqa: PTH123
        network = json.load(stream)
    tensors = run(network, np.load(sys.argv[1].replace(".json", ".npz")), np.load(sys.argv[2]))
    for name in network["outputs"]:
        print(name, tensors[name].ravel())
