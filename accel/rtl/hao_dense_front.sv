// Front of DENSE: prepares instructions, walks their weight tiles and pixels, and asks for the
// operands. Everything that follows a grant runs in step with it.
module hao_dense_front #(
  parameter int unsigned PI        = 16,
  parameter int unsigned PO        = 16,
  parameter int unsigned PX        = 2,
  parameter int unsigned WbWords   = 4096,
  parameter int unsigned LmEntries = 2048
) (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          clear_i,
  // Instruction
  input  logic          instr_valid_i,
  output logic          instr_ready_o,
  input  logic  [511:0] instr_i,
  // LOAD to the weight and list buffers
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
  // Words of weight tiles
  output logic          word_valid_o,
  output logic          word_w8_o,
  output logic    [3:0] word_index_o,
  output logic  [127:0] word_o,
  // Operands under way, with the grant (hao_dense_addr)
  output logic [PX-1:0] slot_load_o,
  output logic [PX-1:0] slot_en_o,
  output logic          beat_signed_o,
  output logic          beat_valid_o,
  output logic          beat_swap_o,
  output logic          beat_upper_o,
  output logic          beat_first_o,
  output logic          beat_last_o,
  output logic    [4:0] beat_group_o,
  output logic          beat_pair_o,
  output logic    [2:0] beat_mark_o,
  input  logic          drained_i,
  // The instruction for the way out, with the index of its first pixel
  output logic          out_valid_o,
  input  logic          out_ready_i,
  output hao_pkg::dense_instr_t out_instr_o,
  output logic   [31:0] out_p0_o
);

  import hao_pkg::*;

  localparam int unsigned GroupShift = PX == 2 ? 1 : 0;

  // Preparation; three parts take the instruction from here.
  dense_instr_t       instr;
  logic               prepared, accepted, tile_room, addr_room, wrap_two;
  logic        [31:0] pixels;
  logic        [15:0] place, row_place, wrap_place;
  logic signed [19:0] iy, wrap_ix;

  assign accepted    = tile_room && addr_room && out_ready_i;
  assign out_valid_o = prepared && accepted;
  assign out_instr_o = instr;

  hao_dense_setup #(
    .PX(PX)
  ) i_setup (
    .clk_i,
    .rst_ni,
    .clear_i,
    .instr_valid_i,
    .instr_ready_o,
    .instr_i     (dense_instr_t'(instr_i)),
    .valid_o     (prepared),
    .ready_i     (accepted),
    .instr_o     (instr),
    .p0_o        (out_p0_o),
    .pixels_o    (pixels),
    .place_o     (place),
    .iy_o        (iy),
    .row_place_o (row_place),
    .wrap_place_o(wrap_place),
    .wrap_ix_o   (wrap_ix),
    .wrap_two_o  (wrap_two)
  );

  // Weight tiles.
  typedef struct packed {
    logic [15:0] w_addr, list_addr, n_in, in_w;
    logic [3:0]  kernel;
    logic        w8;
    logic [31:0] chunks;
  } tile_cmd_t;

  tile_cmd_t    tile_cmd;
  logic         tile_cmd_valid, tile_cmd_ready, tile_valid, tile_ready, tile_first, tile_last;
  logic         tile_half, tile_final, tile_release;
  logic [15:0]  tile_base;
  logic [3:0]   tile_ky, tile_kx;
  logic [1:0]   unused_tile_level;

  hao_fifo #(
    .Width($bits(tile_cmd_t)),
    .Depth(2)
  ) i_tile_queue (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (prepared && accepted),
    .in_ready_o (tile_room),
    .in_data_i  ({instr.w_addr, instr.list_addr, instr.n_in, instr.in_w, instr.kernel, instr.w8,
                  pixels >> (5 + GroupShift)}),
    .out_valid_o(tile_cmd_valid),
    .out_ready_i(tile_cmd_ready),
    .out_data_o (tile_cmd),
    .level_o    (unused_tile_level)
  );

  hao_weight_tile #(
    .PO       (PO),
    .WbWords  (WbWords),
    .LmEntries(LmEntries)
  ) i_tiles (
    .clk_i,
    .rst_ni,
    .clear_i,
    .cmd_valid_i    (tile_cmd_valid),
    .cmd_ready_o    (tile_cmd_ready),
    .cmd_w_addr_i   (tile_cmd.w_addr),
    .cmd_w8_i       (tile_cmd.w8),
    .cmd_list_addr_i(tile_cmd.list_addr),
    .cmd_n_in_i     (tile_cmd.n_in),
    .cmd_kernel_i   (tile_cmd.kernel),
    .cmd_in_w_i     (tile_cmd.in_w),
    .cmd_chunks_i   (tile_cmd.chunks),
    .buf_wr_valid_i,
    .buf_wr_target_i,
    .buf_wr_addr_i,
    .buf_wr_data_i,
    .tile_valid_o   (tile_valid),
    .tile_ready_i   (tile_ready),
    .tile_base_o    (tile_base),
    .tile_ky_o      (tile_ky),
    .tile_kx_o      (tile_kx),
    .tile_first_o   (tile_first),
    .tile_last_o    (tile_last),
    .tile_half_o    (tile_half),
    .tile_final_o   (tile_final),
    .release_i      (tile_release),
    .w_valid_o      (word_valid_o),
    .w8_o           (word_w8_o),
    .w_index_o      (word_index_o),
    .w_data_o       (word_o)
  );

  // Pixels.
  typedef struct packed {
    logic        [15:0] in_w, in_h, out_w, place, row_place, wrap_place;
    logic         [3:0] stride, pad;
    logic               x_signed, tail_pair, wrap_two;
    logic         [4:0] tail;
    logic signed [19:0] iy, wrap_ix;
  } addr_cmd_t;

  addr_cmd_t  addr_cmd_in, addr_cmd;
  logic       addr_cmd_valid, addr_cmd_ready;
  logic [1:0] unused_addr_level;

  assign addr_cmd_in = '{in_w: instr.in_w, in_h: instr.in_h, out_w: instr.out_w, place: place,
                         row_place: row_place, wrap_place: wrap_place, stride: instr.stride,
                         pad: instr.pad, x_signed: instr.x_signed, tail_pair: pixels[0],
                         wrap_two: wrap_two, tail: pixels[GroupShift+:5], iy: iy,
                         wrap_ix: wrap_ix};

  hao_fifo #(
    .Width($bits(addr_cmd_t)),
    .Depth(2)
  ) i_addr_queue (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (prepared && accepted),
    .in_ready_o (addr_room),
    .in_data_i  (addr_cmd_in),
    .out_valid_o(addr_cmd_valid),
    .out_ready_i(addr_cmd_ready),
    .out_data_o (addr_cmd),
    .level_o    (unused_addr_level)
  );

  hao_dense_addr #(
    .PI(PI),
    .PO(PO),
    .PX(PX)
  ) i_addr (
    .clk_i,
    .rst_ni,
    .clear_i,
    .cmd_valid_i     (addr_cmd_valid),
    .cmd_ready_o     (addr_cmd_ready),
    .cmd_in_w_i      (addr_cmd.in_w),
    .cmd_in_h_i      (addr_cmd.in_h),
    .cmd_out_w_i     (addr_cmd.out_w),
    .cmd_stride_i    (addr_cmd.stride),
    .cmd_pad_i       (addr_cmd.pad),
    .cmd_x_signed_i  (addr_cmd.x_signed),
    .cmd_tail_i      (addr_cmd.tail),
    .cmd_tail_pair_i (addr_cmd.tail_pair),
    .cmd_place_i     (addr_cmd.place),
    .cmd_iy_i        (addr_cmd.iy),
    .cmd_row_place_i (addr_cmd.row_place),
    .cmd_wrap_place_i(addr_cmd.wrap_place),
    .cmd_wrap_ix_i   (addr_cmd.wrap_ix),
    .cmd_wrap_two_i  (addr_cmd.wrap_two),
    .tile_valid_i    (tile_valid),
    .tile_ready_o    (tile_ready),
    .tile_base_i     (tile_base),
    .tile_ky_i       (tile_ky),
    .tile_kx_i       (tile_kx),
    .tile_first_i    (tile_first),
    .tile_last_i     (tile_last),
    .tile_half_i     (tile_half),
    .tile_final_i    (tile_final),
    .release_o       (tile_release),
    .drained_i,
    .rd_req_valid_o,
    .rd_req_ready_i,
    .rd_req_need_o,
    .rd_req_en_o,
    .rd_req_addr_o,
    .slot_load_o,
    .slot_en_o,
    .beat_signed_o,
    .beat_valid_o,
    .beat_swap_o,
    .beat_upper_o,
    .beat_first_o,
    .beat_last_o,
    .beat_group_o,
    .beat_pair_o,
    .beat_mark_o
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   prepared && accepted |-> tile_room && addr_room)
    else $error("hao_dense_front: an instruction was dropped");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   beat_valid_o |-> slot_load_o != '0)
    else $error("hao_dense_front: a group without an operand");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   tile_release |-> beat_valid_o && beat_swap_o)
    else $error("hao_dense_front: weights were released before they were used");
`endif

endmodule
