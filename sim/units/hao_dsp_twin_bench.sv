// Every module with a DSP48E2 in it: the behavioural twin beside the instance (`*_primitive`, the
// same file with the other branch of its ifdef) on a model of the DSP, with random operands and
// random enables. One cycle of all enables begins, so that no register is unknown.
module hao_dsp_twin_bench #(
  parameter int unsigned Cycles = 200_000
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        done_o,
  output logic [31:0] compared_o,
  output logic [31:0] wrong_o
);

  logic [31:0] count_q;
  logic [3:0]  en;
  logic        fill, check;
  logic [63:0] r0, r1, r2;

  always_ff @(posedge clk_i) begin
    r0 <= {$urandom, $urandom};
    r1 <= {$urandom, $urandom};
    r2 <= {$urandom, $urandom};
  end

  assign fill   = count_q < 16;
  assign check  = count_q >= 32 && !done_o;
  assign en     = fill ? '1 : r2[3:0] | r2[7:4];
  assign done_o = count_q >= Cycles;

  // hao_dsp_row, two lanes of a chain, with two pixels and with one
  logic signed  [7:0] weight [2];
  logic signed [26:0] pair;
  assign weight[0] = r1[7:0];
  assign weight[1] = r1[15:8];
  assign pair      = {operand(r0[8:0]), 18'b0} + 27'(signed'(operand(r0[17:9])));

  // The least number is none of the operands.
  function automatic logic [8:0] operand(logic [8:0] value);
    return value == 9'h100 ? 9'h101 : value;
  endfunction

  function automatic logic [4:0] small_operand(logic [4:0] value);  // -8 to 15
    return {value[4], value[3] || value[4], value[2:0]};
  endfunction

  localparam int unsigned Modules = 6;
  logic [Modules-1:0] equal;

  for (genvar v = 0; v < 2; v++) begin : gen_row
    localparam int unsigned AWidth = v == 0 ? 27 : 9;
    localparam int unsigned PWidth = v == 0 ? 36 : 20;
    logic signed       [47:0] none [2], twin_c [2], dsp_c [2], unused_twin [2], unused_dsp [2];
    logic signed [PWidth-1:0] twin_head [2], dsp_head [2], twin [2], dsp [2];
    assign none = '{default: '0};
    hao_dsp_row #(.PO(2), .AWidth(AWidth), .PWidth(PWidth), .Head(1'b1)) i_twin_head (
      .clk_i, .a_en_i(en[0]), .b_en_i(en[1]), .m_en_i(en[2]), .p_en_i(en[3]), .a_i(pair[AWidth-1:0]),
      .b_i(weight), .cascade_i(none), .cascade_o(twin_c), .p_o(twin_head)
    );
    hao_dsp_row #(.PO(2), .AWidth(AWidth), .PWidth(PWidth), .Head(1'b0)) i_twin (
      .clk_i, .a_en_i(en[3]), .b_en_i(en[2]), .m_en_i(en[1]), .p_en_i(en[0]), .a_i(pair[AWidth-1:0]),
      .b_i(weight), .cascade_i(twin_c), .cascade_o(unused_twin), .p_o(twin)
    );
    hao_dsp_row_primitive #(.PO(2), .AWidth(AWidth), .PWidth(PWidth), .Head(1'b1)) i_dsp_head (
      .clk_i, .a_en_i(en[0]), .b_en_i(en[1]), .m_en_i(en[2]), .p_en_i(en[3]), .a_i(pair[AWidth-1:0]),
      .b_i(weight), .cascade_i(none), .cascade_o(dsp_c), .p_o(dsp_head)
    );
    hao_dsp_row_primitive #(.PO(2), .AWidth(AWidth), .PWidth(PWidth), .Head(1'b0)) i_dsp (
      .clk_i, .a_en_i(en[3]), .b_en_i(en[2]), .m_en_i(en[1]), .p_en_i(en[0]), .a_i(pair[AWidth-1:0]),
      .b_i(weight), .cascade_i(dsp_c), .cascade_o(unused_dsp), .p_o(dsp)
    );
    assign equal[v] = twin_head == dsp_head && twin == dsp;
  end

  // hao_requant_dsp; acc + bias fit 27 bits
  logic signed [47:0] twin_requant, dsp_requant;
  logic signed [26:0] acc, bias;
  assign acc  = 27'(signed'(r0[25:0]));
  assign bias = 27'(signed'(r1[25:0]));
  hao_requant_dsp i_twin_requant (
    .clk_i, .step_i(en), .a_i(acc), .d_i(bias), .b_i({1'b0, r0[63:47]}), .c_i(48'h8000 << r1[40:36]),
    .accumulate_i(!fill && r1[63]), .p_o(twin_requant)
  );
  hao_requant_dsp_primitive i_dsp_requant (
    .clk_i, .step_i(en), .a_i(acc), .d_i(bias), .b_i({1'b0, r0[63:47]}), .c_i(48'h8000 << r1[40:36]),
    .accumulate_i(!fill && r1[63]), .p_o(dsp_requant)
  );
  assign equal[2] = twin_requant == dsp_requant;

  // hao_dsp_quad and hao_dw_pair_tap, heads and the next of a cascade
  for (genvar h = 0; h < 2; h++) begin : gen_cascade
    logic        [47:0] twin_c, dsp_c;
    logic signed [10:0] twin [4], dsp [4];
    logic        [47:0] quad_in;
    assign quad_in = {16'h1, 5'b0, r2[15:10], 5'b0, 1'b1, 4'b0, r2[25:16], 1'b0};
    hao_dsp_quad #(.Head(h == 0)) i_twin (
      .clk_i, .en_i(en[0]), .m_en_i(en[1]), .p_en_i(en[2]), .x0_i(small_operand(r0[4:0])),
      .x1_i(small_operand(r0[9:5])),
      .w0_i(r1[3:0]), .w1_i(r1[7:4]), .cascade_i(quad_in), .cascade_o(twin_c), .sum_o(twin)
    );
    hao_dsp_quad_primitive #(.Head(h == 0)) i_dsp (
      .clk_i, .en_i(en[0]), .m_en_i(en[1]), .p_en_i(en[2]), .x0_i(small_operand(r0[4:0])),
      .x1_i(small_operand(r0[9:5])),
      .w0_i(r1[3:0]), .w1_i(r1[7:4]), .cascade_i(quad_in), .cascade_o(dsp_c), .sum_o(dsp)
    );
    assign equal[3+h] = twin_c == dsp_c && twin == dsp;
  end

  logic [47:0] tap_c [2], unused_c [2];
  logic [35:0] tap_sum [2], tap_head [2];
  hao_dw_pair_tap #(.Head(1'b1)) i_twin_tap_head (
    .clk_i, .en_i(en[0]), .m_en_i(en[1]), .p_en_i(en[2]), .upper_i(r0[8:0]), .lower_i(r0[17:9]),
    .weight_i(r1[7:0]), .cascade_i('0), .cascade_o(tap_c[0]), .sum_o(tap_head[0])
  );
  hao_dw_pair_tap_primitive #(.Head(1'b1)) i_dsp_tap_head (
    .clk_i, .en_i(en[0]), .m_en_i(en[1]), .p_en_i(en[2]), .upper_i(r0[8:0]), .lower_i(r0[17:9]),
    .weight_i(r1[7:0]), .cascade_i('0), .cascade_o(tap_c[1]), .sum_o(tap_head[1])
  );
  hao_dw_pair_tap #(.Head(1'b0)) i_twin_tap (
    .clk_i, .en_i(en[3]), .m_en_i(en[2]), .p_en_i(en[1] && !fill), .upper_i(r1[8:0]),
    .lower_i(r1[17:9]), .weight_i(r0[7:0]), .cascade_i(tap_c[0]), .cascade_o(unused_c[0]),
    .sum_o(tap_sum[0])
  );
  hao_dw_pair_tap_primitive #(.Head(1'b0)) i_dsp_tap (
    .clk_i, .en_i(en[3]), .m_en_i(en[2]), .p_en_i(en[1] && !fill), .upper_i(r1[8:0]),
    .lower_i(r1[17:9]), .weight_i(r0[7:0]), .cascade_i(tap_c[1]), .cascade_o(unused_c[1]),
    .sum_o(tap_sum[1])
  );
  assign equal[5] = tap_head[0] == tap_head[1] && tap_sum[0] == tap_sum[1];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q    <= '0;
      compared_o <= '0;
      wrong_o    <= '0;
    end else begin
      if (!done_o) count_q <= count_q + 1;
      if (check) begin
        compared_o <= compared_o + Modules;
        if (equal != '1) wrong_o <= wrong_o + 1;
      end
    end
  end

endmodule
