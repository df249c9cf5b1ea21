// Cuts a request for words of 16 bytes into AXI bursts. A burst ends at a multiple of MaxBurst
// words, so none is longer and, MaxBurst being at most 256, none crosses a 4 KiB boundary. The next
// request waits in registers, so that who asks does not depend on who takes; length and end of a
// burst are worked out a burst ahead.
module hao_burst #(
  parameter int unsigned MaxBurst = 64  // beats, a power of two, at most 256
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        req_valid_i,
  output logic        req_ready_o,
  input  logic [39:0] req_addr_i,   // byte address, a multiple of 16
  input  logic [15:0] req_words_i,  // at least 1
  output logic        burst_valid_o,
  input  logic        burst_ready_i,
  output logic [39:0] burst_addr_o,
  output logic [8:0]  burst_beats_o,
  output logic        burst_last_o  // the last burst of its request
);

  localparam int unsigned AlignBits = $clog2(MaxBurst);

  if (MaxBurst < 2 || MaxBurst > 256 || (MaxBurst & (MaxBurst - 1)) != 0) begin : gen_check
    $error("hao_burst: MaxBurst must be a power of two from 2 to 256");
  end

  logic        next_valid_q, refill;
  logic [35:0] next_word_q;
  logic [15:0] next_left_q;
  logic        active_q, last_q, first_last;
  logic [35:0] word_q;  // address of the next burst in words
  logic [15:0] left_q, left_next, to_boundary;
  logic [8:0]  beats_q;

  // Only the first burst of a request may begin between two multiples.
  assign to_boundary   = 16'(MaxBurst) - 16'(next_word_q[AlignBits-1:0]);
  assign first_last    = next_left_q <= to_boundary;
  assign left_next     = left_q - 16'(beats_q);
  assign burst_last_o  = last_q;
  assign burst_beats_o = beats_q;
  assign burst_addr_o  = {word_q, 4'b0};
  assign burst_valid_o = active_q;
  assign req_ready_o   = !next_valid_q;
  assign refill        = next_valid_q && (!active_q || (burst_ready_i && last_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      next_valid_q <= 1'b0;
      next_word_q  <= '0;
      next_left_q  <= '0;
    end else if (clear_i) begin
      next_valid_q <= 1'b0;
    end else if (!next_valid_q) begin
      next_valid_q <= req_valid_i;
      next_word_q  <= req_addr_i[39:4];
      next_left_q  <= req_words_i;
    end else if (refill) begin
      next_valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      last_q   <= 1'b0;
      word_q   <= '0;
      left_q   <= '0;
      beats_q  <= '0;
    end else if (clear_i) begin
      active_q <= 1'b0;
    end else if (refill) begin
      active_q <= 1'b1;
      last_q   <= first_last;
      word_q   <= next_word_q;
      left_q   <= next_left_q;
      beats_q  <= first_last ? next_left_q[8:0] : to_boundary[8:0];
    end else if (active_q && burst_ready_i) begin
      active_q <= !last_q;
      last_q   <= left_next <= 16'(MaxBurst);
      word_q   <= word_q + 36'(beats_q);
      left_q   <= left_next;
      beats_q  <= left_next <= 16'(MaxBurst) ? left_next[8:0] : 9'(MaxBurst);
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   req_valid_i |-> req_words_i != '0 && req_addr_i[3:0] == '0)
    else $error("hao_burst: a request for no words, or for an odd address");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   burst_valid_o |-> burst_beats_o != '0 && 32'(burst_beats_o) <= MaxBurst)
    else $error("hao_burst: %0d beats in a burst", burst_beats_o);
`else
  logic unused;
  assign unused = ^req_addr_i[3:0];
`endif

endmodule
