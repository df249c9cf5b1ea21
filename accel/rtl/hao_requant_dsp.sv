// Multiply-add of one requantization lane, p = (a + d) * b + (accumulate ? p : c), in the register
// structure of one DSP48E2: A and D, AD, two B, M, C and P registers. step_i[k] moves stage k: a, d
// and b enter with step_i[0], c with step_i[2], accumulate_i belongs to step_i[3].
module hao_requant_dsp (
  input  logic               clk_i,
  input  logic         [3:0] step_i,
  input  logic signed [26:0] a_i,
  input  logic signed [26:0] d_i,
  input  logic signed [17:0] b_i,
  input  logic        [47:0] c_i,
  input  logic               accumulate_i,
  output logic signed [47:0] p_o
);

`ifdef SYNTHESIS
  DSP48E2 #(
    .ACASCREG     (1),
    .ADREG        (1),
    .ALUMODEREG   (0),
    .AMULTSEL     ("AD"),
    .AREG         (1),
    .BCASCREG     (2),
    .BREG         (2),
    .CARRYINREG   (0),
    .CARRYINSELREG(0),
    .CREG         (1),
    .DREG         (1),
    .INMODEREG    (0),
    .MREG         (1),
    .OPMODEREG    (0),
    .PREG         (1)
  ) i_dsp (
    .CLK           (clk_i),
    .A             (30'(a_i)),
    .B             (b_i),
    .C             (c_i),
    .D             (d_i),
    .PCIN          ('0),
    .OPMODE        ({2'b00, 1'b0, 1'b1, !accumulate_i, 4'b0101}),
    .ALUMODE       ('0),
    .INMODE        (5'b00100),
    .CARRYIN       (1'b0),
    .CARRYINSEL    ('0),
    .CEA1          (1'b0),
    .CEA2          (step_i[0]),
    .CEAD          (step_i[1]),
    .CEALUMODE     (1'b0),
    .CEB1          (step_i[0]),
    .CEB2          (step_i[1]),
    .CEC           (step_i[2]),
    .CECARRYIN     (1'b0),
    .CECTRL        (1'b0),
    .CED           (step_i[0]),
    .CEINMODE      (1'b0),
    .CEM           (step_i[2]),
    .CEP           (step_i[3]),
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
    .P             (p_o),
    .PCOUT         (),
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
  logic signed [26:0] a_q, d_q, ad_q;
  logic signed [17:0] b1_q, b2_q;
  logic signed [44:0] m_q;
  logic signed [47:0] c_q, p_q, addend, sum;

  assign addend = accumulate_i ? p_q : c_q;
  assign sum    = 48'(m_q) + addend;
  assign p_o    = p_q;

  always_ff @(posedge clk_i) begin
    if (step_i[0]) begin
      a_q  <= a_i;
      d_q  <= d_i;
      b1_q <= b_i;
    end
    if (step_i[1]) begin
      ad_q <= a_q + d_q;
      b2_q <= b1_q;
    end
    if (step_i[2]) begin
      m_q <= ad_q * b2_q;
      c_q <= c_i;
    end
    if (step_i[3]) p_q <= sum;
  end

  // Immediate, not concurrent: sampling every lane would cost more than the lanes.
  always_ff @(posedge clk_i) begin
    if (step_i[3]) begin
      assert (m_q[44] != addend[47] || sum[47] == addend[47])
        else $error("hao_requant_dsp: %0d + %0d leaves 48 bits", m_q, addend);
    end
  end
`endif

endmodule
