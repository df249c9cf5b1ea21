// hao_fifo: capacity, order, content, stability, and when its ports are ready and valid. One entry,
// chosen freely by watch_i, is followed from its push to its pop.
module formal_fifo #(
  parameter int unsigned Depth       = 4,
  parameter bit          FallThrough = 1'b0,
  parameter int unsigned Width       = 2
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             clear_i,
  input logic             in_valid_i,
  input logic [Width-1:0] in_data_i,
  input logic             out_ready_i,
  input logic             watch_i
);

  localparam int unsigned LevelBits = $clog2(Depth + 1);
  localparam int unsigned PtrBits   = Depth > 1 ? $clog2(Depth) : 1;

  logic                 started_q = 1'b0;
  logic                 in_ready, out_valid, push, pop, through, watched_q, held_q;
  logic [Width-1:0]     out_data, data_q, held_data_q;
  logic [LevelBits-1:0] level, count_q, ahead_q, after_pop;

  hao_fifo #(
    .Width      (Width),
    .Depth      (Depth),
    .FallThrough(FallThrough)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i,
    .in_ready_o (in_ready),
    .in_data_i,
    .out_valid_o(out_valid),
    .out_ready_i,
    .out_data_o (out_data),
    .level_o    (level)
  );

  assign push      = in_valid_i && in_ready;
  assign pop       = out_valid && out_ready_i;
  assign through   = push && pop && count_q == '0;
  assign after_pop = count_q - LevelBits'(pop && count_q != '0);

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {count_q, ahead_q, watched_q, held_q} <= '0;
    end else if (clear_i) begin
      {count_q, ahead_q, watched_q, held_q} <= '0;
    end else begin
      count_q <= through ? count_q : count_q + LevelBits'(push) - LevelBits'(pop);
      held_q  <= out_valid && !out_ready_i;
      if (watched_q) begin
        if (pop) ahead_q <= ahead_q - LevelBits'(1);
        if (pop && ahead_q == '0) watched_q <= 1'b0;
      end else if (push && watch_i && !through) begin
        watched_q <= 1'b1;
        ahead_q   <= after_pop;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    held_data_q <= out_data;
    if (!watched_q) data_q <= in_data_i;
  end

  // Position of an entry that has `distance` entries before it.
  function automatic logic [31:0] place(logic [31:0] distance);
    logic [7:0] sum;
    sum = 8'(u_dut.rd_ptr_q) + 8'(distance);
    return 32'(sum >= 8'(Depth) ? sum - 8'(Depth) : sum);
  endfunction

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (rst_ni) begin
      level_counts_entries:    assert (level == count_q);
      capacity:                assert (32'(count_q) <= Depth);
      ready_while_room:        assert (in_ready == (32'(count_q) < Depth));
      valid_while_entries:     assert (out_valid == (count_q != '0 || (FallThrough && in_valid_i)));
      watched_entry_is_inside: assert (!watched_q || ahead_q < count_q);
      pointers_agree:          assert (32'(u_dut.rd_ptr_q) < Depth &&
                                       32'(u_dut.wr_ptr_q) == place(32'(count_q)));
      watched_is_where_it_is:  assert (!watched_q ||
                                       u_dut.mem_q[PtrBits'(place(32'(ahead_q)))] == data_q);
      order_and_content:       assert (!(watched_q && ahead_q == '0) || out_data == data_q);
      through_content:         assert (!through || out_data == in_data_i);
      output_is_held:          assert (!held_q || (out_valid && out_data == held_data_q));
      reach_full_again:        assert (!(32'(count_q) == Depth && watched_q && pop));
    end
  end

endmodule
