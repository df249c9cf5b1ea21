// hao_burst: the bursts of a request cover its words once, in order and without gaps; each has 1 to
// MaxBurst beats and stays inside 4 KiB; the last one is marked; a burst is held until taken. One
// request waits while another is cut; none is lost and none passes another.
// Assumed: a request has at least one word and a 16-byte address (asserted where requests are made).
module formal_burst #(
  parameter int unsigned MaxBurst = 4
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        clear_i,
  input logic        req_valid_i,
  input logic [39:0] req_addr_i,
  input logic [15:0] req_words_i,
  input logic        burst_ready_i
);

  logic        started_q = 1'b0;
  logic        req_ready, burst_valid, burst_last, open_q, held_q, held_last_q;
  logic [39:0] burst_addr, held_addr_q;
  logic [8:0]  burst_beats, held_beats_q;
  logic [35:0] next_q;  // word that the next burst must begin with
  logic [15:0] left_q;  // words of the request in no burst yet
  logic        wait_q, begins;  // a request waits; it comes to work
  logic [35:0] wait_word_q;
  logic [15:0] wait_left_q;

  hao_burst #(
    .MaxBurst(MaxBurst)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .req_valid_i,
    .req_ready_o  (req_ready),
    .req_addr_i,
    .req_words_i,
    .burst_valid_o(burst_valid),
    .burst_ready_i,
    .burst_addr_o (burst_addr),
    .burst_beats_o(burst_beats),
    .burst_last_o (burst_last)
  );

  assign begins = wait_q && (!open_q || (burst_valid && burst_ready_i &&
                                         left_q == 16'(burst_beats)));

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {open_q, held_q, next_q, left_q, wait_q, wait_word_q, wait_left_q} <= '0;
    end else if (clear_i) begin
      {open_q, held_q, next_q, left_q, wait_q, wait_word_q, wait_left_q} <= '0;
    end else begin
      held_q <= burst_valid && !burst_ready_i;
      if (req_valid_i && req_ready) begin
        wait_q      <= 1'b1;
        wait_word_q <= req_addr_i[39:4];
        wait_left_q <= req_words_i;
      end else if (begins) begin
        wait_q <= 1'b0;
      end
      if (begins) begin
        open_q <= 1'b1;
        next_q <= wait_word_q;
        left_q <= wait_left_q;
      end else if (burst_valid && burst_ready_i) begin
        open_q <= left_q != 16'(burst_beats);
        next_q <= next_q + 36'(burst_beats);
        left_q <= left_q - 16'(burst_beats);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    held_addr_q  <= burst_addr;
    held_beats_q <= burst_beats;
    held_last_q  <= burst_last;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (req_valid_i) assume (req_words_i != '0 && req_addr_i[3:0] == '0);
    if (rst_ni) begin
      valid_while_words_are_left: assert (burst_valid == open_q);
      words_are_left:             assert (!open_q || left_q != '0);
      if (burst_valid) begin
        starts_where_the_last_ended: assert (burst_addr == {next_q, 4'b0});
        not_empty:                   assert (burst_beats != '0);
        not_too_long:                assert (32'(burst_beats) <= MaxBurst);
        not_more_than_requested:     assert (16'(burst_beats) <= left_q);
        last_is_marked:              assert (burst_last == (16'(burst_beats) == left_q));
        inside_4_kib: assert (13'(burst_addr[11:4]) + 13'(burst_beats) <= 13'd256);
        full_unless_at_an_end: assert (burst_last || (burst_addr[4+:8] + burst_beats[7:0])
                                       % 8'(MaxBurst) == '0);
      end
      burst_is_held: assert (!held_q || (burst_valid && burst_addr == held_addr_q &&
                                         burst_beats == held_beats_q && burst_last == held_last_q));
      taken_when_none_waits: assert (req_ready == !wait_q);
      waiting_words_are_left: assert (!wait_q || wait_left_q != '0);
      waiting_is_known: assert (!wait_q || (u_dut.next_word_q == wait_word_q &&
                                            u_dut.next_left_q == wait_left_q));
      reach_third_burst: assert (!(open_q && burst_last && burst_addr[11:4] == '0 && next_q != '0));
    end
  end

endmodule
