// Signed product of a 9-bit operand and a 4- or 8-bit weight in LUTs, for what must not take a DSP:
// radix-4 Booth, a row of eleven bits for every two bits of the weight, each digit folded into the
// LUT in front of its carry chain. Combinational; equal to a_i * b_i for every pair.
module hao_lut_multiplier #(
  parameter int unsigned BWidth = 8  // 4 or 8
) (
  input  logic signed        [8:0] a_i,
  input  logic signed [BWidth-1:0] b_i,
  output logic signed [BWidth+8:0] product_o
);

  localparam int unsigned Rows = BWidth / 2;

  if (BWidth != 4 && BWidth != 8) begin : gen_check
    $error("hao_lut_multiplier: BWidth must be 4 or 8, not %0d", BWidth);
  end

  logic [BWidth:0] digits;
  assign digits = {b_i, 1'b0};

  for (genvar k = 0; k < Rows; k++) begin : gen_row
    logic         [2:0] digit;
    logic signed [10:0] above, row, sum;  // above: sum of the rows before, less their final bits
    logic        [11:0] added;

    assign digit = digits[2*k+:3];

    // 0, 1, 2, -2 or -1 times a_i; a negative row lacks 1, which comes as the carry.
    always_comb begin
      unique case (digit)
        3'b001, 3'b010: row = 11'(a_i);
        3'b011:         row = 11'(a_i) <<< 1;
        3'b100:         row = ~(11'(a_i) <<< 1);
        3'b101, 3'b110: row = ~11'(a_i);
        3'b111:         row = '1;
        default:        row = '0;
      endcase
    end

    if (k == 0) begin : gen_first
      assign above = '0;
    end else begin : gen_next
      assign above = gen_row[k-1].sum >>> 2;
    end

    assign added = {above, digit[2]} + {row, digit[2]};
    assign sum   = added[11:1];

    if (k != Rows - 1) begin : gen_done
      assign product_o[2*k+:2] = sum[1:0];
    end else begin : gen_high
      assign product_o[BWidth+8:2*k] = sum;
    end

    logic unused;
    assign unused = added[0];
  end

`ifndef SYNTHESIS
  logic signed [BWidth+8:0] expected;
  assign expected = (BWidth + 9)'(a_i) * (BWidth + 9)'(b_i);
  always_comb begin
    assert (product_o == expected)
      else $error("hao_lut_multiplier: %0d * %0d is not %0d", a_i, b_i, product_o);
  end
`endif

endmodule
