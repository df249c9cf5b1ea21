// The part of a DSP48E2 that the engine uses, written from AMD UG579, to hold the instances of the
// RTL against their behavioural twins. Not a vendor model: what it has no meaning for, it refuses.
// verilator lint_off UNUSEDSIGNAL
module DSP48E2 #(
  parameter int    ACASCREG      = 1,
  parameter int    ADREG         = 1,
  parameter int    ALUMODEREG    = 1,
  parameter int    AREG          = 1,
  parameter int    BCASCREG      = 1,
  parameter int    BREG          = 1,
  parameter int    CARRYINREG    = 1,
  parameter int    CARRYINSELREG = 1,
  parameter int    CREG          = 1,
  parameter int    DREG          = 1,
  parameter int    INMODEREG     = 1,
  parameter int    MREG          = 1,
  parameter int    OPMODEREG     = 1,
  parameter int    PREG          = 1,
  parameter string AMULTSEL      = "A"
) (
  input  logic        CLK,
  input  logic [29:0] A, ACIN,
  input  logic [17:0] B, BCIN,
  input  logic [47:0] C, PCIN,
  input  logic [26:0] D,
  input  logic [8:0]  OPMODE,
  input  logic [3:0]  ALUMODE,
  input  logic [4:0]  INMODE,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CARRYIN, CARRYCASCIN, MULTSIGNIN,
  input  logic        CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input  logic        RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
  output logic [47:0] P, PCOUT,
  output logic [29:0] ACOUT,
  output logic [17:0] BCOUT,
  output logic        CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, PATTERNBDETECT, PATTERNDETECT, UNDERFLOW,
  output logic [3:0]  CARRYOUT,
  output logic [7:0]  XOROUT
);

  if (AREG != 1 || (BREG != 1 && BREG != 2) || MREG != 1 || PREG != 1 || DREG < 0 || DREG > 1 || CREG > 1 || ADREG > 1) begin : gen_registers
    $error("DSP48E2: registers that the model does not know");
  end
  if (ALUMODEREG != 0 || OPMODEREG != 0 || INMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0) begin : gen_control
    $error("DSP48E2: control registers are not modelled");
  end
  if (ACASCREG != AREG || BCASCREG != BREG) begin : gen_cascade
    $error("DSP48E2: A and B cascade registers must equal the input registers");
  end

  logic signed [29:0] a_q;
  logic signed [17:0] b1_q, b2_q;
  logic        [47:0] c_q, c, p_q, z;
  logic signed [26:0] d_q, d, ad, ad_q, a_mult;
  logic signed [44:0] m_q;

  assign d      = DREG == 1 ? d_q : D;
  assign c      = CREG == 1 ? c_q : C;
  assign ad     = (INMODE[2] ? d : '0) + a_q[26:0];
  assign a_mult = AMULTSEL == "A" ? a_q[26:0] : ADREG == 1 ? ad_q : ad;

  always_comb begin
    case (OPMODE[6:4])
      3'b001:  z = PCIN;
      3'b010:  z = p_q;
      3'b011:  z = c;
      default: z = '0;
    endcase
  end

  always_ff @(posedge CLK) begin
    if (CEA2) a_q <= A;
    if (BREG == 2 && CEB1) b1_q <= B;
    if (CEB2) b2_q <= BREG == 2 ? b1_q : B;
    if (CEC) c_q <= C;
    if (CED) d_q <= D;
    if (CEAD) ad_q <= ad;
    if (CEM) m_q <= a_mult * b2_q;
    if (CEP) p_q <= z + 48'(m_q);
    assert (OPMODE[8:7] == 2'b00 && OPMODE[3:0] == 4'b0101 && OPMODE[6:4] != 3'b100 && ALUMODE == '0)
      else $error("DSP48E2: OPMODE %b and ALUMODE %b are not modelled", OPMODE, ALUMODE);
    assert ((INMODE == 5'b00100 && AMULTSEL == "AD") || (INMODE == '0 && AMULTSEL == "A"))
      else $error("DSP48E2: INMODE %b is not modelled", INMODE);
    assert (!(RSTA || RSTB || RSTC || RSTD || RSTM || RSTP || CARRYIN || RSTCTRL) && CARRYINSEL == '0)
      else $error("DSP48E2: resets and carries are not modelled");
  end

  assign P     = p_q;
  assign PCOUT = p_q;
  assign {ACOUT, BCOUT, CARRYCASCOUT, MULTSIGNOUT, OVERFLOW, PATTERNBDETECT, PATTERNDETECT, UNDERFLOW, CARRYOUT, XOROUT} = '0;

endmodule
// verilator lint_on UNUSEDSIGNAL
