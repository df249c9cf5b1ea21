"""Changes that make no difference are proven to make none, and no others."""

from __future__ import annotations

from hao.formal.equality import proven_equal, proven_equal_everywhere
from hao.formal.modules import comparable, users_of, valid_of
from hao.resources import shared


def rtl(module: str) -> str:
    return (shared("accel") / "rtl" / f"{module}.sv").read_text(encoding="utf-8")


def changed(module: str, text: str, other: str) -> str:
    sound = rtl(module)
    assert sound.count(text) == 1, f"the text is not in {module} once"
    return sound.replace(text, other)


def test_a_reset_value_that_nobody_sees_makes_no_difference() -> None:
    """hao_burst loads the register with every request before it is read."""
    assert proven_equal_everywhere("hao_burst", changed("hao_burst", "beats_q  <= '0;", "beats_q  <= '1;"), levels=0) == "hao_burst"


def test_one_that_is_seen_makes_a_difference() -> None:
    wrong = changed("hao_fifo_pair", "in_ready_q   <= head_free ||", "in_ready_q   <= !head_free ||")
    assert not proven_equal("hao_fifo_pair", wrong, "8x8x1")
    assert proven_equal("hao_fifo_pair", rtl("hao_fifo_pair"), "8x8x1")


def test_payloads_belong_to_their_handshake() -> None:
    outputs = ("rd_req_valid_o", "rd_req_addr_o", "rd_req_ready_o", "word_valid_o", "word_o", "done_o", "wr_mask_o")
    found = {output: valid_of("hao_any", output, outputs) for output in outputs}
    assert found["rd_req_addr_o"] == "rd_req_valid_o" and found["word_o"] == "word_valid_o"
    assert [found[name] for name in ("rd_req_valid_o", "rd_req_ready_o", "word_valid_o", "done_o", "wr_mask_o")] == [None] * 5
    axi = ("m_axi_awvalid", "m_axi_awaddr", "m_axi_wvalid", "m_axi_wlast", "m_axi_bready", "s_axil_rvalid", "s_axil_rdata")
    assert [valid_of("hao_any", name, axi) for name in axi] == [None, axi[0], None, axi[2], None, None, axi[5]]
    assert valid_of("hao_mul_add", "product_o", ("valid_o", "product_o")) == "valid_o"


def test_a_module_is_compared_with_parameters_that_an_engine_has() -> None:
    """hao_dw_walk gets Pace and Pairs from hao_dw: with its defaults it would be compared as no engine has it."""
    assert comparable("hao_burst") and comparable("hao_dw") and not comparable("hao_dw_walk") and not comparable("hao_fifo")


def test_users_are_found() -> None:
    assert users_of("hao_burst") == ("hao_read_dma", "hao_write_dma")
