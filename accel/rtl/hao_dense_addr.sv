// Walks the input pixels of DENSE and reads them: for every tile (hao_weight_tile) all pixel groups
// of the chunk. PX lanes (hao_dense_lane) step from pixel to pixel by additions and go back to the
// start of the chunk for the next pass; the tile adds its plane and tap. Requests wait in a buffer
// of two; two pixels in one bank make two requests, pixels outside the map none. A beat is a group
// whose operands are all asked for; beat_* come with its (last) grant.
module hao_dense_addr #(
  parameter int unsigned PI = 16,
  parameter int unsigned PO = 16,
  parameter int unsigned PX = 2,
  parameter int unsigned Credits = 32  // entries of the drain buffer
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // Instructions, prepared by hao_dense_setup
  input  logic               cmd_valid_i,
  output logic               cmd_ready_o,
  input  logic        [15:0] cmd_in_w_i,
  input  logic        [15:0] cmd_in_h_i,
  input  logic        [15:0] cmd_out_w_i,
  input  logic         [3:0] cmd_stride_i,
  input  logic         [3:0] cmd_pad_i,
  input  logic               cmd_x_signed_i,
  input  logic         [4:0] cmd_tail_i,        // groups of the last chunk less 1
  input  logic               cmd_tail_pair_i,   // the last group has two pixels
  input  logic        [15:0] cmd_place_i,
  input  logic signed [19:0] cmd_iy_i,
  input  logic        [15:0] cmd_row_place_i,
  input  logic        [15:0] cmd_wrap_place_i,
  input  logic signed [19:0] cmd_wrap_ix_i,
  input  logic               cmd_wrap_two_i,
  // Tiles
  input  logic               tile_valid_i,
  output logic               tile_ready_o,
  input  logic        [15:0] tile_base_i,
  input  logic         [3:0] tile_ky_i,
  input  logic         [3:0] tile_kx_i,
  input  logic               tile_first_i,
  input  logic               tile_last_i,
  input  logic               tile_half_i,
  input  logic               tile_final_i,
  output logic               release_o,         // the tile taken last leaves the shadow registers
  input  logic               drained_i,         // one more entry of the drain buffer is free
  // Feature memory
  output logic               rd_req_valid_o,
  input  logic               rd_req_ready_i,
  output logic      [PX-1:0] rd_req_need_o,     // banks that it touches
  output logic      [PX-1:0] rd_req_en_o,
  output logic        [15:0] rd_req_addr_o [PX],
  // Operands under way
  output logic      [PX-1:0] slot_load_o,       // pixels that this grant completes
  output logic      [PX-1:0] slot_en_o,         // ... inside the map
  output logic               beat_signed_o, beat_valid_o,
  output logic               beat_swap_o,       // first beat with these weights
  output logic               beat_upper_o,      // PI = 8: lanes 8 to 15
  output logic               beat_first_o, beat_last_o,  // first, last pass
  output logic         [4:0] beat_group_o,
  output logic               beat_pair_o,       // the group has two pixels
  output logic         [2:0] beat_mark_o        // {outputs 8 to 15, last of chunk, of instruction}
);

  localparam int unsigned CreditWidth = $clog2(Credits + 1);

  if ((PI != 8 && PI != 16) || (PO != 8 && PO != 16) || (PX != 1 && PX != 2)) begin : gen_check
    $error("hao_dense_addr: PI %0d, PO %0d, PX %0d: out of range", PI, PO, PX);
  end

  // Instruction, pass, group.
  logic        active_q, pass_q, upper_q, first_q, last_q, half_q, final_q;
  logic [15:0] in_w_q, in_h_q, out_w_q, base_q, wrap_place_q;
  logic [3:0]  ky_q, kx_q, stride_q;
  logic [4:0]  group_q, limit_q, limit, tail_q;
  logic        x_signed_q, tail_pair_q, wrap_two_q;
  logic        group_end_q, credit_q;  // group_q == limit_q, credits_q != 0
  logic signed [19:0]     wrap_ix_q;
  logic [CreditWidth-1:0] credits_q;
  logic start, take, emit, spend, last_pass, walk_end, tile_end, chunk_end, instr_end, queue_ready;

  assign last_pass    = last_q && (PI == 16 || upper_q);
  assign emit         = pass_q && queue_ready && (!last_pass || credit_q);
  assign spend        = emit && last_pass;
  assign walk_end     = emit && group_end_q;
  assign limit        = !tile_final_i ? '1 : start ? cmd_tail_i : tail_q;
  assign tile_end     = walk_end && (PI == 16 || upper_q);
  assign chunk_end    = tile_end && last_q && (PO == 16 || half_q);
  assign instr_end    = chunk_end && final_q;
  assign start        = cmd_valid_i && (!active_q || instr_end);
  assign cmd_ready_o  = !active_q || instr_end;
  assign tile_ready_o = (!pass_q || tile_end) && (start || (active_q && !instr_end));
  assign take         = tile_valid_i && tile_ready_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {active_q, pass_q, credit_q} <= 3'b001;
      credits_q <= CreditWidth'(Credits);
    end else if (clear_i) begin
      {active_q, pass_q, credit_q} <= 3'b001;
      credits_q <= CreditWidth'(Credits);
    end else begin
      credit_q <= drained_i || (credit_q && !(spend && credits_q == CreditWidth'(1)));
      if (start)          active_q <= 1'b1;
      else if (instr_end) active_q <= 1'b0;
      if (take)           pass_q <= 1'b1;
      else if (tile_end)  pass_q <= 1'b0;
      if (spend != drained_i) credits_q <= spend ? credits_q - CreditWidth'(1)
                                                 : credits_q + CreditWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      in_w_q       <= cmd_in_w_i;
      in_h_q       <= cmd_in_h_i;
      out_w_q      <= cmd_out_w_i;
      stride_q     <= cmd_stride_i;
      x_signed_q   <= cmd_x_signed_i;
      tail_q       <= cmd_tail_i;
      tail_pair_q  <= cmd_tail_pair_i;
      wrap_place_q <= cmd_wrap_place_i;
      wrap_ix_q    <= cmd_wrap_ix_i;
      wrap_two_q   <= cmd_wrap_two_i;
    end
    if (take) begin
      base_q  <= tile_base_i;
      ky_q    <= tile_ky_i;
      kx_q    <= tile_kx_i;
      first_q <= tile_first_i;
      last_q  <= tile_last_i;
      half_q  <= tile_half_i;
      final_q <= tile_final_i;
      limit_q <= limit;
    end
    if (take)          group_end_q <= limit == '0;
    else if (walk_end) group_end_q <= limit_q == '0;
    else if (emit)     group_end_q <= limit_q == group_q + 5'd1;
    if (take)          upper_q <= 1'b0;
    else if (walk_end) upper_q <= PI == 8 && !upper_q;
    if (take || walk_end) group_q <= '0;
    else if (emit)        group_q <= group_q + 5'd1;
  end

  // Pixels of the group, then their places at the tile's tap, then the requests.
  typedef struct packed {
    logic sign, swap, upper, first, last, gap, pair, done;  // done: release_o
    logic [2:0] mark;
    logic [4:0] group;
  } beat_t;

  localparam int unsigned QueueWidth = $bits(beat_t) + 1 + 18 * PX;  // and whether it reads

  logic          place_valid_q, out_valid, out_ready, in_ready, conflict, out_conflict, out_any;
  beat_t         place_beat_q, beat;
  logic [15:0]   place_in_w_q, place_in_h_q;
  logic [PX-1:0] in_en, out_en, in_need;
  logic [15:0]   in_addr [PX];
  logic          final_single;
  logic [QueueWidth-1:0] in_data, out_data;

  assign final_single = final_q && group_end_q && !tail_pair_q;

  for (genvar k = 0; k < PX; k++) begin : gen_lane
    logic signed [19:0] iy, ix;
    logic               live_q;

    hao_dense_lane #(
      .PX(PX),
      .K (k)
    ) i_lane (
      .clk_i,
      .start_i     (start),
      .cmd_out_w_i,
      .cmd_stride_i,
      .cmd_pad_i,
      .cmd_place_i,
      .cmd_iy_i,
      .cmd_row_place_i,
      .cmd_wrap_two_i,
      .step_i      (emit),
      .mark_i      (chunk_end),
      .back_i      (walk_end && !chunk_end),
      .stride_i    (stride_q),
      .out_w_i     (out_w_q),
      .wrap_place_i(wrap_place_q),
      .wrap_ix_i   (wrap_ix_q),
      .wrap_two_i  (wrap_two_q),
      .base_i      (base_q),
      .ky_i        (ky_q),
      .kx_i        (kx_q),
      .addr_o      (in_addr[k]),
      .iy_o        (iy),
      .ix_o        (ix)
    );

    always_ff @(posedge clk_i) begin
      if (emit) live_q <= k == 0 || !final_single;
    end

    assign in_en[k] = live_q && iy[19:16] == '0 && iy[15:0] < place_in_h_q &&
                      ix[19:16] == '0 && ix[15:0] < place_in_w_q;
    assign in_data[18*k+:18] = {in_need[k], in_en[k], in_addr[k]};
    assign {rd_req_need_o[k], out_en[k], rd_req_addr_o[k]} = out_data[18*k+:18];
  end

  if (PX == 2) begin : gen_conflict
    assign conflict = (&in_en) && in_addr[0][0] == in_addr[PX-1][0];
    assign in_need  = {(in_en[0] && in_addr[0][0]) || (in_en[PX-1] && in_addr[PX-1][0]),
                       (in_en[0] && !in_addr[0][0]) || (in_en[PX-1] && !in_addr[PX-1][0])};
  end else begin : gen_no_conflict
    assign conflict = 1'b0;
    assign in_need  = in_en;
  end

  assign queue_ready = !place_valid_q || in_ready;
  assign in_data[QueueWidth-1:18*PX] = {conflict, place_beat_q};
  assign {out_conflict, beat}        = out_data[QueueWidth-1:18*PX];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                     place_valid_q <= 1'b0;
    else if (clear_i || queue_ready) place_valid_q <= emit && !clear_i;
  end

  always_ff @(posedge clk_i) begin
    if (emit) begin
      place_in_w_q <= in_w_q;
      place_in_h_q <= in_h_q;
      place_beat_q <= '{
        sign:  x_signed_q,
        swap:  group_q == '0,
        upper: upper_q,
        first: first_q && !upper_q,
        last:  last_pass,
        gap:   PI == 8 && limit_q == '0 && upper_q,
        pair:  PX == 2 && !final_single,
        done:  group_q == '0 && (PI == 16 || upper_q),
        mark:  {half_q, group_end_q, group_end_q && final_q && (PO == 16 || half_q)},
        group: group_q
      };
    end
  end

  hao_fifo_pair #(
    .Width(QueueWidth + 1), .Flags(1)
  ) i_queue (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (place_valid_q),
    .in_ready_o (in_ready),
    .in_data_i  ({in_data, in_en != '0}),
    .out_valid_o(out_valid),
    .out_ready_i(out_ready),
    .out_data_o ({out_data, out_any})
  );

  // Grants. A group that the next beat revisits (one group, both lane halves) keeps its distance.
  logic second_q, beat_before_q, wait_gap, grant, ends_group;

  assign wait_gap       = beat.gap && beat_before_q;
  assign rd_req_valid_o = out_any && !wait_gap;
  assign rd_req_en_o    = !out_conflict ? out_en : second_q ? PX'(2) : PX'(1);
  assign grant          = out_valid && !wait_gap && (!out_any || rd_req_ready_i);
  assign ends_group     = out_valid && !wait_gap && (!out_conflict || second_q);
  assign out_ready      = ends_group && (!out_any || rd_req_ready_i);  // the grant comes late

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {second_q, beat_before_q} <= '0;
    end else if (clear_i) begin
      {second_q, beat_before_q} <= '0;
    end else begin
      if (grant) second_q <= out_conflict && !second_q;
      beat_before_q <= out_ready;
    end
  end

  assign slot_load_o  = !grant ? '0 : !out_conflict ? '1 : rd_req_en_o;
  assign slot_en_o    = rd_req_en_o;
  assign beat_valid_o = out_ready;
  assign release_o    = out_ready && beat.done;
  assign {beat_group_o, beat_pair_o, beat_mark_o} = {beat.group, beat.pair, beat.mark};
  assign {beat_signed_o, beat_swap_o, beat_upper_o, beat_first_o, beat_last_o} =
         {beat.sign, beat.swap, beat.upper, beat.first, beat.last};

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) drained_i |->
                   32'(credits_q) < Credits)
    else $error("hao_dense_addr: the drain buffer gave back more than it has");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   credit_q == (credits_q != '0) &&
                   (!pass_q || group_end_q == (group_q == limit_q)))
    else $error("hao_dense_addr: credits or groups miscounted");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) take |->
                   tile_first_i || !(start || chunk_end))
    else $error("hao_dense_addr: a chunk does not begin with its first tile");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   rd_req_valid_o && !rd_req_ready_i |=> rd_req_valid_o && $stable(rd_req_en_o))
    else $error("hao_dense_addr: a waiting request changed");
`endif

endmodule
