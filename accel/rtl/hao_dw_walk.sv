// The centre of DW's taps, walking over the output raster: one output pixel every Pace cycles.
//
// Besides its place the centre carries what a window address needs: x mod 11 (phase), x div 11
// (column), 3y mod 11 (row bank), the ring slot of the row and the row's address; all advance by
// small additions. The outputs belong to the pixel that leaves with fire_o. instr_i and what comes
// with it must be stable for two cycles before start_i: differences are worked out meanwhile.
module hao_dw_walk #(
  parameter int unsigned Pace  = 1,
  parameter bit          Pairs = 1'b0  // a last pixel without a partner is followed by a free cycle
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  input  logic               start_i,
  // verilator lint_off UNUSEDSIGNAL
  input  hao_pkg::dw_instr_t instr_i,
  // verilator lint_on UNUSEDSIGNAL
  input  logic [11:0]        row_addr_i,   // window address of the first centre row
  input  logic [11:0]        span_i,       // addresses of the whole ring
  input  logic [15:0]        disp_addr_i,  // displacement entry of the first pixel
  input  logic               go_i,         // there is room for another pixel
  output logic               active_o,     // pixels are left
  output logic               fire_o,
  output logic               first_o,
  output logic               last_o,
  output logic               result_o,     // the pixel completes a result word
  output logic               deform_o,     // its displacement is read at disp_addr_o
  output logic [15:0]        disp_addr_o,
  output logic [16:0]        y_o,
  output logic [16:0]        x_o,
  output logic [3:0]         phase_o,
  output logic [11:0]        column_o,
  output logic [3:0]         row_bank_o,
  output logic [7:0]         slot_o,
  output logic [11:0]        row_addr_o
);

  import hao_pkg::*;

  if (Pace != 1 && Pace != 2) begin : gen_check
    $error("hao_dw_walk: Pace must be 1 or 2, not %0d", Pace);
  end

  logic        active_q, first_q, wide_q, deform_q, sum_q, offset_q, wait_q, odd_q;
  logic        row_end_q, last_row_q, wrap;
  logic [15:0] last_x_q, left_q, rows_q, disp_addr_q;
  logic [7:0]  ring_q, slot_q, room_q;  // room: rows from here to the end of the ring
  logic [11:0] step_q, back_q, column_q, row_addr_q;  // to the next row, and around the ring
  logic [3:0]  phase_q, row_bank_q;
  logic [16:0] y_q, x_q;
  logic        over;                    // the step from the last row leads to the second

  // The next instruction.
  logic [15:0] next_rows_q, next_last_x_q;
  logic [16:0] next_y_q;
  logic [7:0]  next_room_q;
  logic [11:0] next_step, next_back_q;
  logic        next_single_q, next_narrow_q;  // one row; one column

  assign next_step = instr_i.stride == 4'd2 ? {3'b0, instr_i.win_pitch, 1'b0}
                                            : {4'b0, instr_i.win_pitch};

  always_ff @(posedge clk_i) begin
    next_rows_q   <= instr_i.y1 - instr_i.y0;
    next_single_q <= next_rows_q == 16'd1;
    next_last_x_q <= instr_i.out_w - 16'd1;
    next_narrow_q <= next_last_x_q == '0;
    next_y_q      <= (instr_i.stride == 4'd2 ? {instr_i.y0, 1'b0} : {1'b0, instr_i.y0}) +
                     17'(instr_i.offset);
    next_room_q   <= instr_i.win_rows - instr_i.win_slot0;
    next_back_q   <= next_step - span_i;
  end

  function automatic logic [3:0] add_mod(logic [3:0] a, logic [3:0] b);
    logic [4:0] sum;
    sum = 5'(a) + 5'(b);
    return sum >= 5'd11 ? 4'(sum - 5'd11) : 4'(sum);
  endfunction

  assign fire_o   = active_q && go_i && !wait_q;
  assign last_o   = row_end_q && last_row_q;  // both are decided a pixel ahead
  assign result_o = !sum_q || last_o;
  assign over     = wide_q && room_q == 8'd1;
  assign wrap     = room_q == 8'd1 || (wide_q && room_q == 8'd2);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      wait_q   <= 1'b0;
    end else if (clear_i) begin
      active_q <= 1'b0;
      wait_q   <= 1'b0;
    end else begin
      if (start_i) active_q <= 1'b1;
      else if (fire_o && last_o) active_q <= 1'b0;
      wait_q <= fire_o && (Pace == 2 || (Pairs && last_o && !odd_q));
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      first_q     <= 1'b1;
      odd_q       <= 1'b0;
      wide_q      <= instr_i.stride == 4'd2;
      deform_q    <= instr_i.deform;
      sum_q       <= instr_i.mode == DwSum;
      offset_q    <= instr_i.offset;
      last_x_q    <= next_last_x_q;
      left_q      <= next_last_x_q;
      row_end_q   <= next_narrow_q;
      rows_q      <= next_rows_q;
      last_row_q  <= next_single_q;
      ring_q      <= instr_i.win_rows;
      step_q      <= next_step;
      back_q      <= next_back_q;
      room_q      <= next_room_q;
      disp_addr_q <= disp_addr_i;
      y_q         <= next_y_q;
      x_q         <= 17'(instr_i.offset);
      phase_q     <= 4'(instr_i.offset);
      column_q    <= '0;
      row_bank_q  <= instr_i.win_bank0[3:0];
      slot_q      <= instr_i.win_slot0;
      row_addr_q  <= row_addr_i;
    end else if (fire_o) begin
      first_q     <= 1'b0;
      odd_q       <= !odd_q;
      disp_addr_q <= disp_addr_q + 16'd1;
      if (row_end_q) begin
        left_q     <= last_x_q;
        row_end_q  <= last_x_q == '0;
        rows_q     <= rows_q - 16'd1;
        last_row_q <= rows_q == 16'd2;
        y_q        <= y_q + (wide_q ? 17'd2 : 17'd1);
        x_q        <= 17'(offset_q);
        phase_q    <= 4'(offset_q);
        column_q   <= '0;
        row_bank_q <= add_mod(row_bank_q, wide_q ? 4'd6 : 4'd3);
        slot_q     <= wrap ? 8'(over) : slot_q + (wide_q ? 8'd2 : 8'd1);
        room_q     <= wrap ? ring_q - 8'(over) : room_q - (wide_q ? 8'd2 : 8'd1);
        row_addr_q <= row_addr_q + (wrap ? back_q : step_q);
      end else begin
        left_q    <= left_q - 16'd1;
        row_end_q <= left_q == 16'd1;
        x_q     <= x_q + (wide_q ? 17'd2 : 17'd1);
        phase_q <= add_mod(phase_q, wide_q ? 4'd2 : 4'd1);
        if (phase_q >= (wide_q ? 4'd9 : 4'd10)) column_q <= column_q + 12'd1;
      end
    end
  end

  assign active_o    = active_q;
  assign first_o     = first_q;
  assign deform_o    = deform_q;
  assign disp_addr_o = disp_addr_q;
  assign y_o         = y_q;
  assign x_o         = x_q;
  assign phase_o     = phase_q;
  assign column_o    = column_q;
  assign row_bank_o  = row_bank_q;
  assign slot_o      = slot_q;
  assign row_addr_o  = row_addr_q;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start_i |->
                   next_rows_q == instr_i.y1 - instr_i.y0 && next_single_q == (next_rows_q == 1) &&
                   next_narrow_q == (instr_i.out_w == 16'd1) && next_back_q == next_step - span_i)
    else $error("hao_dw_walk: started before the instruction was prepared");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) fire_o |->
                   room_q == ring_q - slot_q)
    else $error("hao_dw_walk: %0d rows to the end of the ring", room_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) fire_o |->
                   slot_q < ring_q && 32'(phase_q) < WindowBanks && 32'(row_bank_q) < WindowBanks)
    else $error("hao_dw_walk: slot %0d of %0d, phase %0d, bank %0d", slot_q, ring_q, phase_q,
                row_bank_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   start_i |-> !active_q || (fire_o && last_o))
    else $error("hao_dw_walk: started with pixels left");
`endif

endmodule
