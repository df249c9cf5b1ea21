// One tap of two pixels in one DSP48E2: the pre-adder joins the pixels 18 bits apart, the product
// of both is added to what comes down the cascade. A, D, B, M and P registers lie inside the DSP.
//
// Three 9 x 8 bit products keep the sums apart (3 * 255 * 128 < 2^17). The head of a cascade starts
// from 2^17: the lower sum never goes negative and borrows nothing from the upper one.
module hao_dw_pair_tap #(
  parameter bit Head = 1'b1  // first of the cascade
) (
  input  logic               clk_i,
  input  logic               en_i,       // takes operands
  input  logic               m_en_i,
  input  logic               p_en_i,
  input  logic signed [8:0]  upper_i,
  input  logic signed [8:0]  lower_i,
  input  logic signed [7:0]  weight_i,
  input  logic        [47:0] cascade_i,  // of the tap before
  output logic        [47:0] cascade_o,  // to the next tap alone
  output logic        [35:0] sum_o
);

  localparam logic [47:0] Start = 48'h20000;

`ifdef SYNTHESIS
  logic [47:0] p;

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
    .A             ({{3{upper_i[8]}}, upper_i, 18'b0}),
    .B             (18'(weight_i)),
    .C             (Start),
    .D             (27'(lower_i)),
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

  assign sum_o = p[35:0];
`else
  logic signed [26:0] pair_q;
  logic signed [7:0]  weight_q;
  logic signed [34:0] m_q;
  logic signed [35:0] p_q;

  // 36 bits hold the sums of a whole cascade, so the twin keeps no more of P.
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      pair_q   <= {upper_i, 18'b0} + 27'(lower_i);
      weight_q <= weight_i;
    end
    if (m_en_i) m_q <= pair_q * weight_q;
    if (p_en_i) p_q <= (Head ? Start[35:0] : cascade_i[35:0]) + 36'(m_q);
  end

  assign cascade_o = 48'(p_q);
  assign sum_o     = p_q;

  logic unused;
  assign unused = ^cascade_i;

  assert property (@(posedge clk_i) p_en_i |->
                   Head || (cascade_i[17:0] >= 18'd32000 && cascade_i[17:0] <= 18'd230000))
    else $error("hao_dw_pair_tap: the lower sum is about to leave its field");
`endif

endmodule
