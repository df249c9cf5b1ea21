// Results of unit DW to the feature memory: a buffer of Depth words, then one masked write a word
// to the planes of its instruction. done_o follows the acceptance of an instruction's last word.
//
// word_valid_i is never refused: the sender keeps no more than Depth words between here and
// itself, pop_o gives one place back.
module hao_dw_scatter #(
  parameter int unsigned Depth     = 32,
  parameter bit          TapEnable = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  // One entry an instruction, in order, before its first word
  input  logic         info_valid_i,
  output logic         info_ready_o,
  input  logic [15:0]  pixel_i,
  input  logic [15:0]  dst_addr_i [4],
  input  logic [31:0]  lane_sel_i,
  input  logic [15:0]  lane_mask_i,
  // Words
  input  logic         word_valid_i,
  input  logic         word_last_i,
  input  logic [127:0] word_i,
  output logic         pop_o,
  // Feature memory
  output logic         wr_valid_o,
  input  logic         wr_ready_i,
  output logic [15:0]  wr_addr_o [4],
  output logic [1:0]   wr_sel_o  [hao_pkg::Lanes],
  output logic [15:0]  wr_mask_o,
  output logic [127:0] wr_data_o,
  output logic         done_o,
  output logic         busy_o
);

  import hao_pkg::*;

  localparam int unsigned InfoDepth = 4;

  typedef struct packed {
    logic [15:0]      pixel;
    logic [3:0][15:0] dst;
    logic [31:0]      lane_sel;
    logic [15:0]      lane_mask;
  } info_t;

  // verilator lint_off UNUSEDSIGNAL
  info_t                          info_in, info;  // pixel serves the trace alone
  // verilator lint_on UNUSEDSIGNAL
  logic                           info_valid, word_valid, last, last_q, load;
  logic                           unused_ready;
  logic [WordBits-1:0]            word;
  logic [15:0]                    count_q;
  logic [$clog2(InfoDepth+1)-1:0] unused_info_level;
  logic [$clog2(Depth+1)-1:0]     unused_level;

  assign info_in = '{pixel: pixel_i, lane_sel: lane_sel_i, lane_mask: lane_mask_i,
                     dst: {dst_addr_i[3], dst_addr_i[2], dst_addr_i[1], dst_addr_i[0]}};

  hao_fifo #(
    .Width($bits(info_t)),
    .Depth(InfoDepth)
  ) i_info (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (info_valid_i),
    .in_ready_o (info_ready_o),
    .in_data_i  (info_in),
    .out_valid_o(info_valid),
    .out_ready_i(load && last),
    .out_data_o (info),
    .level_o    (unused_info_level)
  );

  hao_fifo #(
    .Width(WordBits + 1),
    .Depth(Depth)
  ) i_words (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (word_valid_i),
    .in_ready_o (unused_ready),
    .in_data_i  ({word_last_i, word_i}),
    .out_valid_o(word_valid),
    .out_ready_i(load),
    .out_data_o ({last, word}),
    .level_o    (unused_level)
  );

  assign load   = word_valid && (!wr_valid_o || wr_ready_i);
  assign pop_o  = load;
  assign busy_o = info_valid || wr_valid_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_valid_o <= 1'b0;
      count_q    <= '0;
      done_o     <= 1'b0;
    end else if (clear_i) begin
      wr_valid_o <= 1'b0;
      count_q    <= '0;
      done_o     <= 1'b0;
    end else begin
      if (load) begin
        wr_valid_o <= 1'b1;
        count_q    <= last ? '0 : count_q + 16'd1;
      end else if (wr_ready_i) begin
        wr_valid_o <= 1'b0;
      end
      done_o <= wr_valid_o && wr_ready_i && last_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      last_q    <= last;
      wr_mask_o <= info.lane_mask;
      wr_data_o <= word;
    end
  end
  for (genvar k = 0; k < 4; k++) begin : gen_addr
    always_ff @(posedge clk_i) begin
      if (load) wr_addr_o[k] <= info.dst[k] + count_q;
    end
  end
  for (genvar l = 0; l < Lanes; l++) begin : gen_sel
    always_ff @(posedge clk_i) begin
      if (load) wr_sel_o[l] <= info.lane_sel[2*l+:2];
    end
  end

`ifndef SYNTHESIS
  if (TapEnable) begin : gen_trace
    import "DPI-C" context function void hao_tap(input int unit, input int seq, input int p,
                                                 input bit [127:0] data);
    int sequence_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        sequence_q <= 0;
      end else if (clear_i) begin
        sequence_q <= 0;
      end else if (load) begin
        hao_tap(32'(UnitDw), sequence_q, 32'(16'(info.pixel + count_q)), word);
        if (last) sequence_q <= sequence_q + 1;
      end
    end
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) word_valid_i |-> unused_ready)
    else $error("hao_dw_scatter: a word met a full buffer");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) load |-> info_valid)
    else $error("hao_dw_scatter: a word without an instruction");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   wr_valid_o && !wr_ready_i |=> wr_valid_o && $stable(wr_mask_o))
    else $error("hao_dw_scatter: a waiting write was withdrawn");
`endif

endmodule
