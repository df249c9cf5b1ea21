// A cascade of Length depthwise taps of two pixels, all on the same operands: the worst case of
// both lanes. Every operand in [-255, 255] and every weight in one lane, beside operands in the
// other lane that strain it most; then the lanes change places.
module hao_dw_pair_tap_bench #(
  parameter int unsigned Length = 4
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        done_o,
  output logic [31:0] compared_o,
  output logic [31:0] wrong_o
);

  localparam int unsigned Weight  = 8;
  localparam int unsigned Cases   = 3 + 9 + Weight;  // side, other operand; operand; weight
  localparam int unsigned Latency = Length + 2;

  logic      [Cases:0] count_q;
  logic                side;
  logic          [1:0] other;
  logic signed   [8:0] number, x, strain, upper, lower;
  logic signed   [7:0] weight;
  logic signed   [8:0] upper_d [Length], lower_d [Length];
  logic signed   [7:0] w [Length];
  logic         [47:0] cascade [Length+1];
  logic         [35:0] sum [Length];
  logic signed  [19:0] expect_upper_q [Latency], expect_lower_q [Latency];
  logic  [Latency-1:0] legal_q;

  assign {side, other, number} = count_q[Cases-1:Weight];
  assign weight           = 8'(signed'(count_q[Weight-1:0]));
  assign x                = number == -9'sd256 ? 9'sd0 : number;  // no operand
  assign strain           = other == 2'd0 ? -9'sd255 : other == 2'd1 ? 9'sd255
                          : other == 2'd2 ? -9'sd1 : 9'sd0;
  assign upper            = side ? x : strain;
  assign lower            = side ? strain : x;
  assign upper_d[0]       = upper;
  assign lower_d[0]       = lower;
  assign w[0]             = weight;
  assign cascade[0]       = '0;
  assign done_o           = count_q[Cases] && legal_q == '0;

  for (genvar k = 0; k < Length; k++) begin : gen_tap
    if (k > 0) begin : gen_delay
      always_ff @(posedge clk_i) begin
        upper_d[k] <= upper_d[k-1];
        lower_d[k] <= lower_d[k-1];
        w[k]       <= w[k-1];
      end
    end
    hao_dw_pair_tap #(
      .Head(k == 0)
    ) i_tap (
      .clk_i,
      .en_i     (1'b1),
      .m_en_i   (1'b1),
      .p_en_i   (legal_q[k+1]),
      .upper_i  (upper_d[k]),
      .lower_i  (lower_d[k]),
      .weight_i (w[k]),
      .cascade_i(cascade[k]),
      .cascade_o(cascade[k+1]),
      .sum_o    (sum[k])
    );
  end

  logic signed [19:0] found_upper, found_lower;
  assign found_upper = 20'(signed'(sum[Length-1][35:18]));
  assign found_lower = 20'(signed'({!sum[Length-1][17], sum[Length-1][16:0]}));

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q    <= '0;
      legal_q    <= '0;
      compared_o <= '0;
      wrong_o    <= '0;
    end else begin
      if (!count_q[Cases]) count_q <= count_q + 1'b1;
      legal_q <= {legal_q[Latency-2:0], !count_q[Cases] && number != -9'sd256};
      if (legal_q[Latency-1]) begin
        compared_o <= compared_o + 2;
        if (found_upper !== expect_upper_q[Latency-1]) wrong_o <= wrong_o + 1;
        if (found_lower !== expect_lower_q[Latency-1]) wrong_o <= wrong_o + 1;
      end
    end
    expect_upper_q[0] <= 20'(signed'(Length)) * 20'(upper) * 20'(weight);
    expect_lower_q[0] <= 20'(signed'(Length)) * 20'(lower) * 20'(weight);
    for (int unsigned k = 1; k < Latency; k++) begin
      expect_upper_q[k] <= expect_upper_q[k-1];
      expect_lower_q[k] <= expect_lower_q[k-1];
    end
  end

endmodule
