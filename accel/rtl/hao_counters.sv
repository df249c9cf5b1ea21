// Performance counters. The number of completed instructions of each unit is also what
// dependencies are compared with.
module hao_counters
  import hao_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,  // a program begins: all counters to zero
  input  logic                busy_i,   // a program runs
  input  logic [NumUnits-1:0] done_i,
  input  logic [NumUnits-1:0] active_i,
  input  logic [NumUnits-1:0] wait_dep_i,
  input  logic [NumUnits-1:0] stall_i,
  input  logic                read_beat_i,
  input  logic                write_beat_i,
  output logic [31:0]         cycles_o,
  output logic [31:0]         done_o [NumUnits],
  output logic [31:0]         active_o [NumUnits],
  output logic [31:0]         wait_dep_o [NumUnits],
  output logic [31:0]         stall_o [NumUnits],
  output logic [31:0]         read_beats_o,
  output logic [31:0]         write_beats_o
);

  // Both ways to zero are synchronous: an asynchronous reset beside them would cost a LUT a bit.
  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      cycles_o      <= '0;
      read_beats_o  <= '0;
      write_beats_o <= '0;
      for (int unsigned u = 0; u < NumUnits; u++) begin
        done_o[u]     <= '0;
        active_o[u]   <= '0;
        wait_dep_o[u] <= '0;
        stall_o[u]    <= '0;
      end
    end else if (busy_i) begin
      cycles_o <= cycles_o + 32'd1;
      if (read_beat_i)  read_beats_o <= read_beats_o + 32'd1;
      if (write_beat_i) write_beats_o <= write_beats_o + 32'd1;
      for (int unsigned u = 0; u < NumUnits; u++) begin
        if (done_i[u])                 done_o[u] <= done_o[u] + 32'd1;
        if (active_i[u])               active_o[u] <= active_o[u] + 32'd1;
        if (wait_dep_i[u])             wait_dep_o[u] <= wait_dep_o[u] + 32'd1;
        if (stall_i[u] && active_i[u]) stall_o[u] <= stall_o[u] + 32'd1;
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) done_i != '0 |-> busy_i)
    else $error("hao_counters: an instruction completed while no program runs");
`endif

endmodule
