// Large first-in first-out buffer in block RAM. A word reaches the output three cycles after it
// enters; from then on one word a cycle. Capacity is Depth words in the memory and four behind it.
module hao_fifo_ram #(
  parameter int unsigned Width = 128,
  parameter int unsigned Depth = 256  // a power of two
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             clear_i,
  input  logic             in_valid_i,
  output logic             in_ready_o,
  input  logic [Width-1:0] in_data_i,
  output logic             out_valid_o,
  input  logic             out_ready_i,
  output logic [Width-1:0] out_data_o
);

  localparam int unsigned AddrWidth = $clog2(Depth);
  localparam int unsigned Behind    = 4;  // one more than the way from memory to output

  if (Depth < 2 || (Depth & (Depth - 1)) != 0) begin : gen_check
    $error("hao_fifo_ram: Depth must be a power of two");
  end

  logic [AddrWidth:0] wr_ptr_q, rd_ptr_q;
  logic [2:0]         behind_q;  // words read from the memory and not yet taken
  logic               push, fetch, fetched_q, pop;
  logic [Width-1:0]   fetched_data;
  logic               tail_ready;
  logic [2:0]         tail_level;

  assign in_ready_o = (wr_ptr_q - rd_ptr_q) != (AddrWidth+1)'(Depth);
  assign push       = in_valid_i && in_ready_o;
  assign pop        = out_valid_o && out_ready_i;
  assign fetch      = (wr_ptr_q != rd_ptr_q) && 32'(behind_q) != Behind;

  hao_ram #(
    .Width  (Width),
    .Depth  (Depth),
    .Latency(1)
  ) u_ram (
    .clk_i,
    .wr_en_i  (push),
    .wr_addr_i(wr_ptr_q[AddrWidth-1:0]),
    .wr_data_i(in_data_i),
    .rd_en_i  (fetch),
    .rd_addr_i(rd_ptr_q[AddrWidth-1:0]),
    .rd_data_o(fetched_data)
  );

  hao_fifo #(
    .Width(Width),
    .Depth(Behind)
  ) u_tail (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (fetched_q),
    .in_ready_o (tail_ready),
    .in_data_i  (fetched_data),
    .out_valid_o,
    .out_ready_i,
    .out_data_o,
    .level_o    (tail_level)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_ptr_q  <= '0;
      rd_ptr_q  <= '0;
      behind_q  <= '0;
      fetched_q <= 1'b0;
    end else if (clear_i) begin
      wr_ptr_q  <= '0;
      rd_ptr_q  <= '0;
      behind_q  <= '0;
      fetched_q <= 1'b0;
    end else begin
      if (push)  wr_ptr_q <= wr_ptr_q + (AddrWidth+1)'(1);
      if (fetch) rd_ptr_q <= rd_ptr_q + (AddrWidth+1)'(1);
      behind_q  <= behind_q + 3'(fetch) - 3'(pop);
      fetched_q <= fetch;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) fetched_q |-> tail_ready)
    else $error("hao_fifo_ram: the output stage overflowed");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   behind_q == tail_level + 3'(fetched_q))
    else $error("hao_fifo_ram: miscounted words behind the memory");
`else
  logic unused;
  assign unused = ^{tail_ready, tail_level};
`endif

endmodule
