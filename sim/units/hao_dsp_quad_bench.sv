// A cascade of Length multipliers with four products each, all on the same operands: every
// combination of two operands in [-8, 15] and two weights.
module hao_dsp_quad_bench #(
  parameter int unsigned Length = 8
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        done_o,
  output logic [31:0] compared_o,
  output logic [31:0] wrong_o
);

  localparam int unsigned Latency = Length + 2;

  logic         [18:0] count_q;
  logic  signed  [4:0] x0, x1, x0_d [Length], x1_d [Length];
  logic  signed  [3:0] w0, w1, w0_d [Length], w1_d [Length];
  logic         [47:0] cascade [Length+1];
  logic  signed [10:0] sum [Length][4];
  logic  signed [10:0] expected_q [Latency][4];
  logic  [Latency-1:0] legal_q;

  // a five-bit count below 24, from -8 on
  function automatic logic signed [4:0] operand(logic [4:0] number);
    return number < 5'd24 ? 5'(number - 5'd8) : '0;
  endfunction

  assign {w1, w0}   = count_q[7:0];
  assign x0         = operand(count_q[12:8]);
  assign x1         = operand(count_q[17:13]);
  assign x0_d[0]    = x0;
  assign x1_d[0]    = x1;
  assign w0_d[0]    = w0;
  assign w1_d[0]    = w1;
  assign cascade[0] = '0;
  assign done_o     = count_q[18] && legal_q == '0;

  for (genvar k = 0; k < Length; k++) begin : gen_tap
    if (k > 0) begin : gen_delay
      always_ff @(posedge clk_i) begin
        x0_d[k] <= x0_d[k-1];
        x1_d[k] <= x1_d[k-1];
        w0_d[k] <= w0_d[k-1];
        w1_d[k] <= w1_d[k-1];
      end
    end
    hao_dsp_quad #(
      .Head(k == 0)
    ) i_quad (
      .clk_i,
      .en_i     (1'b1),
      .m_en_i   (1'b1),
      .p_en_i   (1'b1),
      .x0_i     (x0_d[k]),
      .x1_i     (x1_d[k]),
      .w0_i     (w0_d[k]),
      .w1_i     (w1_d[k]),
      .cascade_i(cascade[k]),
      .cascade_o(cascade[k+1]),
      .sum_o    (sum[k])
    );
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q    <= '0;
      legal_q    <= '0;
      compared_o <= '0;
      wrong_o    <= '0;
    end else begin
      if (!count_q[18]) count_q <= count_q + 1'b1;
      legal_q <= {legal_q[Latency-2:0],
                  !count_q[18] && count_q[12:8] < 5'd24 && count_q[17:13] < 5'd24};
      if (legal_q[Latency-1]) begin
        compared_o <= compared_o + 4;
        if (sum[Length-1] != expected_q[Latency-1]) wrong_o <= wrong_o + 1;
      end
    end
    expected_q[0][0] <= 11'(signed'(Length)) * 11'(x0) * 11'(w0);
    expected_q[0][1] <= 11'(signed'(Length)) * 11'(x1) * 11'(w0);
    expected_q[0][2] <= 11'(signed'(Length)) * 11'(x0) * 11'(w1);
    expected_q[0][3] <= 11'(signed'(Length)) * 11'(x1) * 11'(w1);
    for (int unsigned k = 1; k < Latency; k++) expected_q[k] <= expected_q[k-1];
  end

endmodule
