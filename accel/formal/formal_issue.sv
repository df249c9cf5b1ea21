// hao_issue: instructions leave in program order, unchanged, once each, only when their counts are
// reached and never while halted; an instruction that is presented stays. One whose counts are
// reached is presented in the next cycle. Assumed of the unit: it completes only what it took, and
// holds at most 31 instructions (no unit's queue is deeper than 8).
module formal_issue
  import hao_pkg::*;
#(
  parameter int unsigned QueueDepth = 3
) (
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 clear_i,
  input logic                 halt_i,
  input logic                 in_valid_i,
  input logic [InstrBits-1:0] in_instr_i,
  input logic [DepBits-1:0]   done_count_i [NumUnits],
  input logic                 out_ready_i,
  input logic                 done_i,
  input logic                 watch_i
);

  localparam int unsigned LevelBits = $clog2(QueueDepth + 1);
  localparam int unsigned PtrBits   = $clog2(QueueDepth);
  localparam int unsigned KeyBits   = NumUnits * DepBits + 8;

  logic                 started_q = 1'b0;
  logic                 in_ready, out_valid, empty, active, waits, push, take;
  logic                 watched_q, held_q, could_q, may, counts_reached;
  logic [InstrBits-1:0] instr;
  logic [LevelBits-1:0] count_q, ahead_q;
  logic [5:0]           flight_q;
  header_t              header;
  logic [KeyBits-1:0]   key, key_q, held_key_q;

  hao_issue #(
    .QueueDepth(QueueDepth)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .halt_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .in_instr_i,
    .done_count_i,
    .out_valid_o(out_valid),
    .out_ready_i,
    .out_instr_o(instr),
    .done_i,
    .empty_o    (empty),
    .active_o   (active),
    .wait_dep_o (waits)
  );

  // "As many as named", in another form than the module's: the distance is below half the range.
  function automatic logic reached(logic [DepBits-1:0] count, logic [DepBits-1:0] needed);
    return DepBits'(count - needed) < DepBits'(1 << (DepBits - 1));
  endfunction

  // What is followed of an instruction: opcode and dependency counts.
  function automatic logic [KeyBits-1:0] key_of(logic [InstrBits-1:0] instruction);
    header_t h;
    h = header_t'(instruction);
    return {h.opcode, h.dep_load, h.dep_dense, h.dep_fill, h.dep_dw, h.dep_store};
  endfunction

  assign key    = key_of(instr);
  assign push   = in_valid_i && in_ready;
  assign take   = out_valid && out_ready_i;
  assign header = header_t'(instr);
  assign may    = count_q != '0 && !halt_i && counts_reached;
  assign counts_reached = reached(done_count_i[UnitLoad], header.dep_load) &&
                  reached(done_count_i[UnitDense], header.dep_dense) &&
                  reached(done_count_i[UnitFill], header.dep_fill) &&
                  reached(done_count_i[UnitDw], header.dep_dw) &&
                  reached(done_count_i[UnitStore], header.dep_store);

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {count_q, ahead_q, flight_q, watched_q, held_q, could_q} <= '0;
    end else if (clear_i) begin
      {count_q, ahead_q, flight_q, watched_q, held_q, could_q} <= '0;
    end else begin
      count_q  <= count_q + LevelBits'(push) - LevelBits'(take);
      flight_q <= flight_q + 6'(take) - 6'(done_i);
      held_q   <= out_valid && !out_ready_i;
      could_q  <= may && !out_valid;
      if (watched_q) begin
        if (take) ahead_q <= ahead_q - LevelBits'(1);
        if (take && ahead_q == '0) watched_q <= 1'b0;
      end else if (push && watch_i) begin
        watched_q <= 1'b1;
        ahead_q   <= count_q - LevelBits'(take);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    held_key_q <= key;
    if (!watched_q) key_q <= key_of(in_instr_i);
  end

  // Position of an entry that has `distance` entries before it.
  function automatic logic [31:0] place(logic [31:0] distance);
    logic [7:0] sum;
    sum = 8'(u_dut.u_queue.rd_ptr_q) + 8'(distance);
    return 32'(sum >= 8'(QueueDepth) ? sum - 8'(QueueDepth) : sum);
  endfunction

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (done_i) assume (flight_q != '0);
    if (out_ready_i) assume (flight_q < 6'd31);
    if (rst_ni) begin
      capacity:                assert (32'(count_q) <= QueueDepth);
      ready_while_room:        assert (in_ready == (32'(count_q) < QueueDepth));
      empty_is_empty:          assert (empty == (count_q == '0));
      active_is_in_flight:     assert (active == (flight_q != '0));
      flight_is_counted:       assert (6'(u_dut.flight_q) == flight_q);
      nothing_from_empty:      assert (!out_valid || count_q != '0);
      only_when_reached:       assert (!out_valid || held_q || could_q);
      presented_at_once:       assert (!could_q || out_valid);
      presented_is_held:       assert (!held_q || (out_valid && key == held_key_q));
      waiting_is_told:         assert (waits == (count_q != '0 && !out_valid && !counts_reached));
      watched_is_inside:       assert (!watched_q || ahead_q < count_q);
      queue_holds_them:        assert (u_dut.u_queue.level_q == count_q);
      pointers_agree: assert (32'(u_dut.u_queue.rd_ptr_q) < QueueDepth &&
                              32'(u_dut.u_queue.wr_ptr_q) == place(32'(count_q)));
      watched_is_where_it_is: assert (!watched_q || key_q == key_of(
                                      u_dut.u_queue.mem_q[PtrBits'(place(32'(ahead_q)))]));
      order_and_content: assert (!(watched_q && ahead_q == '0) || key == key_q);
      reach_full_flight:       assert (!(flight_q == 6'd3 && watched_q && take));
    end
  end

endmodule
