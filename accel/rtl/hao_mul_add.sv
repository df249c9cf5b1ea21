// product_o = a_i * b_i + c_i modulo 2^Width, pipelined, in LUTs: start addresses must not cost
// DSPs.
//
// All operands are unsigned. The result leaves 2 cycles after valid_i when BWidth <= 8, otherwise
// 3; a new operand set may enter every cycle.
module hao_mul_add #(
  parameter int unsigned AWidth = 16,
  parameter int unsigned BWidth = 16,
  parameter int unsigned Width  = 16
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              valid_i,
  input  logic [AWidth-1:0] a_i,
  input  logic [BWidth-1:0] b_i,
  input  logic [Width-1:0]  c_i,
  output logic              valid_o,
  output logic [Width-1:0]  product_o
);

  localparam int unsigned Groups = (BWidth + 3) / 4;

  if (BWidth < 1 || BWidth > 16) begin : gen_check
    $error("hao_mul_add: BWidth must be 1 to 16, not %0d", BWidth);
  end

  // First stage: four rows of partial products a group.
  logic [4*Groups-1:0] b_padded;
  logic [Width-1:0]    group_q [Groups];
  logic [Width-1:0]    c_q;
  logic                group_valid_q;

  assign b_padded = (4 * Groups)'(b_i);

  function automatic logic [Width-1:0] partial(logic [AWidth-1:0] a, logic bit_set,
                                               int unsigned shift);
    return bit_set ? (Width'(a) << shift) : '0;
  endfunction

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        group_q[g] <= (partial(a_i, b_padded[4*g], 4 * g) +
                       partial(a_i, b_padded[4*g+1], 4 * g + 1)) +
                      (partial(a_i, b_padded[4*g+2], 4 * g + 2) +
                       partial(a_i, b_padded[4*g+3], 4 * g + 3));
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) c_q <= c_i;
  end

  if (Groups <= 2) begin : gen_short
    logic [Width-1:0] sum;
    if (Groups == 2) begin : gen_two
      assign sum = group_q[0] + group_q[1] + c_q;
    end else begin : gen_one
      assign sum = group_q[0] + c_q;
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        group_valid_q <= 1'b0;
        valid_o       <= 1'b0;
        product_o     <= '0;
      end else begin
        group_valid_q <= valid_i && !clear_i;
        valid_o       <= group_valid_q && !clear_i;
        if (group_valid_q) product_o <= sum;
      end
    end
  end else begin : gen_long
    logic             half_valid_q;
    logic [Width-1:0] low_q, high_q, high;
    if (Groups == 4) begin : gen_four
      assign high = group_q[2] + group_q[3];
    end else begin : gen_three
      assign high = group_q[2];
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        group_valid_q <= 1'b0;
        half_valid_q  <= 1'b0;
        valid_o       <= 1'b0;
        low_q         <= '0;
        high_q        <= '0;
        product_o     <= '0;
      end else begin
        group_valid_q <= valid_i && !clear_i;
        half_valid_q  <= group_valid_q && !clear_i;
        valid_o       <= half_valid_q && !clear_i;
        if (group_valid_q) begin
          low_q  <= group_q[0] + group_q[1] + c_q;
          high_q <= high;
        end
        if (half_valid_q) product_o <= low_q + high_q;
      end
    end
  end

`ifndef SYNTHESIS
  // What the product must be, one stage behind another.
  logic [Width-1:0] expected_q [3];
  always_ff @(posedge clk_i) begin
    if (valid_i) expected_q[0] <= Width'(a_i) * Width'(b_i) + c_i;
    expected_q[1] <= expected_q[0];
    expected_q[2] <= expected_q[1];
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_o |-> product_o == expected_q[Groups <= 2 ? 1 : 2])
    else $error("hao_mul_add: product %0d, not %0d", product_o, expected_q[Groups <= 2 ? 1 : 2]);
`endif

endmodule
