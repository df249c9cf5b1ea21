// Holds hao_lut_multiplier against `*`: one pair of operands a cycle, all 2^17 of them.
module hao_lut_multiplier_bench (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        done_o,
  output logic [31:0] compared_o,
  output logic [31:0] wrong_o
);

  logic signed [8:0]  a;
  logic signed [7:0]  b;
  logic signed [16:0] product;

  assign {a, b} = compared_o[16:0];
  assign done_o = compared_o[17];

  hao_lut_multiplier i_multiplier (
    .a_i      (a),
    .b_i      (b),
    .product_o(product)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      compared_o <= '0;
      wrong_o    <= '0;
    end else if (!done_o) begin
      compared_o <= compared_o + 1;
      if (product !== a * b) wrong_o <= wrong_o + 1;
    end
  end

endmodule
