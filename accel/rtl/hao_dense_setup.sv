// Prepares a DENSE instruction while the one before it runs: start addresses and step sizes, so
// that whoever walks the pixels only adds. Takes eight cycles an instruction.
module hao_dense_setup #(
  parameter int unsigned PX = 2
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   clear_i,
  input  logic                   instr_valid_i,
  output logic                   instr_ready_o,
  input  hao_pkg::dense_instr_t  instr_i,
  output logic                   valid_o,
  input  logic                   ready_i,
  output hao_pkg::dense_instr_t  instr_o,
  output logic            [31:0] p0_o,          // index of the first output pixel
  output logic            [31:0] pixels_o,      // output pixels less 1
  output logic            [15:0] place_o,       // place iy * in_w + ix of its input at tap (0, 0)
  output logic signed     [19:0] iy_o,          // its row
  output logic            [15:0] row_place_o,   // place: step of one output row
  output logic            [15:0] wrap_place_o,  // place: step of a group that goes to the next row
  output logic signed     [19:0] wrap_ix_o,     // column: the same
  output logic                   wrap_two_o     // such a group goes on by two rows (one-pixel rows)
);

  import hao_pkg::*;

  localparam int unsigned Products = 3;

  dense_instr_t instr_q;
  logic         busy_q, take, product_valid;
  logic [2:0]   step_q;  // one-hot: product asked for
  logic [1:0]   got_q;
  logic [31:0]  product, p0_q, pixels_q, place_q, mul_c;
  logic [15:0]  mul_a, mul_b, rows_q;
  logic [17:0]  out_step_q, in_step_q;
  logic         two_q;

  function automatic logic [17:0] times(logic [15:0] width, logic [2:0] stride);
    return stride[2] ? {width, 2'b0}
                     : (stride[0] ? 18'(width) : '0) + (stride[1] ? {1'b0, width, 1'b0} : '0);
  endfunction

  assign take          = instr_valid_i && instr_ready_o;
  assign instr_ready_o = !busy_q;
  assign valid_o       = busy_q && 32'(got_q) == Products;
  assign instr_o       = instr_q;
  assign p0_o          = p0_q;
  assign pixels_o      = pixels_q;
  assign place_o       = place_q[15:0];
  assign wrap_two_o    = two_q;

  always_comb begin
    mul_a = instr_q.out_w;
    mul_b = instr_q.y0;
    mul_c = '0;
    if (step_q[1]) begin
      mul_b = rows_q;
      mul_c = '1;
    end else if (step_q[2]) begin
      mul_a = instr_q.in_w;
      mul_b = iy_o[15:0];
      mul_c = 32'(0) - 32'(instr_q.pad);
    end
  end

  hao_mul_add #(
    .AWidth(16),
    .BWidth(16),
    .Width (32)
  ) i_products (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i  (step_q != '0),
    .a_i      (mul_a),
    .b_i      (mul_b),
    .c_i      (mul_c),
    .valid_o  (product_valid),
    .product_o(product)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      step_q <= '0;
      got_q  <= '0;
    end else if (clear_i) begin
      busy_q <= 1'b0;
      step_q <= '0;
      got_q  <= '0;
    end else begin
      if (take)                    busy_q <= 1'b1;
      else if (valid_o && ready_i) busy_q <= 1'b0;
      step_q <= {step_q[1:0], take};
      if (take)               got_q <= '0;
      else if (product_valid) got_q <= got_q + 2'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (take) instr_q <= instr_i;
    if (step_q[0]) begin
      rows_q     <= instr_q.y1 - instr_q.y0;
      iy_o       <= 20'(times(instr_q.y0, instr_q.stride[2:0])) - 20'(instr_q.pad);
      out_step_q <= times(instr_q.out_w, instr_q.stride[2:0]);
      in_step_q  <= times(instr_q.in_w, instr_q.stride[2:0]);
      two_q      <= PX == 2 && instr_q.out_w == 16'd1;
    end
    if (step_q[1]) begin
      row_place_o  <= in_step_q[15:0];
      wrap_place_o <= 16'(32'(instr_q.stride) * PX) +
                      (two_q ? (in_step_q[15:0] - out_step_q[15:0]) << 1
                             : in_step_q[15:0] - out_step_q[15:0]);
      wrap_ix_o    <= 20'(32'(instr_q.stride) * PX) -
                      (two_q ? {1'b0, out_step_q, 1'b0} : 20'(out_step_q));
    end
    if (product_valid) begin
      p0_q     <= pixels_q;
      pixels_q <= place_q;
      place_q  <= product;
    end
  end

  logic unused;
  assign unused = ^in_step_q[17:16];

`ifndef SYNTHESIS
  // Immediate, not concurrent: a sampled instruction could be a sampled queue.
  always_ff @(posedge clk_i) begin
    if (rst_ni && step_q[0]) begin
      assert (instr_q.opcode == OpDense && instr_q.out_w != '0 && instr_q.y1 > instr_q.y0 &&
              instr_q.stride inside {[1:4]} && instr_q.pad <= 4'd7 && instr_q.dst != 2'd3)
        else $error("hao_dense_setup: opcode %0d width %0d rows %0d-%0d stride %0d pad %0d to %0d",
                    instr_q.opcode, instr_q.out_w, instr_q.y0, instr_q.y1, instr_q.stride,
                    instr_q.pad, instr_q.dst);
    end
  end
`endif

endmodule
