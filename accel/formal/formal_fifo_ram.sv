// hao_fifo_ram: capacity, order, content, stability; a word is at the output three cycles after it
// entered an empty buffer, and from then on one leaves every cycle.
module formal_fifo_ram #(
  parameter int unsigned Depth = 4,
  parameter int unsigned Width = 2
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             clear_i,
  input logic             in_valid_i,
  input logic [Width-1:0] in_data_i,
  input logic             out_ready_i,
  input logic             watch_i
);

  localparam int unsigned Behind    = 4;
  localparam int unsigned CountBits = $clog2(Depth + Behind + 1);
  localparam int unsigned PtrBits   = $clog2(Depth) + 1;
  localparam int unsigned MostWait  = 3;

  logic                 started_q = 1'b0;
  logic                 in_ready, out_valid, push, pop, watched_q, held_q;
  logic [Width-1:0]     out_data, data_q, held_data_q;
  logic [CountBits-1:0] count_q, ahead_q;
  logic [2:0]           wait_q;

  hao_fifo_ram #(
    .Width(Width),
    .Depth(Depth)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .in_data_i,
    .out_valid_o(out_valid),
    .out_ready_i,
    .out_data_o (out_data)
  );

  assign push = in_valid_i && in_ready;
  assign pop  = out_valid && out_ready_i;

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {count_q, ahead_q, watched_q, held_q, wait_q} <= '0;
    end else if (clear_i) begin
      {count_q, ahead_q, watched_q, held_q, wait_q} <= '0;
    end else begin
      count_q <= count_q + CountBits'(push) - CountBits'(pop);
      held_q  <= out_valid && !out_ready_i;
      wait_q  <= count_q != '0 && !out_valid ? wait_q + 3'd1 : '0;
      if (watched_q) begin
        if (pop) ahead_q <= ahead_q - CountBits'(1);
        if (pop && ahead_q == '0) watched_q <= 1'b0;
      end else if (push && watch_i) begin
        watched_q <= 1'b1;
        ahead_q   <= count_q - CountBits'(pop);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    held_data_q <= out_data;
    if (!watched_q) data_q <= in_data_i;
  end

  // Where the watched entry is: block RAM, its read register, or the stage behind it.
  logic [CountBits-1:0] stored;
  logic [Width-1:0]     watched_data;
  assign stored = CountBits'(PtrBits'(u_dut.wr_ptr_q - u_dut.rd_ptr_q));
  always_comb begin
    if (ahead_q >= CountBits'(u_dut.behind_q)) begin
      watched_data = u_dut.u_ram.mem_q[$clog2(Depth)'(CountBits'(u_dut.rd_ptr_q) + ahead_q -
                                                      CountBits'(u_dut.behind_q))];
    end else if (ahead_q >= CountBits'(u_dut.tail_level)) begin
      watched_data = u_dut.fetched_data;
    end else begin
      watched_data = u_dut.u_tail.mem_q[2'(u_dut.u_tail.rd_ptr_q + 2'(ahead_q))];
    end
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (rst_ni) begin
      capacity:                assert (32'(count_q) <= Depth + Behind);
      ready_while_room:        assert (in_ready || 32'(count_q) >= Depth);
      behind_is_counted:       assert (u_dut.behind_q == u_dut.tail_level + 3'(u_dut.fetched_q));
      output_stage_has_room:   assert (!u_dut.fetched_q || u_dut.tail_ready);
      no_output_when_empty:    assert (!out_valid || count_q != '0);
      bounded_wait:            assert (32'(wait_q) <= MostWait - 1);
      everything_is_somewhere: assert (count_q == stored + CountBits'(u_dut.behind_q));
      memory_fits:             assert (32'(stored) <= Depth);
      behind_fits:             assert (32'(u_dut.behind_q) <= Behind);
      tail_pointers:           assert (2'(u_dut.u_tail.rd_ptr_q + 2'(u_dut.tail_level)) ==
                                       u_dut.u_tail.wr_ptr_q);
      watched_is_where_it_is:  assert (!watched_q || watched_data == data_q);
      watched_entry_is_inside: assert (!watched_q || ahead_q < count_q);
      order_and_content: assert (!(watched_q && ahead_q == '0 && out_valid) || out_data == data_q);
      output_is_held:          assert (!held_q || (out_valid && out_data == held_data_q));
      reach_full:              assert (!(32'(count_q) == Depth + Behind));
    end
  end

endmodule
