// Depthwise core: DwLanes x 9 products of a window answer, or maxima, reduced to one accumulator a
// channel. With DwLanes = 8 a word takes two beats, lanes 0-7 first; the next word may then come
// two cycles later at the earliest.
//
// ask_* comes with the window request, valid_i and data_i with its answer. mode_i, x_signed_i and
// weight_i belong to the word at valid_i (and, with 8 lanes, the cycle after); take_taps_o tells
// one cycle ahead that an instruction's first word comes in, take_requant_o that its first beat
// goes out, so that the parameters can be put in place. Four cycles from word to beat.
module hao_dw_core #(
  parameter int unsigned DwLanes = 16,
  parameter int unsigned DspTaps = 9
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
  output logic                         valid_o,   // a beat leaves; word_o: the last one of a word
  output logic                         word_o,
  output logic                         result_o,  // the beat is part of a result word
  output logic                         half_o,
  output logic                         last_o,
  output logic signed [26:0]           acc_o    [DwLanes]
);

  import hao_pkg::*;

  localparam int unsigned Halves = Lanes / DwLanes;
  localparam int unsigned Stages = 4;

  if (DwLanes != 8 && DwLanes != 16) begin : gen_check
    $error("hao_dw_core: DwLanes must be 8 or 16, not %0d", DwLanes);
  end

  typedef struct packed {
    logic first;
    logic last;
    logic half;
    logic max;
    logic sum;
  } tag_t;

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

  assign mark        = mark_q[WinReadLatency-1];
  assign take_taps_o = asked_q[WinReadLatency-2] && mark_q[WinReadLatency-2].first;

  logic              beat;
  logic [Taps-1:0]   live;
  logic [7:0]        value  [DwLanes][Taps];
  logic signed [7:0] weight [DwLanes][Taps];
  tag_t              tag_in;

  if (Halves == 1) begin : gen_whole
    assign beat   = valid_i;
    assign live   = mark.live;
    assign weight = weight_i;
    assign tag_in = '{first: mark.first, last: mark.last, half: 1'b0, max: mode_i == DwMax,
                      sum: mode_i == DwSum};
    for (genvar l = 0; l < DwLanes; l++) begin : gen_lane
      for (genvar t = 0; t < Taps; t++) begin : gen_tap
        assign value[l][t] = data_i[t][8*l+:8];
      end
    end
  end else begin : gen_halves
    logic                 half_q;
    mark_t                low_mark_q, word_mark;
    logic [8*DwLanes-1:0] data_q [Taps];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) half_q <= 1'b0;
      else         half_q <= valid_i && !clear_i;
    end
    always_ff @(posedge clk_i) begin
      if (valid_i) low_mark_q <= mark;
    end
    assign beat      = valid_i || half_q;
    assign word_mark = half_q ? low_mark_q : mark;
    assign live      = word_mark.live;
    assign tag_in    = '{first: word_mark.first, last: word_mark.last, half: half_q,
                         max: mode_i == DwMax, sum: mode_i == DwSum};
    for (genvar t = 0; t < Taps; t++) begin : gen_tap
      always_ff @(posedge clk_i) begin
        if (valid_i) data_q[t] <= data_i[t][WordBits-1-:8*DwLanes];
      end
      for (genvar l = 0; l < DwLanes; l++) begin : gen_lane
        assign value[l][t]  = half_q ? data_q[t][8*l+:8] : data_i[t][8*l+:8];
        assign weight[l][t] = half_q ? weight_i[DwLanes+l][t] : weight_i[l][t];
      end
    end
`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) valid_i |-> !half_q)
      else $error("hao_dw_core: a word came while the second half of another was in work");
`endif
  end

  // Control of the beat in every stage.
  logic [Stages-1:0] valid_q, step;
  tag_t              tag_q [Stages];

  assign step = {valid_q[Stages-2:0], beat};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      valid_q <= '0;
    else if (clear_i) valid_q <= '0;
    else              valid_q <= step;
  end

  always_ff @(posedge clk_i) begin
    if (step[0]) tag_q[0] <= tag_in;
    if (step[1]) tag_q[1] <= tag_q[0];
    if (step[2]) tag_q[2] <= tag_q[1];
    if (step[3]) tag_q[3] <= tag_q[2];
  end

  for (genvar l = 0; l < DwLanes; l++) begin : gen_lane
    hao_dw_lane #(
      .Halves (Halves),
      .DspTaps(DspTaps)
    ) i_lane (
      .clk_i,
      .step_i    (step),
      .max_i     ({tag_q[1].max, tag_q[0].max, tag_in.max}),
      .add_acc_i (tag_q[2].sum && !tag_q[2].first),
      .x_signed_i,
      .live_i    (live),
      .value_i   (value[l]),
      .weight_i  (weight[l]),
      .acc_o     (acc_o[l])
    );
  end

  assign take_requant_o = valid_q[2] && tag_q[2].first && !tag_q[2].half;
  assign valid_o        = valid_q[3];
  assign word_o         = valid_q[3] && (Halves == 1 || tag_q[3].half);
  assign result_o       = !tag_q[3].sum || tag_q[3].last;
  assign half_o         = tag_q[3].half;
  assign last_o         = tag_q[3].last;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_i == asked_q[WinReadLatency-1])
    else $error("hao_dw_core: the window answered at another time than after %0d cycles",
                WinReadLatency);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   beat && tag_in.max |-> live != '0)
    else $error("hao_dw_core: a maximum over no tap");
`endif

endmodule
