// One channel of the single-word depthwise core: nine products and their sum, or the largest of
// nine values, then the accumulator of SUM. Four stages; step_i[k] moves stage k, so an idle lane
// stands still. The lane serves two channels in turn; beats of the channels alternate.
module hao_dw_lane (
  input  logic                     clk_i,
  input  logic [3:0]               step_i,
  input  logic [2:0]               max_i,       // of the beat entering stages 0 to 2
  input  logic                     add_acc_i,   // of the beat entering stage 3: adds to the sum
  input  logic                     x_signed_i,
  input  logic [hao_pkg::Taps-1:0] live_i,
  input  logic [7:0]               value_i  [hao_pkg::Taps],
  input  logic signed [7:0]        weight_i [hao_pkg::Taps],
  output logic signed [26:0]       acc_o
);

  import hao_pkg::*;

  logic signed [16:0] product_q [Taps];
  logic signed [8:0]  pair_max_q [3], third_q [3], row_max_q [3];
  logic signed [18:0] row_sum_q [3];
  logic signed [20:0] total_q;
  logic signed [26:0] acc_q, other_q;  // other_q: the other channel's sum

  function automatic logic signed [8:0] larger(logic signed [8:0] a, logic signed [8:0] b);
    return a > b ? a : b;
  endfunction

  // Operands: u8 or s8 as 9 bits signed.
  function automatic logic signed [8:0] extend(logic x_signed, logic [7:0] value);
    return {x_signed && value[7], value};
  endfunction

  // A tap that is not live reads zero, which adds nothing; for the maximum it gets the least value.
  function automatic logic signed [8:0] candidate(logic x_signed, logic live, logic [7:0] value);
    return live ? extend(x_signed, value) : -9'sd256;
  endfunction

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    always_ff @(posedge clk_i) begin
      if (step_i[0] && !max_i[0]) product_q[t] <= extend(x_signed_i, value_i[t]) * weight_i[t];
    end
  end

  for (genvar i = 0; i < 3; i++) begin : gen_row
    always_ff @(posedge clk_i) begin
      if (step_i[0] && max_i[0]) begin
        pair_max_q[i] <= larger(candidate(x_signed_i, live_i[3*i], value_i[3*i]),
                                candidate(x_signed_i, live_i[3*i+1], value_i[3*i+1]));
        third_q[i]    <= candidate(x_signed_i, live_i[3*i+2], value_i[3*i+2]);
      end
      if (step_i[1] && max_i[1]) row_max_q[i] <= larger(pair_max_q[i], third_q[i]);
      if (step_i[1] && !max_i[1]) begin
        row_sum_q[i] <= 19'(product_q[3*i]) + 19'(product_q[3*i+1]) + 19'(product_q[3*i+2]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (step_i[2]) begin
      total_q <= max_i[2] ? 21'(larger(larger(row_max_q[0], row_max_q[1]), row_max_q[2]))
                          : 21'(row_sum_q[0]) + 21'(row_sum_q[1]) + 21'(row_sum_q[2]);
    end
    if (step_i[3]) acc_q <= (add_acc_i ? other_q : '0) + 27'(total_q);
  end

  always_ff @(posedge clk_i) begin
    if (step_i[3]) other_q <= acc_q;
  end

  assign acc_o = acc_q;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) step_i[3] && add_acc_i |->
                   28'(other_q) + 28'(total_q) >= -28'sd67108864 &&
                   28'(other_q) + 28'(total_q) < 28'sd67108864)
    else $error("hao_dw_lane: a sum needs more than 27 bits");
`endif

endmodule
