// hao_fifo_pair: capacity, order, content, stability, and when its ports are ready and valid. One
// entry, chosen freely by watch_i, is followed from its push to its pop.
module formal_fifo_pair #(
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

  logic             started_q = 1'b0;
  logic             in_ready, out_valid, push, pop, watched_q, ahead_q, held_q;
  logic [Width-1:0] out_data, data_q, held_data_q;
  logic [1:0]       count_q, after_pop;

  hao_fifo_pair #(
    .Width(Width)
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

  assign push      = in_valid_i && in_ready;
  assign pop       = out_valid && out_ready_i;
  assign after_pop = count_q - 2'(pop);

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {count_q, ahead_q, watched_q, held_q} <= '0;
    end else if (clear_i) begin
      {count_q, ahead_q, watched_q, held_q} <= '0;
    end else begin
      count_q <= count_q + 2'(push) - 2'(pop);
      held_q  <= out_valid && !out_ready_i;
      if (watched_q) begin
        if (pop) ahead_q <= 1'b0;
        if (pop && !ahead_q) watched_q <= 1'b0;
      end else if (push && watch_i) begin
        watched_q <= 1'b1;
        ahead_q   <= after_pop != '0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    held_data_q <= out_data;
    if (!watched_q) data_q <= in_data_i;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (rst_ni) begin
      capacity:                assert (count_q <= 2'd2);
      places_are_counted:      assert (u_dut.head_valid_q == (count_q != '0) &&
                                       u_dut.next_valid_q == (count_q == 2'd2) &&
                                       u_dut.in_ready_q == (count_q != 2'd2));
      ready_while_room:        assert (in_ready == (count_q != 2'd2));
      valid_while_entries:     assert (out_valid == (count_q != '0));
      watched_entry_is_inside: assert (!watched_q || 2'(ahead_q) < count_q);
      watched_is_where_it_is:  assert (!watched_q ||
                                       (ahead_q ? u_dut.next_q : out_data) == data_q);
      order_and_content:       assert (!(watched_q && !ahead_q) || out_data == data_q);
      output_is_held:          assert (!held_q || (out_valid && out_data == held_data_q));
      reach_full_again:        assert (!(count_q == 2'd2 && watched_q && pop));
    end
  end

endmodule
