// Unit DW: depthwise, deformable, pooling (DW) and residual add (ADD), on one set of
// requantization lanes. One output word a cycle with DwLanes = 16, two cycles with 8; ADD takes
// twice that.
//
//   prepare -> walk, addresses -> window -> core ----+
//          \-> params ------------------------------ +-> requantization -> scatter -> memory
//          \-> add <- feature memory ----------------+
//
// No stage between a pixel's start and the result buffer can wait: a pixel starts only when the
// buffer has a free place for its word. Operands of ADD enter the lanes once no DW pixel is on its
// way, so results keep the program's order.
module hao_dw #(
  parameter int unsigned DwLanes     = 16,
  parameter int unsigned PbWords     = 1024,
  parameter int unsigned DispEntries = 4096,
  parameter bit          TapEnable   = 1'b0
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         clear_i,
  // Instruction
  input  logic                         instr_valid_i,
  output logic                         instr_ready_o,
  input  logic [511:0]                 instr_i,
  output logic                         done_o,
  output logic                         busy_o,
  output logic                         stall_o,
  // Parameters from LOAD, displacements from DENSE
  input  logic                         buf_wr_valid_i,
  input  logic [1:0]                   buf_wr_target_i,
  input  logic [15:0]                  buf_wr_addr_i,
  input  logic [127:0]                 buf_wr_data_i,
  input  logic                         disp_wr_valid_i,
  input  logic [15:0]                  disp_wr_addr_i,
  input  logic [7:0]                   disp_wr_data_i,
  // Window
  output logic                         win_rd_valid_o,
  output logic [hao_pkg::Taps-1:0]     win_rd_en_o,
  output logic [3:0]                   win_rd_bank_o [hao_pkg::Taps],
  output logic [11:0]                  win_rd_addr_o [hao_pkg::Taps],
  input  logic                         win_rd_valid_i,
  input  logic [hao_pkg::WordBits-1:0] win_rd_data_i [hao_pkg::Taps],
  // Feature memory, operands of ADD
  output logic                         rd_req_valid_o,
  input  logic                         rd_req_ready_i,
  output logic [15:0]                  rd_req_addr_o,
  input  logic                         rd_rsp_valid_i,
  input  logic [127:0]                 rd_rsp_data_i,
  // Feature memory, results
  output logic                         wr_valid_o,
  input  logic                         wr_ready_i,
  output logic [15:0]                  wr_addr_o [4],
  output logic [1:0]                   wr_sel_o  [hao_pkg::Lanes],
  output logic [15:0]                  wr_mask_o,
  output logic [127:0]                 wr_data_o
);

  import hao_pkg::*;

  localparam int unsigned Depth = 32;  // covers the way from a pixel's start to the result buffer

  // The next instruction, and the start of its work.
  logic        prep_ready, prep_busy, take_dw, is_add, info_ready, loaded;
  logic        ready_dw_q, ready_add_q, free, start, start_dw, start_add, started_q;
  logic        walk_active, walk_fire, walk_last, walk_result, add_active;
  dw_instr_t   dw_instr;
  add_instr_t  add_instr;
  logic [15:0] pixel, dst_addr [4], src_addr [2];
  logic [11:0] row_addr, span;

  hao_dw_prepare i_prepare (
    .clk_i, .rst_ni, .clear_i,
    .instr_valid_i, .instr_ready_o, .instr_i,
    .take_dw_o (take_dw),
    .busy_o    (prep_busy),
    .ready_o   (prep_ready),
    .start_i   (start),
    .is_add_o  (is_add),
    .dw_o      (dw_instr),
    .add_o     (add_instr),
    .pixel_o   (pixel),
    .dst_addr_o(dst_addr),
    .src_addr_o(src_addr),
    .row_addr_o(row_addr),
    .span_o    (span)
  );

  // What the next instruction itself needs is looked at a cycle before it starts; where its results
  // go is noted a cycle after: hao_dw_prepare keeps it that long.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      {ready_dw_q, ready_add_q, started_q} <= '0;
    else if (clear_i) {ready_dw_q, ready_add_q, started_q} <= '0;
    else begin
      {ready_dw_q, ready_add_q} <= {2{prep_ready && info_ready && !start}} &
                                   {!is_add && loaded, is_add};
      started_q <= start;
    end
  end
  assign free = (!walk_active || (walk_fire && walk_last)) && !add_active;
  assign {start_dw, start_add} = {ready_dw_q, ready_add_q} & {2{free}};
  assign start = (ready_dw_q || ready_add_q) && free;

  // Room in the result buffer, decided a cycle ahead, and pixels between walk and core.
  logic [$clog2(Depth+1)-1:0] used_q;
  logic [4:0]                 under_way_q;
  logic                       reserve, pop, room_q, add_begin;
  logic [1:0]                 core_words;

  assign reserve = (walk_fire && walk_result) || add_begin;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {used_q, under_way_q} <= '0;
      room_q <= 1'b1;
    end else if (clear_i) begin
      {used_q, under_way_q} <= '0;
      room_q <= 1'b1;
    end else begin
      room_q <= pop || (room_q && !(reserve && 32'(used_q) == Depth - 1));
      if (reserve != pop) used_q <= reserve ? used_q + 1'b1 : used_q - 1'b1;
      if (walk_fire || core_words != '0)
        under_way_q <= under_way_q + 5'(walk_fire) - 5'(core_words);
    end
  end

  // Addresses to the window.
  logic rd_first, rd_last;

  hao_dw_addr #(
    .DispEntries(DispEntries),
    .Pace       (Lanes / DwLanes),
    .Pairs      (DwLanes == 16)
  ) i_addr (
    .clk_i, .rst_ni, .clear_i,
    .disp_wr_valid_i, .disp_wr_addr_i, .disp_wr_data_i,
    .start_i      (start_dw),
    .instr_i      (dw_instr),
    .row_addr_i   (row_addr),
    .span_i       (span),
    .disp_addr_i  (src_addr[0]),
    .active_o     (walk_active),
    .go_i         (room_q),
    .fire_o       (walk_fire),
    .fire_last_o  (walk_last),
    .fire_result_o(walk_result),
    .rd_valid_o   (win_rd_valid_o),
    .rd_first_o   (rd_first),
    .rd_last_o    (rd_last),
    .rd_en_o      (win_rd_en_o),
    .rd_bank_o    (win_rd_bank_o),
    .rd_addr_o    (win_rd_addr_o)
  );

  // Parameters change in front of the first word of an instruction.
  dw_mode_e           mode;
  logic               x_signed, take_taps, take_requant;
  logic signed [7:0]  weight [Lanes][Taps];
  logic signed [15:0] lo, hi;
  logic signed [26:0] bias   [Lanes];
  logic [16:0]        mult   [Lanes];
  logic [2:0]         shift  [Lanes];

  hao_dw_params #(
    .PbWords(PbWords)
  ) i_params (
    .clk_i, .rst_ni, .clear_i,
    .buf_wr_valid_i, .buf_wr_target_i, .buf_wr_addr_i, .buf_wr_data_i,
    .load_i        (take_dw),
    .instr_i       (dw_instr_t'(instr_i)),
    .loaded_o      (loaded),
    .start_i       (start_dw),
    .take_taps_i   (take_taps),
    .take_requant_i(take_requant),
    .mode_o        (mode),
    .x_signed_o    (x_signed),
    .weight_o      (weight),
    .lo_o          (lo), .hi_o(hi),
    .bias_o        (bias),
    .mult_o        (mult),
    .shift_o       (shift)
  );

  logic               core_valid, core_half, core_two, core_result, core_two_result, core_last;
  logic signed [26:0] core_acc [DwLanes];

  hao_dw_core #(
    .DwLanes(DwLanes)
  ) i_core (
    .clk_i, .rst_ni, .clear_i,
    .ask_valid_i   (win_rd_valid_o),
    .ask_first_i   (rd_first),
    .ask_last_i    (rd_last),
    .ask_live_i    (win_rd_en_o),
    .valid_i       (win_rd_valid_i),
    .data_i        (win_rd_data_i),
    .mode_i        (mode),
    .x_signed_i    (x_signed),
    .weight_i      (weight),
    .take_taps_o   (take_taps),
    .take_requant_o(take_requant),
    .valid_o       (core_valid),
    .half_o        (core_half),
    .two_o         (core_two),
    .result_o      (core_result),
    .two_result_o  (core_two_result),
    .last_o        (core_last),
    .acc_o         (core_acc)
  );

  assign core_words = !(core_valid && core_half) ? 2'd0 : core_two ? 2'd2 : 2'd1;

  // Residual add.
  logic               add_valid, add_second, add_half, add_last;
  logic signed [8:0]  add_value [DwLanes];
  logic [16:0]        add_mult;
  logic [2:0]         add_shift;
  logic signed [15:0] add_lo, add_hi;

  hao_dw_add #(
    .DwLanes(DwLanes)
  ) i_add (
    .clk_i, .rst_ni, .clear_i,
    .start_i   (start_add),
    .instr_i   (add_instr),
    .src_addr_i(src_addr),
    .active_o  (add_active),
    .rd_req_valid_o, .rd_req_ready_i, .rd_req_addr_o, .rd_rsp_valid_i, .rd_rsp_data_i,
    .go_i      (room_q && under_way_q == '0),
    .begin_o   (add_begin),
    .valid_o   (add_valid),
    .second_o  (add_second),
    .half_o    (add_half),
    .last_o    (add_last),
    .value_o   (add_value),
    .mult_o    (add_mult),
    .shift_o   (add_shift),
    .lo_o      (add_lo), .hi_o(add_hi)
  );

  // Requantization and results.
  logic                word_valid, word_last, scatter_busy;
  logic [WordBits-1:0] word;

  hao_dw_requant #(
    .DwLanes(DwLanes)
  ) i_requant (
    .clk_i, .rst_ni, .clear_i,
    .core_beat_i (core_valid),
    .core_valid_i(core_valid && core_result),
    .core_half_i (core_half),
    .core_two_i  (core_two_result),
    .core_last_i (core_last),
    .core_acc_i  (core_acc),
    .lo_i        (lo), .hi_i(hi),
    .bias_i      (bias), .mult_i(mult), .shift_i(shift),
    .add_valid_i (add_valid),
    .add_second_i(add_second),
    .add_half_i  (add_half),
    .add_last_i  (add_last),
    .add_value_i (add_value),
    .add_mult_i  (add_mult),
    .add_shift_i (add_shift),
    .add_lo_i    (add_lo), .add_hi_i(add_hi),
    .word_valid_o(word_valid),
    .word_last_o (word_last),
    .word_o      (word)
  );

  hao_dw_scatter #(
    .Depth    (Depth),
    .TapEnable(TapEnable)
  ) i_scatter (
    .clk_i, .rst_ni, .clear_i,
    .info_valid_i(started_q),
    .info_ready_o(info_ready),
    .pixel_i     (pixel), .dst_addr_i(dst_addr),
    .lane_sel_i  (dw_instr.lane_sel),
    .lane_mask_i (dw_instr.lane_mask),
    .word_valid_i(word_valid),
    .word_last_i (word_last),
    .word_i      (word),
    .pop_o       (pop),
    .wr_valid_o, .wr_ready_i, .wr_addr_o, .wr_sel_o, .wr_mask_o, .wr_data_o,
    .done_o,
    .busy_o      (scatter_busy)
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   room_q == (32'(used_q) < Depth))
    else $error("hao_dw: %0d places used", used_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) started_q |-> info_ready)
    else $error("hao_dw: an instruction's destination found no place");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) pop |-> used_q != '0)
    else $error("hao_dw: a place was given back that nobody held");
`endif

  assign busy_o  = prep_busy || walk_active || add_active || scatter_busy;
  assign stall_o = (wr_valid_o && !wr_ready_i) || (rd_req_valid_o && !rd_req_ready_i);
endmodule
