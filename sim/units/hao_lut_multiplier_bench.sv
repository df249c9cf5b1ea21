// Holds hao_lut_multiplier against `*`: one pair of operands a cycle, every pair.
module hao_lut_multiplier_bench #(
  parameter int unsigned BWidth = 8
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        done_o,
  output logic [31:0] compared_o,
  output logic [31:0] wrong_o
);

  logic signed        [8:0] a;
  logic signed [BWidth-1:0] b;
  logic signed [BWidth+8:0] product;

  assign {a, b} = compared_o[BWidth+8:0];
  assign done_o = compared_o[BWidth+9];

  hao_lut_multiplier #(
    .BWidth(BWidth)
  ) i_multiplier (
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
