// Result words of DENSE to where they belong: planes of the feature memory, a window slice, or the
// displacement map. Words come in pixel order and wait here while the memory is busy; the
// destination of the next instruction waits beside them. With TapEnable every word is also reported
// to the trace.
module hao_dense_scatter #(
  parameter int unsigned WinDepth  = 512,
  parameter bit          TapEnable = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  // Destination of an instruction: its fields and the index of its first pixel
  input  logic         cmd_valid_i,
  output logic         cmd_ready_o,
  // verilator lint_off UNUSEDSIGNAL
  input  hao_pkg::dense_instr_t cmd_i,
  input  logic  [31:0] cmd_p0_i,
  // verilator lint_on UNUSEDSIGNAL
  // Words
  input  logic         word_valid_i,
  output logic         word_ready_o,
  input  logic [127:0] word_i,
  input  logic         word_last_i,    // of the instruction
  // Feature memory
  output logic         wr_valid_o,
  input  logic         wr_ready_i,
  output logic  [15:0] wr_addr_o [4],
  output logic   [1:0] wr_sel_o [16],
  output logic  [15:0] wr_mask_o,
  output logic [127:0] wr_data_o,
  // Window
  output logic         win_wr_valid_o,
  input  logic         win_wr_ready_i,
  output logic   [3:0] win_wr_bank_o,
  output logic  [11:0] win_wr_addr_o,
  output logic [127:0] win_wr_data_o,
  // Displacement map
  output logic         disp_wr_valid_o,
  output logic  [15:0] disp_wr_addr_o,
  output logic   [7:0] disp_wr_data_o,
  output logic         done_o,
  output logic         stall_o
);

  import hao_pkg::*;

  logic         valid, sent, last, take, start, start_q, placed_q, ready_q;
  logic         active_q, place_valid;
  logic         feature_q, window_q, disp_q;  // where the active instruction's words go
  logic [127:0] word;
  logic [31:0]  lane_sel_q;
  dense_instr_t next_q;  // the next instruction, its addresses worked out
  logic [31:0]  next_p0_q;
  logic [15:0]  next_addr_q [4];

  hao_fifo_pair #(
    .Width(129)
  ) i_words (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (word_valid_i),
    .in_ready_o (word_ready_o),
    .in_data_i  ({word_last_i, word_i}),
    .out_valid_o(valid),
    .out_ready_i(sent),
    .out_data_o ({last, word})
  );

  assign cmd_ready_o = !ready_q;
  assign take        = cmd_valid_i && !ready_q;
  assign start       = ready_q && (!active_q || (sent && last));

  always_comb begin
    wr_valid_o      = valid && feature_q;
    win_wr_valid_o  = valid && window_q;
    disp_wr_valid_o = valid && disp_q;
    sent            = (wr_valid_o && wr_ready_i) || (win_wr_valid_o && win_wr_ready_i) ||
                      disp_wr_valid_o;
    stall_o         = (wr_valid_o && !wr_ready_i) || (win_wr_valid_o && !win_wr_ready_i);
  end

  for (genvar l = 0; l < 16; l++) begin : gen_lane
    assign wr_sel_o[l] = lane_sel_q[2*l+:2];
  end

  assign wr_data_o      = word;
  assign win_wr_data_o  = word;
  assign disp_wr_data_o = word[7:0];
  assign disp_wr_addr_o = wr_addr_o[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {start_q, placed_q, ready_q, active_q, feature_q, window_q, disp_q, done_o} <= '0;
    end else if (clear_i) begin
      {start_q, placed_q, ready_q, active_q, feature_q, window_q, disp_q, done_o} <= '0;
    end else begin
      ready_q  <= take || (ready_q && !start);
      start_q  <= start && destination_e'(next_q.dst) == DstWindow;
      if (start) begin
        active_q  <= 1'b1;
        feature_q <= destination_e'(next_q.dst) == DstFeature;
        disp_q    <= destination_e'(next_q.dst) == DstDisplacement;
      end else if (sent && last) begin
        {active_q, feature_q, disp_q} <= '0;
      end
      // its first place in the window is known two cycles after start_q
      placed_q <= start_q;
      window_q <= placed_q || (window_q && !(sent && last));
      done_o   <= sent && last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      next_q         <= cmd_i;
      next_p0_q      <= cmd_p0_i;
      next_addr_q[0] <= cmd_i.dst_base0 + cmd_p0_i[15:0];
      next_addr_q[1] <= cmd_i.dst_base1 + cmd_p0_i[15:0];
      next_addr_q[2] <= cmd_i.dst_base2 + cmd_p0_i[15:0];
      next_addr_q[3] <= cmd_i.dst_base3 + cmd_p0_i[15:0];
    end
    if (start) begin
      lane_sel_q <= next_q.lane_sel;
      wr_mask_o  <= next_q.lane_mask;
    end
    // Which of the two it would be is known before it is known whether.
    if (sent || (ready_q && !active_q)) begin
      for (int unsigned k = 0; k < 4; k++) begin
        wr_addr_o[k] <= ready_q && (!active_q || last) ? next_addr_q[k] : wr_addr_o[k] + 16'd1;
      end
    end
  end

  hao_window_writer #(
    .WinDepth(WinDepth)
  ) i_place (
    .clk_i,
    .rst_ni,
    .clear_i,
    .start_i    (start_q),  // next_q still holds the instruction that started
    .width_i    (next_q.out_w),
    .win_base_i (next_q.win_base),
    .win_rows_i (next_q.win_rows),
    .win_pitch_i(next_q.win_pitch),
    .win_slot0_i(next_q.win_slot0),
    .win_bank0_i(next_q.win_bank0),
    .valid_o    (place_valid),
    .next_i     (win_wr_valid_o && win_wr_ready_i),
    .bank_o     (win_wr_bank_o),
    .addr_o     (win_wr_addr_o)
  );

  logic unused;
  assign unused = ^{next_q, next_p0_q};

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) window_q |-> place_valid)
    else $error("hao_dense_scatter: a word for the window came before its place was known");
  if (TapEnable) begin : gen_tap
    import "DPI-C" context function void hao_tap(input int unit, input int seq, input int p,
                                                 input bit [127:0] data);
    int unsigned sequence_q, pixel_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        sequence_q <= 0;
      end else if (clear_i) begin
        sequence_q <= 0;
      end else if (sent) begin
        hao_tap(32'(UnitDense), sequence_q, pixel_q, word);
        if (last) sequence_q <= sequence_q + 1;
      end
    end
    always_ff @(posedge clk_i) begin
      if (start)     pixel_q <= next_p0_q;
      else if (sent) pixel_q <= pixel_q + 1;
    end
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   wr_valid_o && !wr_ready_i |=> wr_valid_o && $stable(wr_addr_o[0]))
    else $error("hao_dense_scatter: a waiting write changed");
`else
  logic unused_place;
  assign unused_place = place_valid;
`endif

endmodule
