// One channel of the depthwise core: nine taps of one or two pixels a beat on nine DSPs, or the
// largest of nine values of each. Seven stages; step_i[k] moves stage k.
//
// A multiplier takes a tap of both pixels at once (hao_dw_pair_tap; of one pixel the other is
// zero); three in a cascade sum a row of taps, whose operands reach them one cycle apart.
//
// The lane serves two channels in turn; beats of the channels alternate.
module hao_dw_lane #(
  parameter int unsigned Pixels = 2
) (
  input  logic                     clk_i,
  input  logic [6:0]               step_i,
  input  logic [5:0]               max_i,       // of the beat that enters each stage
  input  logic                     add_acc_i,   // of the beat entering stage 6: adds to its sum,
  input  logic                     add_b_i,     // and adds the other pixel, if there are two
  input  logic                     x_signed_i,
  input  logic [hao_pkg::Taps-1:0] live_i   [Pixels],
  input  logic [7:0]               value_i  [Pixels][hao_pkg::Taps],
  input  logic signed [7:0]        weight_i [hao_pkg::Taps],
  output logic signed [26:0]       acc_o    [Pixels]
);

  import hao_pkg::*;

  if (Pixels != 1 && Pixels != 2) begin : gen_check
    $error("hao_dw_lane: Pixels must be 1 or 2, not %0d", Pixels);
  end

  function automatic logic signed [8:0] extend(logic x_signed, logic [7:0] value);
    return {x_signed && value[7], value};
  endfunction

  // For the maximum a tap that is not live gets the least value.
  function automatic logic signed [8:0] candidate(logic x_signed, logic live, logic [7:0] value);
    return live ? extend(x_signed, value) : -9'sd256;
  endfunction

  function automatic logic signed [8:0] larger(logic signed [8:0] a, logic signed [8:0] b);
    return a > b ? a : b;
  endfunction

  logic [4:0]         mac;
  logic signed [17:0] row_a [3], row_b [3];

  assign mac = step_i[4:0] & ~max_i[4:0];

  for (genvar i = 0; i < 3; i++) begin : gen_row
    // Tap j of the row works j cycles later than the first.
    typedef struct packed {
      logic signed [8:0] upper;
      logic signed [8:0] lower;
      logic signed [7:0] weight;
    } operand_t;

    operand_t    operand [3], late1_q, late2_q, later2_q;
    logic [47:0] cascade [3];
    logic [35:0] sum, unused_sum [2];

    for (genvar j = 0; j < 3; j++) begin : gen_tap
      assign operand[j] = '{upper: extend(x_signed_i, value_i[0][3*i+j]),
                            lower: Pixels == 1 ? '0 : extend(x_signed_i, value_i[Pixels-1][3*i+j]),
                            weight: weight_i[3*i+j]};
    end

    always_ff @(posedge clk_i) begin
      if (mac[0]) begin
        late1_q <= operand[1];
        late2_q <= operand[2];
      end
      if (mac[1]) later2_q <= late2_q;
    end

    hao_dw_pair_tap #(.Head(1'b1)) i_tap0 (
      .clk_i, .en_i(mac[0]), .m_en_i(mac[1]), .p_en_i(mac[2]),
      .upper_i(operand[0].upper), .lower_i(operand[0].lower), .weight_i(operand[0].weight),
      .cascade_i('0), .cascade_o(cascade[0]), .sum_o(unused_sum[0])
    );
    hao_dw_pair_tap #(.Head(1'b0)) i_tap1 (
      .clk_i, .en_i(mac[1]), .m_en_i(mac[2]), .p_en_i(mac[3]),
      .upper_i(late1_q.upper), .lower_i(late1_q.lower), .weight_i(late1_q.weight),
      .cascade_i(cascade[0]), .cascade_o(cascade[1]), .sum_o(unused_sum[1])
    );
    hao_dw_pair_tap #(.Head(1'b0)) i_tap2 (
      .clk_i, .en_i(mac[2]), .m_en_i(mac[3]), .p_en_i(mac[4]),
      .upper_i(later2_q.upper), .lower_i(later2_q.lower), .weight_i(later2_q.weight),
      .cascade_i(cascade[1]), .cascade_o(cascade[2]), .sum_o(sum)
    );

    logic unused;
    assign unused = ^cascade[2];

    assign row_a[i] = $signed(sum[35:18]);
    assign row_b[i] = $signed({!sum[17], sum[16:0]});  // less 2^17
  end

  // Maxima take as long as the cascade: one comparison a stage.
  logic signed [26:0] total [2];

  for (genvar k = 0; k < int'(Pixels); k++) begin : gen_pixel
    logic signed [8:0]  pair_max_q [3], third_q [3], row_max_q [3];
    logic signed [8:0]  two_max_q, last_row_q, all_max_q, max_q;
    logic signed [20:0] total_q;

    for (genvar i = 0; i < 3; i++) begin : gen_row_max
      always_ff @(posedge clk_i) begin
        if (step_i[0] && max_i[0]) begin
          pair_max_q[i] <= larger(candidate(x_signed_i, live_i[k][3*i], value_i[k][3*i]),
                                  candidate(x_signed_i, live_i[k][3*i+1], value_i[k][3*i+1]));
          third_q[i]    <= candidate(x_signed_i, live_i[k][3*i+2], value_i[k][3*i+2]);
        end
        if (step_i[1] && max_i[1]) row_max_q[i] <= larger(pair_max_q[i], third_q[i]);
      end
    end

    always_ff @(posedge clk_i) begin
      if (step_i[2] && max_i[2]) begin
        two_max_q  <= larger(row_max_q[0], row_max_q[1]);
        last_row_q <= row_max_q[2];
      end
      if (step_i[3] && max_i[3]) all_max_q <= larger(two_max_q, last_row_q);
      if (step_i[4] && max_i[4]) max_q <= all_max_q;
      if (step_i[5]) begin
        if (max_i[5])    total_q <= 21'(max_q);
        else if (k == 0) total_q <= 21'(row_a[0]) + 21'(row_a[1]) + 21'(row_a[2]);
        else             total_q <= 21'(row_b[0]) + 21'(row_b[1]) + 21'(row_b[2]);
      end
    end
    assign total[k] = 27'(total_q);
  end

  logic signed [26:0] other_q;  // the other channel's sum

  always_ff @(posedge clk_i) begin
    if (step_i[6]) begin
      other_q  <= acc_o[0];
      acc_o[0] <= (add_acc_i ? other_q : '0) + total[0] + (add_b_i ? total[1] : '0);
    end
  end

  if (Pixels == 2) begin : gen_second
    always_ff @(posedge clk_i) begin
      if (step_i[6]) acc_o[1] <= total[1];
    end
  end else begin : gen_no_second
    assign total[1] = '0;
    logic unused;
    assign unused = ^{row_b[0], row_b[1], row_b[2]};
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) step_i[6] && add_acc_i |->
                   28'(other_q) + 28'(total[0]) + 28'(total[1]) >= -28'sd67108864 &&
                   28'(other_q) + 28'(total[0]) + 28'(total[1]) < 28'sd67108864)
    else $error("hao_dw_lane: a sum needs more than 27 bits");
`endif

endmodule
