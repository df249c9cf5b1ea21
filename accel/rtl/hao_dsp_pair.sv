// One multiplier of the dense core in the register structure of a DSP48E2: M and P registers, P
// adds what comes down the cascade. With two pixels a multiplier, a_i is (x0 << 18) + x1 of 9-bit
// signed operands, so that both products grow in lanes of 18 bits; a chain of four 9 x 8 bit
// products keeps them apart (4 * 255 * 128 < 2^17). The head of a chain starts from 2^17 (p_i): the
// lower lane never goes negative and borrows nothing from the upper one.
module hao_dsp_pair #(
  parameter int unsigned AWidth = 27,
  parameter int unsigned PWidth = 36
) (
  input  logic                     clk_i,
  input  logic                     m_en_i,
  input  logic                     p_en_i,
  input  logic signed [AWidth-1:0] a_i,
  input  logic signed        [7:0] b_i,
  input  logic signed [PWidth-1:0] p_i,
  output logic signed [PWidth-1:0] p_o
);

  if (AWidth > 27 || PWidth > 48) begin : gen_check
    $error("hao_dsp_pair: %0d and %0d bits do not fit a DSP48E2", AWidth, PWidth);
  end

  logic signed [AWidth+7:0] m_q;

  always_ff @(posedge clk_i) begin
    if (m_en_i) m_q <= a_i * b_i;
    if (p_en_i) p_o <= p_i + PWidth'(m_q);
  end

endmodule
