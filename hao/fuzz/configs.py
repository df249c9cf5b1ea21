"""Engines that a campaign draws from: continuous integration's, and six more with every parameter at an end or an odd value."""

from __future__ import annotations

from collections.abc import Mapping

from hao.engine.config import CI_CONFIGS, EngineConfig

ODD_CONFIGS: Mapping[str, EngineConfig] = {
    "8x8x2": EngineConfig(
        pi=8, po=8, px=2, fm_words=1022, win_depth=97, wb_words=256, pb_words=64, lm_entries=64, disp_entries=509, row_bytes=256,
        queue_depth=2, max_burst=4, outstanding=1,
    ),
    "16x8x2": EngineConfig(
        po=8, dw_lanes=8, fm_words=3002, win_depth=201, wb_words=512, pb_words=128, lm_entries=256, disp_entries=1001, row_bytes=480,
        queue_depth=3, max_burst=8, outstanding=3,
    ),
    "8x16x1": EngineConfig(
        pi=8, px=1, fm_words=5001, win_depth=150, wb_words=1024, pb_words=256, lm_entries=512, disp_entries=3000, row_bytes=1024,
        queue_depth=64, max_burst=256, outstanding=16,
    ),
    "16x16x1": EngineConfig(
        px=1, dw_lanes=8, fm_words=4097, win_depth=129, wb_words=2048, pb_words=512, lm_entries=1024, disp_entries=2049, row_bytes=768,
        queue_depth=5, max_burst=32, outstanding=7,
    ),
}  # fmt: skip
"""The other four shapes of the dense core, with memories of odd sizes and the smallest and largest queues, bursts and numbers of them."""

END_CONFIGS: Mapping[str, EngineConfig] = {
    "least": EngineConfig(
        po=8, px=1, fm_words=256, win_depth=32, wb_words=256, pb_words=64, lm_entries=64, disp_entries=64, row_bytes=256, queue_depth=2,
        max_burst=4, outstanding=1,
    ),
    "most": EngineConfig(
        pi=8, dw_lanes=8, fm_words=65536, win_depth=4096, wb_words=65536, pb_words=4096, lm_entries=8192, disp_entries=65536,
        row_bytes=4096, queue_depth=64, max_burst=256, outstanding=16,
    ),
}  # fmt: skip
"""Every memory, queue and burst at the least and at the most that is legal, around shapes with the other number of depthwise lanes."""

FUZZ_CONFIGS: Mapping[str, EngineConfig] = {**CI_CONFIGS, **ODD_CONFIGS, **END_CONFIGS}
"""By name, all eight shapes of the dense core, two of them with eight and with sixteen depthwise lanes."""
