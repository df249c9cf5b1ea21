// Rules of AXI4 that a master without ids must keep; a breach stops the simulation with its text.
module hao_axi_checker #(
  parameter int unsigned MaxBurst = 256,    // beats the master may ask for
  parameter int unsigned Outstanding = 16,  // bursts a direction it may have in flight
  parameter int unsigned QueueDepth = 64
) (
  input logic         clk_i,
  input logic         rst_ni,
  input logic [ 39:0] araddr_i,
  input logic [  7:0] arlen_i,
  input logic [  2:0] arsize_i,
  input logic [  1:0] arburst_i,
  input logic         arvalid_i,
  input logic         arready_i,
  input logic [127:0] rdata_i,
  input logic [  1:0] rresp_i,
  input logic         rlast_i,
  input logic         rvalid_i,
  input logic         rready_i,
  input logic [ 39:0] awaddr_i,
  input logic [  7:0] awlen_i,
  input logic [  2:0] awsize_i,
  input logic [  1:0] awburst_i,
  input logic         awvalid_i,
  input logic         awready_i,
  input logic [127:0] wdata_i,
  input logic [ 15:0] wstrb_i,
  input logic         wlast_i,
  input logic         wvalid_i,
  input logic         wready_i,
  input logic [  1:0] bresp_i,
  input logic         bvalid_i,
  input logic         bready_i
);

  localparam int unsigned PtrWidth = $clog2(QueueDepth);
  typedef logic [PtrWidth-1:0] ptr_t;

  logic ar, r, aw, w, b;
  assign ar = arvalid_i && arready_i;
  assign r = rvalid_i && rready_i;
  assign aw = awvalid_i && awready_i;
  assign w = wvalid_i && wready_i;
  assign b = bvalid_i && bready_i;

  // lengths promised by addresses; data of a write may come before its address
  logic [7:0] ar_len_q[QueueDepth], aw_len_q[QueueDepth], w_len_q[QueueDepth];
  ptr_t ar_head_q, ar_tail_q, aw_head_q, aw_tail_q, w_head_q, w_tail_q;
  logic [7:0] r_beat_q, w_beat_q;
  logic [7:0] reads_q, writes_q;
  logic matched;

  assign matched = aw_head_q != aw_tail_q && w_head_q != w_tail_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_head_q <= '0;
      ar_tail_q <= '0;
      aw_head_q <= '0;
      aw_tail_q <= '0;
      w_head_q  <= '0;
      w_tail_q  <= '0;
      r_beat_q  <= '0;
      w_beat_q  <= '0;
      reads_q   <= '0;
      writes_q  <= '0;
    end else begin
      if (ar) ar_tail_q <= ar_tail_q + ptr_t'(1);
      if (r) r_beat_q <= rlast_i ? '0 : r_beat_q + 8'd1;
      if (r && rlast_i) ar_head_q <= ar_head_q + ptr_t'(1);
      if (aw) aw_tail_q <= aw_tail_q + ptr_t'(1);
      if (w) w_beat_q <= wlast_i ? '0 : w_beat_q + 8'd1;
      if (w && wlast_i) w_tail_q <= w_tail_q + ptr_t'(1);
      if (matched) begin
        aw_head_q <= aw_head_q + ptr_t'(1);
        w_head_q  <= w_head_q + ptr_t'(1);
      end
      reads_q  <= reads_q + 8'(ar) - 8'(r && rlast_i);
      writes_q <= writes_q + 8'(aw) - 8'(b);
    end
  end

  always_ff @(posedge clk_i) begin
    if (ar) ar_len_q[ar_tail_q] <= arlen_i;
    if (aw) aw_len_q[aw_tail_q] <= awlen_i;
    if (w && wlast_i) w_len_q[w_tail_q] <= w_beat_q;
  end

  function automatic logic crosses_page(logic [7:0] beat_in_page, logic [7:0] len);
    return 9'(beat_in_page) + 9'(len) > 9'd255;
  endfunction

  `define HAO_AXI_RULE(name, property_expr, text) \
    name: assert property (@(posedge clk_i) disable iff (!rst_ni) property_expr) \
    else $error("AXI: %s", text);

  // a sender holds valid and payload until the handshake
  `HAO_AXI_RULE(ar_valid, arvalid_i && !arready_i |=> arvalid_i, "ARVALID fell before ARREADY")
  `HAO_AXI_RULE(ar_stable, arvalid_i && !arready_i
                |=> $stable({araddr_i, arlen_i, arsize_i, arburst_i}),
                "AR changed before ARREADY")
  `HAO_AXI_RULE(aw_valid, awvalid_i && !awready_i |=> awvalid_i, "AWVALID fell before AWREADY")
  `HAO_AXI_RULE(aw_stable, awvalid_i && !awready_i
                |=> $stable({awaddr_i, awlen_i, awsize_i, awburst_i}),
                "AW changed before AWREADY")
  `HAO_AXI_RULE(w_valid, wvalid_i && !wready_i |=> wvalid_i, "WVALID fell before WREADY")
  `HAO_AXI_RULE(w_stable, wvalid_i && !wready_i |=> $stable({wdata_i, wstrb_i, wlast_i}),
                "W changed before WREADY")
  `HAO_AXI_RULE(r_hold, rvalid_i && !rready_i |=> rvalid_i && $stable({rdata_i, rresp_i, rlast_i}),
                "R changed before RREADY")
  `HAO_AXI_RULE(b_hold, bvalid_i && !bready_i
                |=> bvalid_i && $stable(bresp_i), "B changed before BREADY")
  // shape of bursts
  `HAO_AXI_RULE(ar_shape, arvalid_i
                |-> arsize_i == 3'd4 && arburst_i == 2'b01 && araddr_i[3:0] == '0,
                "a read is not an aligned INCR burst of 16-byte beats")
  `HAO_AXI_RULE(aw_shape, awvalid_i
                |-> awsize_i == 3'd4 && awburst_i == 2'b01 && awaddr_i[3:0] == '0,
                "a write is not an aligned INCR burst of 16-byte beats")
  `HAO_AXI_RULE(ar_page, arvalid_i
                |-> !crosses_page(araddr_i[11:4], arlen_i), "a read crosses a 4 KB boundary")
  `HAO_AXI_RULE(aw_page, awvalid_i
                |-> !crosses_page(awaddr_i[11:4], awlen_i), "a write crosses a 4 KB boundary")
  `HAO_AXI_RULE(ar_length, arvalid_i |-> 32'(arlen_i) < MaxBurst, "a read is longer than MaxBurst")
  `HAO_AXI_RULE(aw_length, awvalid_i |-> 32'(awlen_i) < MaxBurst, "a write is longer than MaxBurst")
  // counts
  `HAO_AXI_RULE(w_last, matched
                |-> aw_len_q[aw_head_q] == w_len_q[w_head_q], "WLAST does not match AWLEN")
  `HAO_AXI_RULE(r_last, r |-> reads_q != '0 && rlast_i == (r_beat_q == ar_len_q[ar_head_q]),
                "RLAST does not match ARLEN")
  `HAO_AXI_RULE(b_owed, b |-> writes_q != '0, "a response without a write")
  `HAO_AXI_RULE(read_limit, 32'(reads_q) <= Outstanding, "more reads in flight than Outstanding")
  `HAO_AXI_RULE(write_limit, 32'(writes_q) <= Outstanding, "more writes in flight than Outstanding")

  `undef HAO_AXI_RULE

endmodule
