// Requantization of unit DW: beats of the depthwise core or of ADD enter the lanes, words of 16
// bytes leave. The two sources never send at once; where the core does not, ADD's operands are at
// the lanes, sent or not. A beat of the core holds lanes 0-7, or 8-15 with half, of one word
// (DwLanes = 8) or two (16); a beat of ADD half a word (8) or a whole one (16).
module hao_dw_requant #(
  parameter int unsigned DwLanes = 16
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // Beats of the core and the parameters in use
  input  logic               core_beat_i,   // a beat leaves the core
  input  logic               core_valid_i,  // and is part of a word
  input  logic               core_half_i,
  input  logic               core_two_i,
  input  logic               core_last_i,
  input  logic signed [26:0] core_acc_i [DwLanes],
  input  logic signed [15:0] lo_i,
  input  logic signed [15:0] hi_i,
  input  logic signed [26:0] bias_i     [hao_pkg::Lanes],
  input  logic [16:0]        mult_i     [hao_pkg::Lanes],
  input  logic [2:0]         shift_i    [hao_pkg::Lanes],
  // Beats of ADD
  input  logic               add_valid_i,
  input  logic               add_second_i,
  input  logic               add_half_i,
  input  logic               add_last_i,
  input  logic signed [8:0]  add_value_i [DwLanes],
  input  logic [16:0]        add_mult_i,
  input  logic [2:0]         add_shift_i,
  input  logic signed [15:0] add_lo_i,
  input  logic signed [15:0] add_hi_i,
  // Words
  output logic               word_valid_o,
  output logic               word_last_o,
  output logic [127:0]       word_o
);

  import hao_pkg::*;

  localparam bit Pairs = DwLanes == 16;

  typedef struct packed {
    logic whole;  // a whole word of one source
    logic half;
    logic two;
    logic last;
  } tag_t;

  logic signed [26:0] acc [DwLanes], bias [DwLanes];
  logic [16:0]        mult [DwLanes];
  logic [2:0]         shift [DwLanes];
  logic               valid, result_valid, unused_ready;
  tag_t               tag, result_tag;
  logic [7:0]         data [DwLanes];
  logic [8*DwLanes-1:0] result;

  assign valid = core_valid_i || add_valid_i;
  assign tag   = !core_beat_i ? '{whole: Pairs, half: add_half_i, two: 1'b0, last: add_last_i}
                             : '{whole: 1'b0, half: core_half_i, two: core_two_i,
                                 last: core_last_i};

  for (genvar l = 0; l < DwLanes; l++) begin : gen_lane
    localparam int unsigned Low = l % 8;
    assign acc[l]   = core_beat_i ? core_acc_i[l] : 27'(add_value_i[l]);
    assign bias[l]  = !core_beat_i ? '0 : core_half_i ? bias_i[8+Low] : bias_i[Low];
    assign mult[l]  = !core_beat_i ? add_mult_i : core_half_i ? mult_i[8+Low] : mult_i[Low];
    assign shift[l] = !core_beat_i ? add_shift_i : core_half_i ? shift_i[8+Low] : shift_i[Low];
    assign result[8*l+:8] = data[l];
  end

  // The buffer behind always has room, so the lanes never wait.
  hao_requant #(
    .NumLanes(DwLanes),
    .TagWidth($bits(tag_t))
  ) i_lanes (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i     (valid),
    .ready_o     (unused_ready),
    .accumulate_i(!core_beat_i && add_second_i),
    .last_i      (core_beat_i || add_second_i),
    .acc_i       (acc),
    .bias_i      (bias),
    .mult_i      (mult),
    .shift_i     (shift),
    .lo_i        (core_beat_i ? lo_i : add_lo_i),
    .hi_i        (core_beat_i ? hi_i : add_hi_i),
    .tag_i       (tag),
    .valid_o     (result_valid),
    .ready_i     (1'b1),
    .data_o      (data),
    .tag_o       (result_tag)
  );

  // Halves become words.
  logic [8*DwLanes-1:0] low_q;

  always_ff @(posedge clk_i) begin
    if (result_valid && !result_tag.half && !result_tag.whole) low_q <= result;
  end

  if (Pairs) begin : gen_pairs
    // The second word of a pair follows the first; the next pair's comes two cycles later.
    logic        second_q, second_last_q;
    logic [127:0] second_data_q;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) second_q <= 1'b0;
      else         second_q <= result_valid && result_tag.half && result_tag.two && !clear_i;
    end
    always_ff @(posedge clk_i) begin
      if (result_valid && result_tag.half && result_tag.two) begin
        second_data_q <= {result[127:64], low_q[127:64]};
        second_last_q <= result_tag.last;
      end
    end

    assign word_valid_o = second_q || (result_valid && (result_tag.whole || result_tag.half));
    assign word_last_o  = second_q ? second_last_q : result_tag.last && !result_tag.two;
    assign word_o       = second_q ? second_data_q
                        : result_tag.whole ? result : {result[63:0], low_q[63:0]};

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     second_q |-> !(result_valid && (result_tag.whole || result_tag.half)))
      else $error("hao_dw_requant: two words at once");
`endif
  end else begin : gen_single
    assign word_valid_o = result_valid && result_tag.half;
    assign word_last_o  = result_tag.last;
    assign word_o       = {result, low_q};

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     result_valid |-> !result_tag.two)
      else $error("hao_dw_requant: a pair of words with 8 lanes");
`endif
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   !(core_beat_i && add_valid_i) && (!core_valid_i || core_beat_i))
    else $error("hao_dw_requant: core and ADD send at once");
`endif

endmodule
