// hao_control: a run begins only from rest, ends by END, a fault or a soft reset, empties the bus
// before it clears, and comes to rest within a bound. Assumed: while drained an idle bus stays idle
// (proven of both DMAs); END comes only when no unit is active (asserted in simulation); for the
// bound: units come to rest within Patience cycles of a halt, the bus within Patience of a drain.
module formal_control
  import hao_pkg::*;
#(
  parameter int unsigned Patience = 4
) (
  input logic                clk_i,
  input logic                rst_ni,
  input logic                start_i,
  input logic                soft_reset_i,
  input logic                end_i,
  input logic                read_fault_i,
  input logic                write_fault_i,
  input logic                illegal_i,
  input logic [NumUnits-1:0] active_i,
  input logic                dma_idle_i
);

  localparam int unsigned ClearCycles = 8;

  logic       started_q = 1'b0;
  logic       begins, stop, halt, drain, clear, busy, done, fault;
  fault_e     code;
  logic       was_busy_q, was_drained_q, was_clear_q, ended_q, broken_q, soft_q, past_q;
  logic [4:0] clear_q, halted_q, draining_q, closing_q;

  hao_control u_dut (
    .clk_i,
    .rst_ni,
    .start_i,
    .soft_reset_i,
    .end_i,
    .read_fault_i,
    .write_fault_i,
    .illegal_i,
    .active_i,
    .dma_idle_i,
    .begin_o     (begins),
    .halt_o      (stop),
    .drain_o     (drain),
    .clear_o     (clear),
    .busy_o      (busy),
    .done_o      (done),
    .fault_o     (fault),
    .fault_code_o(code)
  );

  assign halt = stop && !drain;

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {was_busy_q, was_drained_q, was_clear_q, ended_q, broken_q, soft_q, past_q} <= '0;
      {clear_q, halted_q, draining_q, closing_q} <= '0;
    end else begin
      past_q        <= 1'b1;
      was_busy_q    <= busy;
      was_drained_q <= drain && dma_idle_i;
      was_clear_q   <= clear;
      soft_q        <= soft_reset_i;
      clear_q       <= clear ? clear_q + 5'd1 : '0;
      halted_q      <= halt ? halted_q + 5'd1 : '0;
      draining_q    <= drain && !clear && !soft_reset_i ? draining_q + 5'd1 : '0;
      closing_q     <= (halt || drain) && !soft_reset_i ? closing_q + 5'd1 : '0;
      // how this run ended: the first of END, a fault, a soft reset
      if (begins) begin
        {ended_q, broken_q} <= '0;
      end else begin
        if (soft_reset_i || (busy && !drain && (read_fault_i || write_fault_i || illegal_i))) begin
          broken_q <= 1'b1;
        end
        if (busy && !halt && !drain && end_i && !soft_reset_i &&
            !(read_fault_i || write_fault_i || illegal_i)) begin
          ended_q <= 1'b1;
        end
      end
    end
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (end_i) assume (active_i == '0);
    if (was_drained_q && drain) assume (dma_idle_i);
    if (32'(halted_q) >= Patience) assume (active_i == '0);
    if (32'(draining_q) >= Patience) assume (dma_idle_i);
    if (rst_ni) begin
      outputs_are_the_state:    assert (32'(u_dut.state_q) <= 4 && stop == (32'(u_dut.state_q) >= 2) &&
                                        drain == (32'(u_dut.state_q) >= 3) &&
                                        clear == (32'(u_dut.state_q) == 4));
      begins_from_rest:         assert (!begins || (!busy && start_i && !soft_reset_i));
      begin_is_a_pulse:         assert (!begins || !was_busy_q || !past_q || !busy);
      start_at_rest_begins:     assert (busy || soft_reset_i || begins == start_i);
      cleared_only_when_idle:   assert (!clear || dma_idle_i);
      clear_includes_drain:     assert (!clear || drain);
      cleared_long_enough:      assert (!was_clear_q || clear || 32'(clear_q) == ClearCycles);
      not_cleared_for_longer:   assert (32'(clear_q) <= ClearCycles);
      rests_only_after_clear:   assert (!was_busy_q || busy || was_clear_q);
      done_only_after_end:      assert (!done || (ended_q && !broken_q && clear));
      done_at_every_whole_run:  assert (!(ended_q && !broken_q && clear && !soft_reset_i &&
                                          32'(clear_q) == ClearCycles - 1) || done);
      fault_has_a_code:         assert (fault == (code != FaultNone));
      bus_fault_is_reported:    assert (!(busy && !drain && (read_fault_i || write_fault_i)) ||
                                        code == FaultReadResponse || code == FaultWriteResponse);
      second_start_is_reported: assert (!(busy && start_i) || fault);
      no_fault_at_rest:         assert (busy || !fault);
      soft_reset_drains:        assert (!soft_q || drain || (was_clear_q && !busy));
      halt_is_bounded:          assert (32'(halted_q) <= Patience + 1);
      closes_within_bound:      assert (32'(closing_q) <= 2 * Patience + ClearCycles + 4);
      reach_done:               assert (!(done && was_busy_q));
    end
  end

endmodule
