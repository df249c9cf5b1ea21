// Takes the next instruction of unit DW while the current one streams, and computes where it
// begins: plane addresses of its first pixel, address of its first row in the window, length of
// the ring.
module hao_dw_prepare (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  input  logic               instr_valid_i,
  output logic               instr_ready_o,
  input  logic [511:0]       instr_i,
  output logic               take_dw_o,     // a DW is taken: its parameters may be loaded
  output logic               busy_o,
  output logic               ready_o,       // all outputs below are valid until start_i
  input  logic               start_i,
  output logic               is_add_o,
  output hao_pkg::dw_instr_t dw_o,
  output hao_pkg::add_instr_t add_o,
  output logic [15:0]        pixel_o,       // index p of the first result
  output logic [15:0]        dst_addr_o [4],
  output logic [15:0]        src_addr_o [2], // ADD: operands a, b; DW: displacement map, -
  output logic [11:0]        row_addr_o,
  output logic [11:0]        span_o
);

  import hao_pkg::*;

  logic         valid_q, ready_q, take, taken_q, product_valid;
  logic [511:0] instr_q;
  logic [15:0]  product, first_pixel;
  logic [1:0]   unused_valid;
  // verilator lint_off UNUSEDSIGNAL
  dw_instr_t    dw_in;
  add_instr_t   add_in;
  // verilator lint_on UNUSEDSIGNAL
  logic         add_taken;

  assign instr_ready_o = !valid_q;
  assign take          = instr_valid_i && !valid_q;
  assign dw_in         = dw_instr_t'(instr_i);
  assign add_in        = add_instr_t'(instr_i);
  assign add_taken     = add_in.opcode == OpAdd;
  assign take_dw_o     = take && !add_taken;
  assign dw_o          = dw_instr_t'(instr_q);
  assign add_o         = add_instr_t'(instr_q);
  assign ready_o       = ready_q;
  assign busy_o        = valid_q;

  hao_mul_add i_pixel (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i  (taken_q),
    .a_i      (is_add_o ? add_o.out_w : dw_o.out_w),
    .b_i      (dw_o.y0),
    .c_i      ('0),
    .valid_o  (product_valid),
    .product_o(product)
  );

  hao_mul_add #(
    .AWidth(8),
    .BWidth(8),
    .Width (12)
  ) i_row (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i  (taken_q && !is_add_o),
    .a_i      (dw_o.win_pitch),
    .b_i      (dw_o.win_slot0),
    .c_i      (dw_o.win_base[11:0]),
    .valid_o  (unused_valid[0]),
    .product_o(row_addr_o)
  );

  hao_mul_add #(
    .AWidth(8),
    .BWidth(8),
    .Width (12)
  ) i_span (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i  (taken_q && !is_add_o),
    .a_i      (dw_o.win_pitch),
    .b_i      (dw_o.win_rows),
    .c_i      ('0),
    .valid_o  (unused_valid[1]),
    .product_o(span_o)
  );

  // SUM yields one word, p = 0.
  assign first_pixel = !is_add_o && dw_o.mode == DwSum ? '0 : product;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q  <= 1'b0;
      taken_q  <= 1'b0;
      ready_q  <= 1'b0;
    end else if (clear_i) begin
      valid_q  <= 1'b0;
      taken_q  <= 1'b0;
      ready_q  <= 1'b0;
    end else begin
      valid_q  <= take || (valid_q && !start_i);
      taken_q  <= take;
      ready_q  <= product_valid || (ready_q && !start_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      instr_q  <= instr_i;
      is_add_o <= add_taken;
    end
    if (product_valid) begin
      pixel_o       <= first_pixel;
      dst_addr_o[0] <= dw_o.dst_base0 + first_pixel;
      dst_addr_o[1] <= dw_o.dst_base1 + first_pixel;
      dst_addr_o[2] <= dw_o.dst_base2 + first_pixel;
      dst_addr_o[3] <= dw_o.dst_base3 + first_pixel;
      src_addr_o[0] <= (is_add_o ? add_o.a_base : dw_o.disp_base) + product;
      src_addr_o[1] <= add_o.b_base + product;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) take |->
                   (dw_in.opcode == OpDw || add_taken) && dw_in.y1 > dw_in.y0 &&
                   (add_taken ? add_in.out_w : dw_in.out_w) != '0)
    else $error("hao_dw_prepare: opcode %0d, rows %0d to %0d", dw_in.opcode, dw_in.y0, dw_in.y1);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) take_dw_o |->
                   (dw_in.stride == 4'd1 || dw_in.stride == 4'd2) && dw_in.mode <= DwSum &&
                   dw_in.win_slot0 < dw_in.win_rows && 32'(dw_in.win_bank0) < WindowBanks &&
                   (dw_in.deform || (dw_in.dilation >= 8'sd1 && dw_in.dilation <= 8'sd8)))
    else $error("hao_dw_prepare: stride %0d, mode %0d, slot %0d of %0d, bank %0d, dilation %0d",
                dw_in.stride, dw_in.mode, dw_in.win_slot0, dw_in.win_rows, dw_in.win_bank0,
                dw_in.dilation);
`endif

endmodule
