// The array of a third pixel, for measuring its area alone: 16 inputs x 16 outputs of 4-bit weights
// in LUT multipliers, the adder trees behind them, and the partial sums. No part of the engine.
//
// It would stand beside hao_mac_array with PI = PO = 16, take its shadow weights (their lower four
// bits) and its control, and give its sum in the same cycle: Latency = 9 after the operands. So the
// operands wait in shift registers while the DSP chains are under way.
module hao_third_pixel #(
  parameter int unsigned PO = 16
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  input  logic               x_load_i,
  input  logic               x_en_i,
  input  logic               x_signed_i,
  input  logic       [127:0] x_data_i,
  input  logic         [8:0] valid_i,             // of the stages that follow the operands
  input  logic               swap_i,              // with stage 5: these operands' weights
  input  logic signed  [3:0] shadow_i [16][PO],
  // Partial sums, as hao_accumulator has them
  input  logic               ahead_valid_i,
  input  logic               ahead_first_i,
  input  logic         [4:0] ahead_group_i,
  input  logic               last_i,
  input  logic         [4:0] group_i,
  input  logic         [2:0] mark_i,
  output logic               acc_valid_o,
  input  logic               acc_ready_i,
  output logic signed [26:0] acc_o [PO],
  output logic               acc_end_o,
  output logic         [2:0] acc_mark_o,
  output logic               drained_o
);

  localparam int unsigned Wait = 4;  // cycles by which the DSP chains are longer

  // Operands, 9 bits signed, and their wait.
  logic signed [8:0] x_q [16], late_q [16][Wait];
  logic signed [3:0] weight_q [16][PO];

  for (genvar l = 0; l < 16; l++) begin : gen_operand
    always_ff @(posedge clk_i) begin
      if (x_load_i) begin
        x_q[l] <= x_en_i ? {x_signed_i && x_data_i[8*l+7], x_data_i[8*l+:8]} : '0;
      end
      late_q[l][0] <= x_q[l];
      for (int unsigned k = 1; k < Wait; k++) late_q[l][k] <= late_q[l][k-1];
      if (swap_i) weight_q[l] <= shadow_i[l];
    end
  end

  // Products, sums of four, sum of sixteen: a register behind each.
  logic signed [19:0] sum [1][PO];

  for (genvar o = 0; o < PO; o++) begin : gen_output
    logic signed [12:0] product [16], product_q [16];
    logic signed [14:0] four_q [4];
    logic signed [16:0] sum_q;

    for (genvar l = 0; l < 16; l++) begin : gen_product
      hao_lut_multiplier #(
        .BWidth(4)
      ) i_product (
        .a_i      (late_q[l][Wait-1]),
        .b_i      (weight_q[l][o]),
        .product_o(product[l])
      );
    end

    always_ff @(posedge clk_i) begin
      if (valid_i[5]) product_q <= product;
      if (valid_i[6]) begin
        for (int unsigned k = 0; k < 4; k++) begin
          four_q[k] <= (15'(product_q[4*k]) + 15'(product_q[4*k+1])) +
                       (15'(product_q[4*k+2]) + 15'(product_q[4*k+3]));
        end
      end
      if (valid_i[7]) sum_q <= (17'(four_q[0]) + 17'(four_q[1])) +
                               (17'(four_q[2]) + 17'(four_q[3]));
    end
    assign sum[0][o] = 20'(sum_q);
  end

  hao_accumulator #(
    .PO(PO),
    .PX(1)
  ) i_accumulator (
    .clk_i,
    .rst_ni,
    .clear_i,
    .ahead_valid_i,
    .ahead_first_i,
    .ahead_group_i,
    .valid_i   (valid_i[8]),
    .last_i,
    .group_i,
    .pair_i    (1'b0),
    .mark_i,
    .sum_i     (sum),
    .acc_valid_o,
    .acc_ready_i,
    .acc_o,
    .acc_end_o,
    .acc_mark_o,
    .drained_o
  );

endmodule
