// Way out of DENSE: sums to bytes (hao_requant), and with PO = 8 two halves to a word: the first
// half's bytes of a chunk wait here until the second half's come.
module hao_dense_out #(
  parameter int unsigned PO       = 16,
  parameter int unsigned PX       = 2,
  parameter int unsigned PbWords  = 1024,
  parameter int unsigned WinDepth = 512,
  parameter bit          TapEnable = 1'b0
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // Instructions, with the index of their first pixel
  input  logic               instr_valid_i,
  output logic               instr_ready_o,
  input  hao_pkg::dense_instr_t instr_i,
  input  logic        [31:0] instr_p0_i,
  // LOAD
  input  logic               buf_wr_valid_i,
  input  logic         [1:0] buf_wr_target_i,
  input  logic        [15:0] buf_wr_addr_i,
  input  logic       [127:0] buf_wr_data_i,
  // Sums
  input  logic               acc_valid_i,
  output logic               acc_ready_o,
  input  logic signed [26:0] acc_i [PO],
  input  logic               acc_end_i,    // last pixel of a group
  input  logic         [2:0] acc_mark_i,   // {outputs 8 to 15, last of chunk, of instruction}
  // Feature memory, window, displacement map
  output logic               wr_valid_o,
  input  logic               wr_ready_i,
  output logic        [15:0] wr_addr_o [4],
  output logic         [1:0] wr_sel_o [16],
  output logic        [15:0] wr_mask_o,
  output logic       [127:0] wr_data_o,
  output logic               win_wr_valid_o,
  input  logic               win_wr_ready_i,
  output logic         [3:0] win_wr_bank_o,
  output logic        [11:0] win_wr_addr_o,
  output logic       [127:0] win_wr_data_o,
  output logic               disp_wr_valid_o,
  output logic        [15:0] disp_wr_addr_o,
  output logic         [7:0] disp_wr_data_o,
  output logic               done_o,
  output logic               stall_o
);

  import hao_pkg::*;

  localparam int unsigned CmdWidth = InstrBits + 32;
  logic                cmd_valid, start;
  logic [CmdWidth-1:0] cmd;
  // verilator lint_off UNUSEDSIGNAL
  dense_instr_t        instr;
  // verilator lint_on UNUSEDSIGNAL
  logic [1:0]          unused_queue_level;

  hao_fifo #(
    .Width(CmdWidth),
    .Depth(2)
  ) i_queue (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (instr_valid_i),
    .in_ready_o (instr_ready_o),
    .in_data_i  ({instr_p0_i, instr_i}),
    .out_valid_o(cmd_valid),
    .out_ready_i(start),
    .out_data_o (cmd),
    .level_o    (unused_queue_level)
  );

  assign instr = dense_instr_t'(cmd[InstrBits-1:0]);

  // Tag of a beat: {outputs 8 to 15, last of the chunk, last of the instruction}.
  logic [2:0] tag_in, tag;

  // Parameters: loaded for the instruction at the head of the queue, used when the one before has
  // left.
  logic               asked_q, active_q, load, loaded, beat, chain_ready;
  logic signed [26:0] bias_all [16], bias [PO];
  logic        [16:0] mult_all [16], mult [PO];
  logic         [2:0] shift_all [16], shift [PO];
  logic signed [15:0] lo_q, hi_q;

  assign load  = cmd_valid && !asked_q;
  assign start = loaded && chain_ready && (!active_q || (beat && tag_in[0]));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      asked_q  <= 1'b0;
      active_q <= 1'b0;
    end else if (clear_i) begin
      asked_q  <= 1'b0;
      active_q <= 1'b0;
    end else begin
      if (start)     asked_q <= 1'b0;
      else if (load) asked_q <= 1'b1;
      if (start)                  active_q <= 1'b1;
      else if (beat && tag_in[0]) active_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      lo_q <= instr.lo;
      hi_q <= instr.hi;
    end
  end

  hao_dense_params #(
    .PbWords(PbWords)
  ) i_params (
    .clk_i,
    .rst_ni,
    .clear_i,
    .buf_wr_valid_i,
    .buf_wr_target_i,
    .buf_wr_addr_i,
    .buf_wr_data_i,
    .load_i  (load),
    .p_addr_i(instr.p_addr),
    .loaded_o(loaded),
    .use_i   (start),
    .bias_o  (bias_all),
    .mult_o  (mult_all),
    .shift_o (shift_all)
  );

  for (genvar o = 0; o < PO; o++) begin : gen_lane
    assign bias[o]  = (PO == 8 && acc_mark_i[2]) ? bias_all[(o+8)%16] : bias_all[o];
    assign mult[o]  = (PO == 8 && acc_mark_i[2]) ? mult_all[(o+8)%16] : mult_all[o];
    assign shift[o] = (PO == 8 && acc_mark_i[2]) ? shift_all[(o+8)%16] : shift_all[o];
  end

  logic            lanes_ready, result_valid, result_ready;
  logic [7:0]      result [PO];
  logic [8*PO-1:0] bytes;

  assign tag_in      = {acc_mark_i[2], acc_mark_i[1:0] & {2{acc_end_i}}};
  assign acc_ready_o = active_q && lanes_ready;
  assign beat        = acc_valid_i && acc_ready_o;

  hao_requant #(
    .NumLanes(PO),
    .TagWidth(3)
  ) i_requant (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i     (acc_valid_i && active_q),
    .ready_o     (lanes_ready),
    .accumulate_i(1'b0),
    .last_i      (1'b1),
    .acc_i,
    .bias_i      (bias),
    .mult_i      (mult),
    .shift_i     (shift),
    .lo_i        (lo_q),
    .hi_i        (hi_q),
    .tag_i       (tag_in),
    .valid_o     (result_valid),
    .ready_i     (result_ready),
    .data_o      (result),
    .tag_o       (tag)
  );

  for (genvar o = 0; o < PO; o++) begin : gen_bytes
    assign bytes[8*o+:8] = result[o];
  end

  logic         word_valid, word_ready;
  logic [127:0] word;

  if (PO == 16) begin : gen_whole
    assign word_valid   = result_valid;
    assign result_ready = word_ready;
    assign word         = bytes;
    logic unused_tag;
    assign unused_tag = ^tag[2:1];
  end else begin : gen_merge
    localparam int unsigned Depth = 32 * PX;
    (* ram_style = "distributed" *) logic [63:0] lower_mem_q [Depth];
    logic [$clog2(Depth)-1:0] index_q;

    assign word_valid   = result_valid && tag[2];
    assign result_ready = !tag[2] || word_ready;
    assign word         = {bytes, lower_mem_q[index_q]};

    always_ff @(posedge clk_i) begin
      if (result_valid && !tag[2]) lower_mem_q[index_q] <= bytes;
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)                           index_q <= '0;
      else if (clear_i)                      index_q <= '0;
      else if (result_valid && result_ready) index_q <= tag[1] ? '0 : index_q + 1'b1;
    end
  end

  // Destinations.
  logic                dst_valid, dst_ready;
  logic [CmdWidth-1:0] dst_cmd;
  logic [1:0]          unused_level;

  hao_fifo #(
    .Width(CmdWidth),
    .Depth(2)
  ) i_destinations (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (start),
    .in_ready_o (chain_ready),
    .in_data_i  (cmd),
    .out_valid_o(dst_valid),
    .out_ready_i(dst_ready),
    .out_data_o (dst_cmd),
    .level_o    (unused_level)
  );

  hao_dense_scatter #(
    .WinDepth (WinDepth),
    .TapEnable(TapEnable)
  ) i_scatter (
    .clk_i,
    .rst_ni,
    .clear_i,
    .cmd_valid_i (dst_valid),
    .cmd_ready_o (dst_ready),
    .cmd_i       (dense_instr_t'(dst_cmd[InstrBits-1:0])),
    .cmd_p0_i    (dst_cmd[CmdWidth-1:InstrBits]),
    .word_valid_i(word_valid),
    .word_ready_o(word_ready),
    .word_i      (word),
    .word_last_i (tag[0]),
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
    .stall_o
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   result_valid && tag[0] |-> tag[1] && (PO == 16 || tag[2]))
    else $error("hao_dense_out: an instruction ends inside a chunk");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   start |-> cmd_valid && asked_q)
    else $error("hao_dense_out: parameters without an instruction");
`endif

endmodule
