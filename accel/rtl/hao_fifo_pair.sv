// First-in first-out buffer of two entries whose outputs come straight from flip-flops: cuts a path
// in both directions without costing a cycle in full flow. The lowest Flags bits of the output are
// zero while the buffer is empty: they can be acted on without looking at out_valid_o.
module hao_fifo_pair #(
  parameter int unsigned Width = 32,
  parameter int unsigned Flags = 0
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

  logic             head_valid_q, next_valid_q, in_ready_q, head_free;  // ready: !next_valid_q
  logic [Width-1:0] next_q;
  logic [Width-1:Flags] head_q;  // without the flags

  assign head_free   = !head_valid_q || out_ready_i;
  assign in_ready_o  = in_ready_q;
  assign out_valid_o = head_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_valid_q <= 1'b0;
      next_valid_q <= 1'b0;
      in_ready_q   <= 1'b1;
    end else if (clear_i) begin
      head_valid_q <= 1'b0;
      next_valid_q <= 1'b0;
      in_ready_q   <= 1'b1;
    end else begin
      head_valid_q <= next_valid_q || in_valid_i || !head_free;
      next_valid_q <= !head_free && (next_valid_q || in_valid_i);
      in_ready_q   <= head_free || !(next_valid_q || in_valid_i);
    end
  end

  always_ff @(posedge clk_i) begin
    if (head_free) head_q <= next_valid_q ? next_q[Width-1:Flags] : in_data_i[Width-1:Flags];
    if (!next_valid_q) next_q <= in_data_i;
  end

  if (Flags > 0) begin : gen_flags
    logic [Flags-1:0] in_flags, flags_q;
    assign in_flags = in_data_i[Flags-1:0] & {Flags{in_valid_i}};
    assign out_data_o = {head_q, flags_q};
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)        flags_q <= '0;
      else if (clear_i)   flags_q <= '0;
      else if (head_free) flags_q <= next_valid_q ? next_q[Flags-1:0] : in_flags;
    end
  end else begin : gen_plain
    assign out_data_o = head_q;
  end

`ifndef SYNTHESIS
  if (Flags > 0) begin : gen_assert_flags
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     !out_valid_o |-> out_data_o[Flags-1:0] == '0)
      else $error("hao_fifo_pair: a flag without an entry");
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) in_ready_q == !next_valid_q)
    else $error("hao_fifo_pair: ready and full at once, or neither");
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
