// Signed 9 x 8 bit product from rows of partial products: the multiplier for taps that must not
// take a DSP. Combinational; equal to a_i * b_i for every pair.
module hao_lut_multiplier (
  input  logic signed [8:0]  a_i,
  input  logic signed [7:0]  b_i,
  output logic signed [16:0] product_o
);

  logic signed [16:0] row [8];

  for (genvar k = 0; k < 7; k++) begin : gen_row
    assign row[k] = b_i[k] ? 17'(a_i) <<< k : '0;
  end
  // the sign bit of b_i weighs -128
  assign row[7] = b_i[7] ? -17'(a_i) <<< 7 : '0;

  assign product_o = ((row[0] + row[1]) + (row[2] + row[3])) +
                     ((row[4] + row[5]) + (row[6] + row[7]));

`ifndef SYNTHESIS
  always_comb begin
    assert (product_o == a_i * b_i)
    else $error("hao_lut_multiplier: %0d times %0d is not %0d", a_i, b_i, product_o);
  end
`endif

endmodule
