// hao_counters: every counter counts the cycles of its event since the last start, while busy.
module formal_counters
  import hao_pkg::*;
(
  input logic                clk_i,
  input logic                rst_ni,
  input logic                start_i,
  input logic                busy_i,
  input logic [NumUnits-1:0] done_i,
  input logic [NumUnits-1:0] active_i,
  input logic [NumUnits-1:0] wait_dep_i,
  input logic [NumUnits-1:0] stall_i,
  input logic                read_beat_i,
  input logic                write_beat_i
);

  localparam int unsigned Counters = 3 + 4 * NumUnits;

  logic                started_q = 1'b0;
  logic [31:0]         cycles, read_beats, write_beats;
  logic [31:0]         done [NumUnits], active [NumUnits], waits [NumUnits], stalls [NumUnits];
  logic [Counters-1:0] event_now, right;
  logic [31:0]         now [Counters], model_q [Counters];

  hao_counters u_dut (
    .clk_i,
    .rst_ni,
    .start_i,
    .busy_i,
    .done_i,
    .active_i,
    .wait_dep_i,
    .stall_i,
    .read_beat_i,
    .write_beat_i,
    .cycles_o     (cycles),
    .done_o       (done),
    .active_o     (active),
    .wait_dep_o   (waits),
    .stall_o      (stalls),
    .read_beats_o (read_beats),
    .write_beats_o(write_beats)
  );

  always_comb begin
    now[0]         = cycles;
    now[1]         = read_beats;
    now[2]         = write_beats;
    event_now[2:0] = {write_beat_i, read_beat_i, 1'b1} & {3{busy_i}};
    for (int unsigned u = 0; u < NumUnits; u++) begin
      now[3+4*u]           = done[u];
      now[4+4*u]           = active[u];
      now[5+4*u]           = waits[u];
      now[6+4*u]           = stalls[u];
      event_now[3+4*u+:4] = {stall_i[u] && active_i[u], wait_dep_i[u], active_i[u], done_i[u]}
                            & {4{busy_i}};
    end
  end

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Counters; i++) begin
      if (!rst_ni || start_i) model_q[i] <= '0;
      else model_q[i] <= model_q[i] + 32'(event_now[i]);
    end
  end

  always_comb begin
    for (int unsigned i = 0; i < Counters; i++) right[i] = now[i] == model_q[i];
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (started_q) begin
      every_counter_counts: assert (right == '1);
      reach_stall:          assert (!(stalls[NumUnits-1] == 32'd2));
    end
  end

endmodule
