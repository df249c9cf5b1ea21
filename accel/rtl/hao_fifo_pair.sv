// First-in first-out buffer of two entries whose outputs come straight from flip-flops: cuts a path
// in both directions without costing a cycle in full flow.
module hao_fifo_pair #(
  parameter int unsigned Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,  // empties the buffer
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i,
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o
);

  logic             head_valid_q, next_valid_q, head_free;
  logic [Width-1:0] head_q, next_q;

  assign head_free   = !head_valid_q || out_ready_i;
  assign in_ready_o  = !next_valid_q;
  assign out_valid_o = head_valid_q;
  assign out_data_o  = head_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_valid_q <= 1'b0;
      next_valid_q <= 1'b0;
    end else if (clear_i) begin
      head_valid_q <= 1'b0;
      next_valid_q <= 1'b0;
    end else begin
      head_valid_q <= next_valid_q || in_valid_i || !head_free;
      next_valid_q <= !head_free && (next_valid_q || in_valid_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (head_free) head_q <= next_valid_q ? next_q : in_data_i;
    if (!next_valid_q) next_q <= in_data_i;
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   out_valid_o && !out_ready_i |=> out_valid_o && $stable(out_data_o))
    else $error("hao_fifo_pair: a waiting entry changed");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   next_valid_q |-> head_valid_q)
    else $error("hao_fifo_pair: the second place is filled before the first");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   in_valid_i && !in_ready_o |=> in_valid_i)
    else $error("hao_fifo_pair: a waiting entry was withdrawn");
`endif

endmodule
