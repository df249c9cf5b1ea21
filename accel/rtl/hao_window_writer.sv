// Raster address generator of a window slice, used by the writers of the window (DENSE, FILL).
//
// start_i takes the geometry of an instruction (its first row is slot win_slot0_i, row bank
// win_bank0_i). From 2 cycles later valid_o is high and {bank_o, addr_o} is the place of the next
// word; every next_i steps to the following pixel, row after row, until the next start_i. The
// caller counts the words: the generator runs on around the ring. next_i needs valid_o; start_i
// may come with the last next_i or any time later.
module hao_window_writer #(
  parameter int unsigned WinDepth = 512
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        start_i,
  input  logic [15:0] width_i,      // pixels a row, at least 1
  input  logic [15:0] win_base_i,
  input  logic [7:0]  win_rows_i,
  input  logic [7:0]  win_pitch_i,
  input  logic [7:0]  win_slot0_i,
  input  logic [7:0]  win_bank0_i,
  output logic        valid_o,
  input  logic        next_i,
  output logic [3:0]  bank_o,
  output logic [11:0] addr_o
);

  localparam int unsigned Banks = 11;

  if (WinDepth < 32 || WinDepth > 4096) begin : gen_check
    $error("hao_window_writer: WinDepth must be 32 to 4096, not %0d", WinDepth);
  end

  logic [15:0] last_x_q, left_q;  // width - 1; pixels after this one in the row
  logic [11:0] base_q;
  logic [7:0]  last_slot_q, pitch_q, slot_q;
  logic [3:0]  row_bank_q, row_bank_next, bank_q, phase_q;  // phase: x mod 11
  logic [11:0] row_addr_q, row_addr_next, addr_q, first_addr;
  logic        ready_q, first_valid;
  logic        row_end_q, narrow_q;  // left_q == 0; rows of one pixel

  hao_mul_add #(
    .AWidth(8),
    .BWidth(8),
    .Width (12)
  ) i_first (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i  (start_i),
    .a_i      (win_pitch_i),
    .b_i      (win_slot0_i),
    .c_i      (win_base_i[11:0]),
    .valid_o  (first_valid),
    .product_o(first_addr)
  );

  // The multiplier's registered result is used in place in the cycle it arrives.
  assign valid_o       = first_valid || ready_q;
  assign bank_o        = bank_q;
  assign addr_o        = first_valid ? first_addr : addr_q;
  assign row_bank_next = row_bank_q >= 4'd8 ? row_bank_q - 4'd8 : row_bank_q + 4'd3;
  assign row_addr_next = slot_q == last_slot_q ? base_q
                       : (first_valid ? first_addr : row_addr_q) + 12'(pitch_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ready_q     <= 1'b0;
      row_end_q   <= 1'b0;
      narrow_q    <= 1'b0;
      last_x_q    <= '0;
      left_q      <= '0;
      base_q      <= '0;
      last_slot_q <= '0;
      pitch_q     <= '0;
      slot_q      <= '0;
      row_bank_q  <= '0;
      bank_q      <= '0;
      phase_q     <= '0;
      row_addr_q  <= '0;
      addr_q      <= '0;
    end else if (clear_i) begin
      ready_q <= 1'b0;
    end else if (start_i) begin
      ready_q     <= 1'b0;
      last_x_q    <= width_i - 16'd1;
      left_q      <= width_i - 16'd1;
      base_q      <= win_base_i[11:0];
      last_slot_q <= win_rows_i - 8'd1;
      pitch_q     <= win_pitch_i;
      slot_q      <= win_slot0_i;
      row_bank_q  <= win_bank0_i[3:0];
      bank_q      <= win_bank0_i[3:0];
      phase_q     <= '0;
    end else begin
      narrow_q  <= last_x_q == '0;
      row_end_q <= !next_i ? left_q == '0 : row_end_q ? narrow_q : left_q == 16'd1;
      if (first_valid) begin
        ready_q    <= 1'b1;
        row_addr_q <= first_addr;
        addr_q     <= first_addr;
      end
      if (next_i) begin
        if (row_end_q) begin
          left_q     <= last_x_q;
          slot_q     <= slot_q == last_slot_q ? '0 : slot_q + 8'd1;
          row_bank_q <= row_bank_next;
          bank_q     <= row_bank_next;
          phase_q    <= '0;
          row_addr_q <= row_addr_next;
          addr_q     <= row_addr_next;
        end else begin
          left_q    <= left_q - 16'd1;
          bank_q    <= bank_q == 4'(Banks - 1) ? '0 : bank_q + 4'd1;
          phase_q   <= phase_q == 4'(Banks - 1) ? '0 : phase_q + 4'd1;
          if (phase_q == 4'(Banks - 1)) addr_q <= addr_o + 12'd1;
        end
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   next_i |-> row_end_q == (left_q == '0))
    else $error("hao_window_writer: the end of a row was decided wrongly");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) next_i |-> valid_o)
    else $error("hao_window_writer: a word was taken before the address was ready");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   next_i |-> 32'(addr_o) < WinDepth)
    else $error("hao_window_writer: address %0d is outside the window", addr_o);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start_i |->
                   win_slot0_i < win_rows_i && 32'(win_bank0_i) < Banks && width_i != '0 &&
                   32'(win_base_i) < WinDepth)
    else $error("hao_window_writer: slot %0d of %0d, bank %0d, base %0d, width %0d: out of range",
                win_slot0_i, win_rows_i, win_bank0_i, win_base_i, width_i);
`endif

endmodule
