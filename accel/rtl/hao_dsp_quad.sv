// Four products of two 5-bit operands (u4 or s4, -8 to 15) and two 4-bit weights in one DSP48E2:
// the operands meet 11 bits apart on one port, the weights 22 bits apart behind the pre-adder. P
// adds what comes down the cascade.
//
// Eight products keep the fields apart (8 * 15 * 8 < 2^10). The head of a cascade starts the three
// lower fields from 2^10: they never go negative and borrow nothing.
module hao_dsp_quad #(
  parameter bit Head = 1'b1  // first of the cascade
) (
  input  logic               clk_i,
  input  logic               en_i,       // takes operands and weights
  input  logic               m_en_i,
  input  logic               p_en_i,
  input  logic signed  [4:0] x0_i,
  input  logic signed  [4:0] x1_i,
  input  logic signed  [3:0] w0_i,
  input  logic signed  [3:0] w1_i,
  input  logic        [47:0] cascade_i,  // of the product before
  output logic        [47:0] cascade_o,  // to the next one alone
  output logic signed [10:0] sum_o [4]   // x0 w0, x1 w0, x0 w1, x1 w1
);

  localparam logic [47:0] Start = 48'h1_0020_0400;

  logic signed [17:0] x;
  logic        [47:0] p;

  assign x = 18'(signed'({x1_i, 11'b0})) + 18'(x0_i);

`ifdef SYNTHESIS
  // P = (A + D) * B + C (head) or + PCIN
  DSP48E2 #(
    .ACASCREG     (1),
    .ADREG        (0),
    .ALUMODEREG   (0),
    .AMULTSEL     ("AD"),
    .AREG         (1),
    .BCASCREG     (1),
    .BREG         (1),
    .CARRYINREG   (0),
    .CARRYINSELREG(0),
    .CREG         (0),
    .DREG         (1),
    .INMODEREG    (0),
    .MREG         (1),
    .OPMODEREG    (0),
    .PREG         (1)
  ) i_dsp (
    .CLK           (clk_i),
    .A             (30'(signed'({w1_i, 22'b0}))),
    .B             (x),
    .C             (Start),
    .D             (27'(w0_i)),
    .PCIN          (Head ? '0 : cascade_i),
    .OPMODE        (Head ? 9'b000110101 : 9'b000010101),
    .ALUMODE       ('0),
    .INMODE        (5'b00100),
    .CARRYIN       (1'b0),
    .CARRYINSEL    ('0),
    .CEA1          (1'b0),
    .CEA2          (en_i),
    .CEAD          (1'b0),
    .CEALUMODE     (1'b0),
    .CEB1          (1'b0),
    .CEB2          (en_i),
    .CEC           (1'b0),
    .CECARRYIN     (1'b0),
    .CECTRL        (1'b0),
    .CED           (en_i),
    .CEINMODE      (1'b0),
    .CEM           (m_en_i),
    .CEP           (p_en_i),
    .RSTA          (1'b0),
    .RSTALLCARRYIN (1'b0),
    .RSTALUMODE    (1'b0),
    .RSTB          (1'b0),
    .RSTC          (1'b0),
    .RSTCTRL       (1'b0),
    .RSTD          (1'b0),
    .RSTINMODE     (1'b0),
    .RSTM          (1'b0),
    .RSTP          (1'b0),
    .ACIN          ('0),
    .BCIN          ('0),
    .CARRYCASCIN   (1'b0),
    .MULTSIGNIN    (1'b0),
    .P             (p),
    .PCOUT         (cascade_o),
    .ACOUT         (),
    .BCOUT         (),
    .CARRYCASCOUT  (),
    .CARRYOUT      (),
    .MULTSIGNOUT   (),
    .OVERFLOW      (),
    .PATTERNBDETECT(),
    .PATTERNDETECT (),
    .UNDERFLOW     (),
    .XOROUT        ()
  );
`else
  logic signed [26:0] pair_q;
  logic signed [17:0] x_q;
  logic signed [44:0] m_q;
  logic signed [47:0] p_q;

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      pair_q <= 27'(signed'({w1_i, 22'b0})) + 27'(w0_i);
      x_q    <= x;
    end
    if (m_en_i) m_q <= pair_q * x_q;
    if (p_en_i) p_q <= (Head ? Start : cascade_i) + 48'(m_q);
  end

  assign cascade_o = p_q;
  assign p         = p_q;

  // What keeps the fields apart.
  assert property (@(posedge clk_i) en_i |-> x0_i >= -5'sd8 && x1_i >= -5'sd8)
    else $error("hao_dsp_quad: operands %0d and %0d, less than -8", x0_i, x1_i);
`endif

  for (genvar f = 0; f < 3; f++) begin : gen_field
    assign sum_o[f] = {!p[11*f+10], p[11*f+:10]};  // less 2^10
  end
  assign sum_o[3] = p[43:33];

endmodule
