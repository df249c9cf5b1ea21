// Joins successive words into pairs for the paired depthwise core: a beat holds lanes 0-7 of two
// pixels, the next one their lanes 8-15. A beat a cycle, a word a cycle.
//
// The first word waits for the second. An instruction's last word goes alone when no partner is
// left (two_o low); the word behind it must then leave one cycle free.
module hao_dw_pair_front (
  input  logic                         clk_i,
  input  logic                         rst_ni,
  input  logic                         clear_i,
  input  logic                         valid_i,
  input  logic                         first_i,
  input  logic                         last_i,
  input  logic [hao_pkg::Taps-1:0]     live_i,
  input  logic [hao_pkg::WordBits-1:0] data_i  [hao_pkg::Taps],
  output logic                         beat_o,
  output logic                         half_o,
  output logic                         first_o,
  output logic                         last_o,
  output logic                         two_o,
  output logic [hao_pkg::Taps-1:0]     live_o  [2],
  output logic [7:0]                   value_o [8][2][hao_pkg::Taps]
);

  import hao_pkg::*;

  localparam int unsigned HalfBits = WordBits / 2;

  logic                held_q, alone_q, high_q, low;  // word a waits; goes alone; lanes 8-15
  logic                first_q, last_q, two_q;
  logic [Taps-1:0]     live_a_q, live_b_q;
  logic [WordBits-1:0] data_a_q [Taps];
  logic [HalfBits-1:0] data_b_q [Taps];

  assign low = (valid_i && held_q) || alone_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q  <= 1'b0;
      alone_q <= 1'b0;
      high_q  <= 1'b0;
    end else if (clear_i) begin
      held_q  <= 1'b0;
      alone_q <= 1'b0;
      high_q  <= 1'b0;
    end else begin
      if (valid_i) held_q <= !held_q && !last_i;
      alone_q <= valid_i && !held_q && last_i;
      high_q  <= low;
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i && !held_q) begin
      live_a_q <= live_i;
      data_a_q <= data_i;
    end
    if (valid_i && held_q) live_b_q <= live_i;
    if (low) begin
      last_q <= alone_q || last_i;
      two_q  <= !alone_q;
    end
  end

  // Whether word a is an instruction's first; of use with its lower lanes only.
  always_ff @(posedge clk_i) begin
    if (valid_i && !held_q) first_q <= first_i;
  end

  logic first_high_q;
  always_ff @(posedge clk_i) begin
    if (low) first_high_q <= first_q;
  end

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    always_ff @(posedge clk_i) begin
      if (valid_i && held_q) data_b_q[t] <= data_i[t][WordBits-1:HalfBits];
    end
    for (genvar l = 0; l < 8; l++) begin : gen_lane
      assign value_o[l][0][t] = high_q ? data_a_q[t][HalfBits+8*l+:8] : data_a_q[t][8*l+:8];
      assign value_o[l][1][t] = high_q ? data_b_q[t][8*l+:8] : data_i[t][8*l+:8];
    end
  end

  assign beat_o    = low || high_q;
  assign half_o    = high_q;
  assign first_o   = high_q ? first_high_q : first_q;
  assign last_o    = high_q ? last_q : alone_q || last_i;
  assign two_o     = high_q ? two_q : !alone_q;
  assign live_o[0] = live_a_q;
  assign live_o[1] = high_q ? live_b_q : live_i;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) valid_i |-> !alone_q)
    else $error("hao_dw_pair_front: a word came right behind one that goes alone");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_i && first_i |-> !held_q)
    else $error("hao_dw_pair_front: an instruction begins while a word waits for its partner");
`endif

endmodule
