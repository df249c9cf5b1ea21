// DENSE (docs/isa.md): convolution of one block of 16 output channels, PI x PO x PX
// multiply-accumulates a cycle.
//
//   front: setup -+-> weight_tile -- tiles --> addr -- requests --> feature memory
//                 |        +- words -+          + beats (delayed)        |
//                 |               mac_array <------------- operands -----+
//                 |                  +- sums --> accumulator
//                 |                                  +--> out: requant --> scatter --> memories
//                 +------ parameters, destination ---------+
//
// All decisions are made before a read is asked for: the weights are on their way, and the last
// pass over a chunk owns places in the drain buffer. From the grant on nothing can stall: operands
// come FmReadLatency cycles later, sums MacLatency cycles after those. Every part takes the next
// instruction as soon as it is done with its own, so a read may pass an earlier instruction's
// writes: programs name that dependency (dep_dense).
module hao_dense #(
  parameter int unsigned PI        = 16,
  parameter int unsigned PO        = 16,
  parameter int unsigned PX        = 2,
  parameter int unsigned WbWords   = 4096,
  parameter int unsigned PbWords   = 1024,
  parameter int unsigned LmEntries = 2048,
  parameter int unsigned WinDepth  = 512,
  parameter bit          TapEnable = 1'b0
) (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          clear_i,
  // Instruction
  input  logic          instr_valid_i,
  output logic          instr_ready_o,
  input  logic  [511:0] instr_i,
  output logic          done_o,
  output logic          busy_o,
  output logic          stall_o,
  // LOAD to the weight, parameter and list buffers
  input  logic          buf_wr_valid_i,
  input  logic    [1:0] buf_wr_target_i,
  input  logic   [15:0] buf_wr_addr_i,
  input  logic  [127:0] buf_wr_data_i,
  // Feature memory
  output logic          rd_req_valid_o,
  input  logic          rd_req_ready_i,
  output logic [PX-1:0] rd_req_need_o,
  output logic [PX-1:0] rd_req_en_o,
  output logic   [15:0] rd_req_addr_o [PX],
  input  logic          rd_rsp_valid_i,
  input  logic  [127:0] rd_rsp_data_i [PX],
  output logic          wr_valid_o,
  input  logic          wr_ready_i,
  output logic   [15:0] wr_addr_o [4],
  output logic    [1:0] wr_sel_o [16],
  output logic   [15:0] wr_mask_o,
  output logic  [127:0] wr_data_o,
  // Window
  output logic          win_wr_valid_o,
  input  logic          win_wr_ready_i,
  output logic    [3:0] win_wr_bank_o,
  output logic   [11:0] win_wr_addr_o,
  output logic  [127:0] win_wr_data_o,
  // Displacement map
  output logic          disp_wr_valid_o,
  output logic   [15:0] disp_wr_addr_o,
  output logic    [7:0] disp_wr_data_o
);

  import hao_pkg::*;

  localparam int unsigned MacLatency = 9;
  localparam int unsigned Latency    = FmReadLatency + MacLatency;
  localparam int unsigned InFlight   = 16;  // more than all parts hold

  typedef struct packed {
    logic       first, last, pair;
    logic [2:0] mark;
    logic [4:0] group;
  } beat_t;

  logic          drained, beat_signed, beat_valid, beat_swap, beat_upper, word_valid, word_w8;
  logic          out_valid, out_ready;
  beat_t         beat;
  logic [PX-1:0] slot_load, slot_en;
  logic [3:0]    word_index;
  logic [127:0]  word;
  logic [31:0]   out_p0;
  dense_instr_t  out_instr;

  hao_dense_front #(
    .PI       (PI),
    .PO       (PO),
    .PX       (PX),
    .WbWords  (WbWords),
    .LmEntries(LmEntries)
  ) i_front (
    .clk_i,
    .rst_ni,
    .clear_i,
    .instr_valid_i,
    .instr_ready_o,
    .instr_i,
    .buf_wr_valid_i,
    .buf_wr_target_i,
    .buf_wr_addr_i,
    .buf_wr_data_i,
    .rd_req_valid_o,
    .rd_req_ready_i,
    .rd_req_need_o,
    .rd_req_en_o,
    .rd_req_addr_o,
    .word_valid_o (word_valid),
    .word_w8_o    (word_w8),
    .word_index_o (word_index),
    .word_o       (word),
    .slot_load_o  (slot_load),
    .slot_en_o    (slot_en),
    .beat_signed_o(beat_signed),
    .beat_valid_o (beat_valid),
    .beat_swap_o  (beat_swap),
    .beat_upper_o (beat_upper),
    .beat_first_o (beat.first),
    .beat_last_o  (beat.last),
    .beat_group_o (beat.group),
    .beat_pair_o  (beat.pair),
    .beat_mark_o  (beat.mark),
    .drained_i    (drained),
    .out_valid_o  (out_valid),
    .out_ready_i  (out_ready),
    .out_instr_o  (out_instr),
    .out_p0_o     (out_p0)
  );

  // What travels beside the operands; index k is k + 1 cycles after the grant.
  logic [Latency-1:0]       valid_q;
  logic [FmReadLatency-1:0] signed_q, swap_q, upper_q;
  logic [PX-1:0]            load_q [FmReadLatency];
  logic [PX-1:0]            en_q   [FmReadLatency];
  beat_t                    beat_q [Latency];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
    end else if (clear_i) begin
      valid_q <= '0;
    end else begin
      valid_q <= {valid_q[Latency-2:0], beat_valid};
    end
  end

  always_ff @(posedge clk_i) begin
    signed_q  <= {signed_q[FmReadLatency-2:0], beat_signed};
    swap_q    <= {swap_q[FmReadLatency-2:0], beat_swap};
    upper_q   <= {upper_q[FmReadLatency-2:0], beat_upper};
    load_q[0] <= slot_load;
    en_q[0]   <= slot_en;
    for (int unsigned k = 1; k < FmReadLatency; k++) begin
      load_q[k] <= load_q[k-1];
      en_q[k]   <= en_q[k-1];
    end
    beat_q[0] <= beat;
    for (int unsigned k = 1; k < Latency; k++) beat_q[k] <= beat_q[k-1];
  end

  logic signed [19:0] sum [PX][PO];

  hao_mac_array #(
    .PI(PI),
    .PO(PO),
    .PX(PX)
  ) i_mac (
    .clk_i,
    .rst_ni,
    .clear_i,
    .w_valid_i (word_valid),
    .w8_i      (word_w8),
    .w_index_i (word_index),
    .w_data_i  (word),
    .x_load_i  (load_q[FmReadLatency-1]),
    .x_en_i    (en_q[FmReadLatency-1]),
    .x_signed_i(signed_q[FmReadLatency-1]),
    .x_data_i  (rd_rsp_data_i),
    .x_valid_i (valid_q[FmReadLatency-1]),
    .x_swap_i  (swap_q[FmReadLatency-1]),
    .x_upper_i (upper_q[FmReadLatency-1]),
    .sum_o     (sum)
  );

  // Sums and the way out.
  logic               acc_valid, acc_ready, acc_end;
  logic [2:0]         acc_mark;
  logic signed [26:0] acc [PO];

  hao_accumulator #(
    .PO(PO),
    .PX(PX)
  ) i_accumulator (
    .clk_i,
    .rst_ni,
    .clear_i,
    .ahead_valid_i(valid_q[Latency-2]),
    .ahead_first_i(beat_q[Latency-2].first),
    .ahead_group_i(beat_q[Latency-2].group),
    .valid_i      (valid_q[Latency-1]),
    .last_i       (beat_q[Latency-1].last),
    .group_i      (beat_q[Latency-1].group),
    .pair_i       (beat_q[Latency-1].pair),
    .mark_i       (beat_q[Latency-1].mark),
    .sum_i        (sum),
    .acc_valid_o  (acc_valid),
    .acc_ready_i  (acc_ready),
    .acc_o        (acc),
    .acc_end_o    (acc_end),
    .acc_mark_o   (acc_mark),
    .drained_o    (drained)
  );

  logic scatter_stall;

  hao_dense_out #(
    .PO       (PO),
    .PX       (PX),
    .PbWords  (PbWords),
    .WinDepth (WinDepth),
    .TapEnable(TapEnable)
  ) i_out (
    .clk_i,
    .rst_ni,
    .clear_i,
    .instr_valid_i(out_valid),
    .instr_ready_o(out_ready),
    .instr_i      (out_instr),
    .instr_p0_i   (out_p0),
    .buf_wr_valid_i,
    .buf_wr_target_i,
    .buf_wr_addr_i,
    .buf_wr_data_i,
    .acc_valid_i  (acc_valid),
    .acc_ready_o  (acc_ready),
    .acc_i        (acc),
    .acc_end_i    (acc_end),
    .acc_mark_i   (acc_mark),
    .wr_valid_o,
    .wr_ready_i,
    .wr_addr_o,
    .wr_sel_o,
    .wr_mask_o,
    .wr_data_o,
    .win_wr_valid_o,
    .win_wr_ready_i,
    .win_wr_bank_o,
    .win_wr_addr_o,
    .win_wr_data_o,
    .disp_wr_valid_o,
    .disp_wr_addr_o,
    .disp_wr_data_o,
    .done_o,
    .stall_o      (scatter_stall)
  );

  // Instructions under way.
  logic [$clog2(InFlight)-1:0] count_q;
  logic                        take;

  assign take    = instr_valid_i && instr_ready_o;
  assign busy_o  = count_q != '0;
  assign stall_o = scatter_stall || (rd_req_valid_o && !rd_req_ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)             count_q <= '0;
    else if (clear_i)        count_q <= '0;
    else if (take != done_o) count_q <= take ? count_q + 1'b1 : count_q - 1'b1;
  end

`ifndef SYNTHESIS
  logic [FmReadLatency-1:0] asked_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      asked_q <= '0;
    else if (clear_i) asked_q <= '0;
    else asked_q <= {asked_q[FmReadLatency-2:0], rd_req_valid_o && rd_req_ready_i};
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   asked_q[FmReadLatency-1] |-> rd_rsp_valid_i)
    else $error("hao_dense: the feature memory answered late");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   take |-> 32'(count_q) < InFlight - 1)
    else $error("hao_dense: more instructions under way than counted");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) done_o |-> busy_o)
    else $error("hao_dense: done without an instruction");
`else
  logic unused_response;
  assign unused_response = rd_rsp_valid_i;
`endif

endmodule
