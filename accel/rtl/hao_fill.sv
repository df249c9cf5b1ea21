// FILL: copies a plane of the feature memory into a window slice, doubling pixels on request.
//
// Three steps run on different instructions at once: the next instruction's source address is
// prepared, the current one's reads run ahead of the words by at most Prefetch requests, and the
// words go to the window in raster order, through two registers. A request covers up to PX words of
// one row. Reading rests a cycle between two instructions: it is ahead of the window anyway.
module hao_fill #(
  parameter int unsigned PX       = 2,
  parameter int unsigned WinDepth = 512,
  parameter int unsigned Prefetch = 8  // requests answered or in flight
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  // Instruction
  input  logic         instr_valid_i,
  output logic         instr_ready_o,
  input  logic [511:0] instr_i,
  output logic         done_o,
  output logic         busy_o,
  output logic         stall_o,
  // Feature memory
  output logic         rd_req_valid_o,
  input  logic         rd_req_ready_i,
  output logic [PX-1:0] rd_req_en_o,
  output logic [15:0]  rd_req_addr_o [PX],
  input  logic         rd_rsp_valid_i,
  input  logic [127:0] rd_rsp_data_i [PX],
  // Window
  output logic         win_wr_valid_o,
  input  logic         win_wr_ready_i,
  output logic [3:0]   win_wr_bank_o,
  output logic [11:0]  win_wr_addr_o,
  output logic [127:0] win_wr_data_o
);

  import hao_pkg::*;

  localparam int unsigned CreditWidth = $clog2(Prefetch + 1);

  if ((PX != 1 && PX != 2) || Prefetch < FmReadLatency + 2) begin : gen_check
    $error("hao_fill: PX %0d must be 1 or 2, Prefetch %0d at least %0d", PX, Prefetch,
           FmReadLatency + 2);
  end

  typedef struct packed {
    logic        up;
    logic [15:0] out_w, rows, win_base;
    logic [7:0]  win_rows, win_pitch, win_slot0, win_bank0;
  } geometry_t;

  // Prepare: take the instruction, then work out the source address of the first row, 4 cycles.
  // verilator lint_off UNUSEDSIGNAL
  fill_instr_t instr;
  // verilator lint_on UNUSEDSIGNAL
  geometry_t   prep_q;
  logic        prep_valid_q, prep_ready_q, prep_odd_q, take, taken_q, start, product_valid;
  logic [15:0] product, prep_addr_q, prep_width, src_base_q, src_row_q;

  assign instr         = fill_instr_t'(instr_i);
  assign instr_ready_o = !prep_valid_q;
  assign take          = instr_valid_i && !prep_valid_q;
  assign prep_width    = prep_q.up ? prep_q.out_w >> 1 : prep_q.out_w;

  hao_mul_add i_source (
    .clk_i, .rst_ni, .clear_i,
    .valid_i  (taken_q),
    .a_i      (prep_width),
    .b_i      (src_row_q),
    .c_i      (src_base_q),
    .valid_o  (product_valid),
    .product_o(product)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      {prep_valid_q, prep_ready_q, taken_q} <= '0;
    else if (clear_i) {prep_valid_q, prep_ready_q, taken_q} <= '0;
    else begin
      taken_q      <= take;
      prep_valid_q <= take || (prep_valid_q && !start);
      prep_ready_q <= product_valid || (prep_ready_q && !start);
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      prep_q <= '{up: instr.up, out_w: instr.out_w, rows: instr.y1 - instr.y0,
                  win_base: instr.win_base, win_rows: instr.win_rows, win_pitch: instr.win_pitch,
                  win_slot0: instr.win_slot0, win_bank0: instr.win_bank0};
      prep_odd_q <= instr.y0[0];  // an up-sampled slice begins with the second copy of a row
      src_row_q  <= instr.up ? instr.y0 >> 1 : instr.y0;
      src_base_q <= instr.src_base;
    end
    if (product_valid) prep_addr_q <= product;
  end

  // Read ahead. Ends of rows and instructions are decided a request ahead, credit a cycle.
  logic                   read_q, up_q, second_q, two, credit, credit_q, request_q, grant;
  logic                   two_q, row_end_q, last_row_q, read_next;
  logic                   even_q;  // !addr_q[0]
  logic [15:0]            addr_q, addr_d, addr_next, row_addr_q, width_q, left_q, rows_q;
  logic [CreditWidth-1:0] used_q;
  logic                   queue_ready, pop;
  function automatic logic end_of(logic [15:0] words);
    return words == 16'd1 || (PX == 2 && words == 16'd2);
  endfunction

  assign two            = PX == 2 && two_q;
  assign addr_next      = addr_q + (two ? 16'd2 : 16'd1);
  assign addr_d         = start ? prep_addr_q : row_end_q && up_q && !second_q ? row_addr_q
                                                                             : addr_next;
  assign credit         = pop || (credit_q && !(grant && 32'(used_q) == Prefetch - 1));
  assign rd_req_valid_o = request_q;
  assign grant          = rd_req_valid_o && rd_req_ready_i;
  assign start          = prep_ready_q && queue_ready && !read_q;
  assign read_next      = start || (read_q && !(grant && row_end_q && last_row_q));

  for (genvar k = 0; k < PX; k++) begin : gen_slot
    assign rd_req_en_o[k]   = k == 0 || two;
    assign rd_req_addr_o[k] = k == 0 ? addr_q : {addr_q[15:1] + 15'(addr_q[0]), even_q};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      {credit_q, read_q, request_q, used_q} <= {1'b1, (CreditWidth + 2)'(0)};
    else if (clear_i) {credit_q, read_q, request_q, used_q} <= {1'b1, (CreditWidth + 2)'(0)};
    else begin
      read_q    <= read_next;
      request_q <= read_next && credit;
      credit_q  <= credit;
      if (grant != pop) used_q <= grant ? used_q + CreditWidth'(1) : used_q - CreditWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      up_q       <= prep_q.up;
      second_q   <= prep_odd_q;
      row_addr_q <= prep_addr_q;
      width_q    <= prep_width;
      left_q     <= prep_width;
      two_q      <= prep_width != 16'd1;
      row_end_q  <= end_of(prep_width);
      rows_q     <= prep_q.rows;
      last_row_q <= prep_q.rows == 16'd1;
    end else if (grant) begin
      if (row_end_q) begin
        left_q     <= width_q;
        two_q      <= width_q != 16'd1;
        row_end_q  <= end_of(width_q);
        rows_q     <= rows_q - 16'd1;
        last_row_q <= rows_q == 16'd2;
        second_q   <= !second_q;
        if (!up_q || second_q) row_addr_q <= addr_next;
      end else begin
        left_q    <= left_q - 16'(PX);
        two_q     <= left_q != 16'(PX) + 16'd1;
        row_end_q <= end_of(left_q - 16'(PX));
      end
    end
    if (start || grant) begin
      addr_q <= addr_d;
      even_q <= !addr_d[0];
    end
  end

  // Words to the window.
  geometry_t             geometry;
  logic                  geometry_valid, first, last, group_valid, place_valid, sent;
  logic                  active_q, double_q, slot_q, copy_q, group_end, line_end_q, last_line_q;
  logic [15:0]           word_width_q, word_left_q, word_rows_q;
  logic [PX*WordBits-1:0] group_in, group;
  logic                   word_ready, win_last;
  logic [15:0]            word_place;  // bank and address in the window
  logic [WordBits-1:0]    word;
  logic [CreditWidth-1:0] unused_prefetch_level;

  hao_fifo_pair #(
    .Width($bits(geometry_t))
  ) i_queue (
    .clk_i, .rst_ni, .clear_i,
    .in_valid_i (start),
    .in_ready_o (queue_ready),
    .in_data_i  (prep_q),
    .out_valid_o(geometry_valid),
    .out_ready_i(first),
    .out_data_o (geometry)
  );

  for (genvar k = 0; k < PX; k++) begin : gen_pack
    assign group_in[k*WordBits+:WordBits] = rd_rsp_data_i[k];
  end

  logic unused_ready;  // credits keep room for every answer
  hao_fifo #(
    .Width(PX * WordBits),
    .Depth(Prefetch)
  ) i_prefetch (
    .clk_i, .rst_ni, .clear_i,
    .in_valid_i (rd_rsp_valid_i),
    .in_ready_o (unused_ready),
    .in_data_i  (group_in),
    .out_valid_o(group_valid),
    .out_ready_i(pop),
    .out_data_o (group),
    .level_o    (unused_prefetch_level)
  );

  hao_window_writer #(
    .WinDepth(WinDepth)
  ) i_place (
    .clk_i, .rst_ni, .clear_i,
    .start_i    (first),
    .width_i    (geometry.out_w),
    .win_base_i (geometry.win_base),
    .win_rows_i (geometry.win_rows),
    .win_pitch_i(geometry.win_pitch),
    .win_slot0_i(geometry.win_slot0),
    .win_bank0_i(geometry.win_bank0),
    .valid_o    (place_valid), .next_i(sent),
    .bank_o     (word_place[15:12]), .addr_o(word_place[11:0])
  );

  // The word on its way to the window, and whether it is its instruction's last.
  hao_fifo_pair #(
    .Width(17 + WordBits)
  ) i_word (
    .clk_i, .rst_ni, .clear_i,
    .in_valid_i (sent),
    .in_ready_o (word_ready),
    .in_data_i  ({line_end_q && last_line_q, word_place, word}),
    .out_valid_o(win_wr_valid_o),
    .out_ready_i(win_wr_ready_i),
    .out_data_o ({win_last, win_wr_bank_o, win_wr_addr_o, win_wr_data_o})
  );

  assign word           = PX == 2 && slot_q ? group[PX*WordBits-1-:WordBits] : group[WordBits-1:0];
  assign sent           = active_q && place_valid && group_valid && word_ready;
  assign group_end      = line_end_q || ((!double_q || copy_q) && (PX == 1 || slot_q));
  assign pop            = sent && group_end;
  assign last           = sent && line_end_q && last_line_q;
  assign first          = geometry_valid && (!active_q || last);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {active_q, done_o} <= '0;
    end else if (clear_i) begin
      {active_q, done_o} <= '0;
    end else begin
      if (first) active_q <= 1'b1;
      else if (last) active_q <= 1'b0;
      done_o <= win_wr_valid_o && win_wr_ready_i && win_last;
    end
  end

  always_ff @(posedge clk_i) begin
    if (first) begin
      double_q     <= geometry.up;
      slot_q       <= 1'b0;
      copy_q       <= 1'b0;
      word_width_q <= geometry.out_w;
      word_left_q  <= geometry.out_w;
      line_end_q   <= geometry.out_w == 16'd1;
      word_rows_q  <= geometry.rows;
      last_line_q  <= geometry.rows == 16'd1;
    end else if (sent) begin
      copy_q      <= double_q && !copy_q && !line_end_q;
      slot_q      <= !group_end && (slot_q || !double_q || copy_q);
      word_left_q <= line_end_q ? word_width_q : word_left_q - 16'd1;
      line_end_q  <= line_end_q ? word_width_q == 16'd1 : word_left_q == 16'd2;
      if (line_end_q) begin
        word_rows_q <= word_rows_q - 16'd1;
        last_line_q <= word_rows_q == 16'd2;
      end
    end
  end

  assign busy_o  = prep_valid_q || read_q || geometry_valid || active_q || win_wr_valid_o;
  assign stall_o = (win_wr_valid_o && !win_wr_ready_i) ||
                   (rd_req_valid_o && !rd_req_ready_i && !win_wr_valid_o);

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) take |->
                   instr.opcode == OpFill && instr.out_w != '0 && instr.y1 > instr.y0)
    else $error("hao_fill: opcode %0d, width %0d, rows %0d to %0d", instr.opcode, instr.out_w,
                instr.y0, instr.y1);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   take && instr.up |-> !instr.out_w[0])
    else $error("hao_fill: an up-sampled slice has an odd width, %0d", instr.out_w);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   credit_q == (32'(used_q) < Prefetch) && request_q == (read_q && credit_q))
    else $error("hao_fill: %0d requests of credit used", used_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   rd_rsp_valid_i |-> unused_ready)
    else $error("hao_fill: an answer met a full buffer");
`endif

endmodule
