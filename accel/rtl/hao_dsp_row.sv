// The multipliers of one input lane of the dense core: one DSP48E2 an output, PO of them on one
// operand. A, B, M and P registers lie inside the DSP; P adds what comes down the cascade from the
// lane before.
//
// With two pixels a multiplier, a_i is (x0 << 18) + x1 of 9-bit signed operands, so that both
// products grow in lanes of 18 bits; a chain of four 9 x 8 bit products keeps them apart
// (4 * 255 * 128 < 2^17). The head of a chain starts from 2^17: the lower lane never goes negative
// and borrows nothing from the upper one. With one pixel a_i is its operand.
module hao_dsp_row #(
  parameter int unsigned PO     = 16,
  parameter int unsigned AWidth = 27,
  parameter int unsigned PWidth = 36,   // bits of P that carry the sums
  parameter bit          Head   = 1'b1  // first lane of a chain
) (
  input  logic                     clk_i,
  input  logic                     a_en_i,
  input  logic                     b_en_i,
  input  logic                     m_en_i,
  input  logic                     p_en_i,
  input  logic signed [AWidth-1:0] a_i,
  input  logic signed        [7:0] b_i [PO],
  input  logic signed       [47:0] cascade_i [PO],  // of the lane before
  output logic signed       [47:0] cascade_o [PO],  // to the next lane alone
  output logic signed [PWidth-1:0] p_o [PO]
);

  if (AWidth > 27 || PWidth > 48) begin : gen_check
    $error("hao_dsp_row: %0d and %0d bits do not fit a DSP48E2", AWidth, PWidth);
  end

  localparam logic [47:0] Start = AWidth > 18 ? 48'h20000 : 48'h0;

`ifdef SYNTHESIS
  for (genvar o = 0; o < PO; o++) begin : gen_dsp
    logic [47:0] p;
    // P = M + C (head) or M + PCIN
    DSP48E2 #(
      .ACASCREG     (1),
      .ADREG        (0),
      .ALUMODEREG   (0),
      .AREG         (1),
      .BCASCREG     (1),
      .BREG         (1),
      .CARRYINREG   (0),
      .CARRYINSELREG(0),
      .CREG         (0),
      .DREG         (0),
      .INMODEREG    (0),
      .MREG         (1),
      .OPMODEREG    (0),
      .PREG         (1)
    ) i_dsp (
      .CLK          (clk_i),
      .A            (30'(a_i)),
      .B            (18'(b_i[o])),
      .C            (Start),
      .D            ('0),
      .PCIN         (Head ? '0 : cascade_i[o]),
      .OPMODE       (Head ? 9'b000110101 : 9'b000010101),
      .ALUMODE      ('0),
      .INMODE       ('0),
      .CARRYIN      (1'b0),
      .CARRYINSEL   ('0),
      .CEA1         (1'b0),
      .CEA2         (a_en_i),
      .CEAD         (1'b0),
      .CEALUMODE    (1'b0),
      .CEB1         (1'b0),
      .CEB2         (b_en_i),
      .CEC          (1'b0),
      .CECARRYIN    (1'b0),
      .CECTRL       (1'b0),
      .CED          (1'b0),
      .CEINMODE     (1'b0),
      .CEM          (m_en_i),
      .CEP          (p_en_i),
      .RSTA         (1'b0),
      .RSTALLCARRYIN(1'b0),
      .RSTALUMODE   (1'b0),
      .RSTB         (1'b0),
      .RSTC         (1'b0),
      .RSTCTRL      (1'b0),
      .RSTD         (1'b0),
      .RSTINMODE    (1'b0),
      .RSTM         (1'b0),
      .RSTP         (1'b0),
      .ACIN         ('0),
      .BCIN         ('0),
      .CARRYCASCIN  (1'b0),
      .MULTSIGNIN   (1'b0),
      .P            (p),
      .PCOUT        (cascade_o[o]),
      .ACOUT        (),
      .BCOUT        (),
      .CARRYCASCOUT (),
      .CARRYOUT     (),
      .MULTSIGNOUT  (),
      .OVERFLOW     (),
      .PATTERNBDETECT(),
      .PATTERNDETECT(),
      .UNDERFLOW    (),
      .XOROUT       ()
    );
    assign p_o[o] = p[PWidth-1:0];
  end
`else
  // PWidth bits hold the sums of a whole chain, so the twin keeps no more of P.
  logic signed [AWidth-1:0] a_q;

  always_ff @(posedge clk_i) begin
    if (a_en_i) a_q <= a_i;
  end

  for (genvar o = 0; o < PO; o++) begin : gen_dsp
    logic signed        [7:0] b_q;
    logic signed [AWidth+7:0] m_q;
    logic signed [PWidth-1:0] p_q;

    always_ff @(posedge clk_i) begin
      if (b_en_i) b_q <= b_i[o];
      if (m_en_i) m_q <= a_q * b_q;
      if (p_en_i) p_q <= (Head ? PWidth'(Start) : PWidth'(cascade_i[o])) + PWidth'(m_q);
    end

    assign cascade_o[o] = 48'(p_q);
    assign p_o[o]       = p_q;
  end

  // What keeps the lanes apart: -256 would not. Once a row, for all its multipliers.
  if (AWidth == 27) begin : gen_check_pair
    logic signed [9:0]  upper;
    logic signed [17:0] lower;
    assign lower = a_i[17:0];
    assign upper = 10'(signed'(a_i[AWidth-1:AWidth-9])) + 10'(lower[17]);
    assert property (@(posedge clk_i) a_en_i |-> upper >= -10'sd255 && upper <= 10'sd255 &&
                     lower >= -18'sd255 && lower <= 18'sd255)
      else $error("hao_dsp_row: operands %0d and %0d leave [-255, 255]", upper, lower);
  end else begin : gen_check_one
    assert property (@(posedge clk_i) a_en_i |-> a_i != {1'b1, (AWidth - 1)'(0)})
      else $error("hao_dsp_row: operand %0d leaves its symmetric range", a_i);
  end
`endif

endmodule
