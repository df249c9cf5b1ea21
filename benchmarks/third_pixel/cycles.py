"""What a third pixel could save of CoDeNet-1x b: the walks of its DENSE instructions with two and with three pixels a cycle.

    python benchmarks/third_pixel/cycles.py

A bound: three pixels never meet in a bank, W8 layers stay at two, every result still leaves through 16 requantization lanes at one
pixel a cycle, and nothing but DENSE changes. The frame is at least as long as the walks and as everything that no DENSE hides.
"""

from __future__ import annotations

from rich.console import Console

from hao.boards import load_board
from hao.cli.networks import load_network
from hao.compiler.compile import compile_graph
from hao.cost.cycles import run_model
from hao.cost.walks import Window, dense_walk
from hao.engine.config import ULTRA96
from hao.engine.isa import Opcode

NETWORK, BOARD = "codenet-1x-b", "ultra96v2"


def main() -> None:
    """Print both sums and what they leave of the frame."""
    image = compile_graph(load_network(NETWORK, "random").graph, ULTRA96)
    two = three = drain = 0.0
    for i in image.program():
        if i.opcode is not Opcode.DENSE:
            continue
        window = Window(i["in_w"], i["in_h"], i["out_w"], i["y0"], i["y1"], i["kernel"], i["stride"], i["pad"])
        pair = dense_walk(window, i["n_in"], 8 if i["w8"] else 4, ULTRA96.pi, ULTRA96.po, 2).cycles
        triple = pair if i["w8"] else min(pair, dense_walk(window, i["n_in"], 4, ULTRA96.pi, ULTRA96.po, 3).cycles)
        two, three, drain = two + pair, three + max(triple, window.pixels), drain + window.pixels
    frame = run_model(image.program(), ULTRA96, load_board(BOARD), image.manifest.program_offset).total
    console = Console(highlight=False)
    console.print(
        f"{NETWORK}: {frame} cycles a frame by the model, {two:.0f} of them the walks with two pixels, {frame - two:.0f} beside them"
    )
    console.print(f"walks with three pixels: {three:.0f} (results alone: {drain:.0f}); frame at least {frame - two + three:.0f}")


if __name__ == "__main__":
    main()
