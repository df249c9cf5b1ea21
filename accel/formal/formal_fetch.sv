// hao_fetch: asks for exactly the words of the program, gives each instruction to one queue, holds
// it until taken, and lets END through only when all units rest. Assumed: a program has at most
// 4095 instructions and begins only when the last one is over and all its words were asked for.
module formal_fetch
  import hao_pkg::*;
(
  input logic                clk_i,
  input logic                rst_ni,
  input logic                clear_i,
  input logic                begin_i,
  input logic                halt_i,
  input logic [39:0]         addr_i,
  input logic [31:0]         count_i,
  input logic                req_ready_i,
  input logic                data_valid_i,
  input logic [127:0]        data_i,
  input logic [NumUnits-1:0] instr_ready_i,
  input logic                units_idle_i
);

  localparam logic [31:0] MostInstrs = 32'd4095;

  logic                 started_q = 1'b0;
  logic                 ends, illegal, req_valid, data_ready, dispatch;
  logic [39:0]          req_addr, req_addr_q, next_q;
  logic [15:0]          req_words, req_words_q;
  logic [NumUnits-1:0]  instr_valid, instr_valid_q;
  logic [InstrBits-1:0] instr, instr_q;
  logic                 hold_req_q, hold_q, over_q;
  logic [34:0]          wanted_q;  // words of the program not yet asked for
  logic [31:0]          left_q;    // instructions not yet dispatched

  hao_fetch u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .begin_i,
    .halt_i,
    .addr_i,
    .count_i,
    .end_o        (ends),
    .illegal_o    (illegal),
    .req_valid_o  (req_valid),
    .req_ready_i,
    .req_addr_o   (req_addr),
    .req_words_o  (req_words),
    .data_valid_i,
    .data_ready_o (data_ready),
    .data_i,
    .instr_valid_o(instr_valid),
    .instr_ready_i,
    .instr_o      (instr),
    .units_idle_i
  );

  assign dispatch = |(instr_valid & instr_ready_i);

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {wanted_q, left_q, next_q, hold_req_q, hold_q} <= '0;
      over_q <= 1'b1;
    end else if (clear_i) begin
      {wanted_q, left_q, next_q, hold_req_q, hold_q} <= '0;
      over_q <= 1'b1;
    end else if (begin_i) begin
      wanted_q <= 35'(count_i) * 35'd4;
      left_q   <= count_i;
      next_q   <= {addr_i[39:6], 6'b0};
      {hold_req_q, hold_q, over_q} <= '0;
    end else begin
      hold_req_q <= req_valid && !req_ready_i;
      hold_q     <= instr_valid != '0 && !dispatch && left_q != '0;
      if (req_valid && req_ready_i) begin
        wanted_q <= wanted_q - 35'(req_words);
        next_q   <= next_q + 40'(req_words) * 40'd16;
      end
      if (dispatch) left_q <= left_q - 32'd1;
      if (ends || illegal) over_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    req_addr_q    <= req_addr;
    req_words_q   <= req_words;
    instr_valid_q <= instr_valid;
    instr_q       <= instr;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (begin_i) assume (over_q && wanted_q == '0 && !clear_i && count_i <= MostInstrs);
    if (rst_ni) begin
      wanted_is_counted:           assert (wanted_q == {1'b0, u_dut.request_left_q, 2'b00});
      left_is_counted:             assert (over_q || left_q == u_dut.left_q);
      none_left_is_known:          assert (u_dut.spent_q == (u_dut.left_q == '0));
      over_is_not_running:         assert (over_q == !u_dut.running_q);
      next_is_known:               assert (wanted_q == '0 || next_q == u_dut.request_addr_q);
      within_bounds:               assert (wanted_q <= 35'(4 * MostInstrs));
      words_of_one_instruction:    assert (u_dut.words_q <= 3'd4);
      asks_while_words_are_wanted: assert (req_valid == (wanted_q != '0));
      asks_for_whole_instructions: assert (!req_valid || (req_words[1:0] == '0 &&
                                           req_words != '0 && 32'(req_words) <= 32'd4096));
      asks_for_no_more:            assert (!req_valid || 35'(req_words) <= wanted_q);
      asks_in_order:               assert (!req_valid || req_addr == next_q || wanted_q == '0);
      request_is_held:             assert (!hold_req_q || (req_valid && req_addr == req_addr_q &&
                                                           req_words == req_words_q));
      one_queue:                   assert ((instr_valid & (instr_valid - NumUnits'(1))) == '0);
      instruction_is_held:         assert (!hold_q || (instr_valid == instr_valid_q &&
                                                       instr == instr_q));
      no_word_between:             assert (instr_valid == '0 || !data_ready);
      end_only_at_rest:            assert (!ends || (units_idle_i && !halt_i && instr_valid == '0));
      not_after_the_end:           assert (!over_q || (!ends && !illegal && instr_valid == '0));
      a_fault_or_an_end:           assert (!(ends && illegal) || left_q == '0);
      reach_end:                   assert (!(ends && left_q == 32'd1));
    end
  end

endmodule
