// Depthwise core: nine products a channel of a window answer, or maxima, reduced to one sum.
// DwLanes = 16 works on pairs of words, a beat of lanes 0-7 and one of lanes 8-15 of both.
// DwLanes = 8 works on single words in the same two beats; words then come at least two cycles
// apart. Either way 72 DSPs multiply.
//
// ask_* comes with the window request, valid_i and data_i with its answer. take_taps_o tells when
// the next cycle works with the taps of another instruction (mode_i, x_signed_i, weight_i),
// take_requant_o when the next beat that leaves needs its requantization.
module hao_dw_core #(
  parameter int unsigned DwLanes = 16
) (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         clear_i,
  input  logic                         ask_valid_i,
  input  logic                         ask_first_i,
  input  logic                         ask_last_i,
  input  logic [hao_pkg::Taps-1:0]     ask_live_i,
  input  logic                         valid_i,
  input  logic [hao_pkg::WordBits-1:0] data_i   [hao_pkg::Taps],
  input  hao_pkg::dw_mode_e            mode_i,
  input  logic                         x_signed_i,
  input  logic signed [7:0]            weight_i [hao_pkg::Lanes][hao_pkg::Taps],
  output logic                         take_taps_o,
  output logic                         take_requant_o,
  output logic                         valid_o,   // a beat leaves
  output logic                         half_o,    // of lanes 8-15: its words are done
  output logic                         two_o,     // it works on two words
  output logic                         result_o,  // it is part of a result word
  output logic                         two_result_o,  // of two
  output logic                         last_o,    // the (second) word is the instruction's last
  output logic signed [26:0]           acc_o    [DwLanes]  // two words: lane 8 on is the second's
);

  import hao_pkg::*;

  localparam bit          Pairs  = DwLanes == 16;
  localparam int unsigned Stages = 7;

  if (DwLanes != 8 && DwLanes != 16) begin : gen_check
    $error("hao_dw_core: DwLanes must be 8 or 16, not %0d", DwLanes);
  end

  // What belongs to a request waits for the answer.
  typedef struct packed {
    logic            first;
    logic            last;
    logic [Taps-1:0] live;
  } mark_t;

  mark_t                     mark_q [WinReadLatency];
  mark_t                     mark;
  logic [WinReadLatency-1:0] asked_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      asked_q <= '0;
    else if (clear_i) asked_q <= '0;
    else              asked_q <= {asked_q[WinReadLatency-2:0], ask_valid_i};
  end

  always_ff @(posedge clk_i) begin
    if (ask_valid_i) mark_q[0] <= '{first: ask_first_i, last: ask_last_i, live: ask_live_i};
    for (int unsigned k = 1; k < WinReadLatency; k++) begin
      if (asked_q[k-1]) mark_q[k] <= mark_q[k-1];
    end
  end

  assign mark = mark_q[WinReadLatency-1];

  // Beats.
  typedef struct packed {
    logic first;
    logic last;
    logic half;
    logic two;
    logic max;
    logic sum;
  } tag_t;

  logic              beat;
  tag_t              tag_in;
  logic signed [7:0] weight [8][Taps];
  logic [Stages-1:0] valid_q, step;
  tag_t              tag_q [Stages];

  assign tag_in.max = mode_i == DwMax;
  assign tag_in.sum = mode_i == DwSum;
  assign step       = {valid_q[Stages-2:0], beat};

  for (genvar l = 0; l < 8; l++) begin : gen_weight
    for (genvar t = 0; t < Taps; t++) begin : gen_tap
      assign weight[l][t] = tag_in.half ? weight_i[8+l][t] : weight_i[l][t];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      valid_q <= '0;
    else if (clear_i) valid_q <= '0;
    else              valid_q <= step;
  end

  always_ff @(posedge clk_i) begin
    if (step[0]) tag_q[0] <= tag_in;
    for (int unsigned k = 1; k < Stages; k++) begin
      if (step[k]) tag_q[k] <= tag_q[k-1];
    end
  end

  logic [Stages-2:0] max;
  assign max[0] = tag_in.max;
  for (genvar k = 1; k < Stages - 1; k++) begin : gen_max
    assign max[k] = tag_q[k-1].max;
  end

  if (Pairs) begin : gen_pairs
    logic [Taps-1:0] live  [2];
    logic [7:0]      value [8][2][Taps];

    // The word that begins an instruction waits for its partner: the taps follow it.
    assign take_taps_o = valid_i && mark.first;

    hao_dw_pair_front i_front (
      .clk_i, .rst_ni, .clear_i,
      .valid_i,
      .first_i(mark.first),
      .last_i (mark.last),
      .live_i (mark.live),
      .data_i,
      .beat_o (beat),
      .half_o (tag_in.half),
      .first_o(tag_in.first),
      .last_o (tag_in.last),
      .two_o  (tag_in.two),
      .live_o (live),
      .value_o(value)
    );

    for (genvar l = 0; l < 8; l++) begin : gen_lane
      logic signed [26:0] acc [2];
      hao_dw_lane #(.Pixels(2)) i_lane (
        .clk_i,
        .step_i    (step),
        .max_i     (max),
        .add_acc_i (tag_q[Stages-2].sum && !tag_q[Stages-2].first),
        .add_b_i   (tag_q[Stages-2].sum && tag_q[Stages-2].two),
        .x_signed_i,
        .live_i    (live),
        .value_i   (value[l]),
        .weight_i  (weight[l]),
        .acc_o     (acc)
      );
      assign acc_o[l]   = acc[0];
      assign acc_o[8+l] = acc[1];
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     beat && tag_in.max |-> live[0] != '0 && (!tag_in.two || live[1] != '0))
      else $error("hao_dw_core: a maximum over no tap");
`endif
  end else begin : gen_single
    logic            half_q;
    mark_t           low_mark_q, word;
    logic [63:0]     high_q [Taps];
    logic [Taps-1:0] live [1];

    assign live[0] = word.live;

    // The taps must be there with the word.
    assign take_taps_o = asked_q[WinReadLatency-2] && mark_q[WinReadLatency-2].first;

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) half_q <= 1'b0;
      else         half_q <= valid_i && !clear_i;
    end
    always_ff @(posedge clk_i) begin
      if (valid_i) low_mark_q <= mark;
    end

    assign beat         = valid_i || half_q;
    assign word         = half_q ? low_mark_q : mark;
    assign tag_in.first = word.first;
    assign tag_in.last  = word.last;
    assign tag_in.half  = half_q;
    assign tag_in.two   = 1'b0;

    for (genvar t = 0; t < Taps; t++) begin : gen_tap
      always_ff @(posedge clk_i) begin
        if (valid_i) high_q[t] <= data_i[t][127:64];
      end
    end

    for (genvar l = 0; l < 8; l++) begin : gen_lane
      logic [7:0]         value [1][Taps];
      logic signed [26:0] acc   [1];
      for (genvar t = 0; t < Taps; t++) begin : gen_value
        assign value[0][t] = half_q ? high_q[t][8*l+:8] : data_i[t][8*l+:8];
      end
      hao_dw_lane #(.Pixels(1)) i_lane (
        .clk_i,
        .step_i    (step),
        .max_i     (max),
        .add_acc_i (tag_q[Stages-2].sum && !tag_q[Stages-2].first),
        .add_b_i   (1'b0),
        .x_signed_i,
        .live_i    (live),
        .value_i   (value),
        .weight_i  (weight[l]),
        .acc_o     (acc)
      );
      assign acc_o[l] = acc[0];
    end

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) valid_i |-> !half_q)
      else $error("hao_dw_core: a word came while the second half of another was in work");
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     beat && tag_in.max |-> word.live != '0)
      else $error("hao_dw_core: a maximum over no tap");
`endif
  end

  assign take_requant_o = valid_q[Stages-2] && tag_q[Stages-2].first && !tag_q[Stages-2].half;
  assign valid_o        = valid_q[Stages-1];
  assign half_o         = tag_q[Stages-1].half;
  assign two_o          = tag_q[Stages-1].two;
  assign result_o       = !tag_q[Stages-1].sum || tag_q[Stages-1].last;
  assign two_result_o   = tag_q[Stages-1].two && !tag_q[Stages-1].sum;
  assign last_o         = tag_q[Stages-1].last;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_i == asked_q[WinReadLatency-1])
    else $error("hao_dw_core: the window answered at another time than after %0d cycles",
                WinReadLatency);
`endif

endmodule
