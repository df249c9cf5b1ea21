// First-in first-out buffer, valid/ready on both sides. The storage is read asynchronously
// (LUTRAM); hao_fifo_ram is the one for block RAM. With FallThrough an entry that meets an empty
// buffer appears at the output in the same cycle.
module hao_fifo #(
  parameter int unsigned Width       = 32,
  parameter int unsigned Depth       = 4,  // any number from 1 on
  parameter bit          FallThrough = 1'b0
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       clear_i,  // empties the buffer
  input  logic                       in_valid_i,
  output logic                       in_ready_o,
  input  logic [Width-1:0]           in_data_i,
  output logic                       out_valid_o,
  input  logic                       out_ready_i,
  output logic [Width-1:0]           out_data_o,
  output logic [$clog2(Depth+1)-1:0] level_o   // entries held
);

  localparam int unsigned PtrWidth   = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned LevelWidth = $clog2(Depth + 1);

  if (Depth == 0 || Width == 0) begin : gen_check
    $error("hao_fifo: Depth and Width must be at least 1");
  end

  logic [Width-1:0]      mem_q [Depth];
  logic [PtrWidth-1:0]   rd_ptr_q, wr_ptr_q;
  logic [LevelWidth-1:0] level_q;
  logic                  empty, full, bypass, push, pop;

  function automatic logic [PtrWidth-1:0] next(logic [PtrWidth-1:0] ptr);
    return (32'(ptr) == Depth - 1) ? '0 : ptr + PtrWidth'(1);
  endfunction

  assign empty       = (level_q == '0);
  assign full        = (32'(level_q) == Depth);
  assign bypass      = FallThrough && empty && in_valid_i && out_ready_i;
  assign in_ready_o  = !full;
  assign out_valid_o = !empty || (FallThrough && in_valid_i);
  assign out_data_o  = (FallThrough && empty) ? in_data_i : mem_q[rd_ptr_q];
  assign push        = in_valid_i && !full && !bypass;
  assign pop         = out_ready_i && !empty;
  assign level_o     = level_q;

  always_ff @(posedge clk_i) begin
    if (push) mem_q[wr_ptr_q] <= in_data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_ptr_q <= '0;
      wr_ptr_q <= '0;
      level_q  <= '0;
    end else if (clear_i) begin
      rd_ptr_q <= '0;
      wr_ptr_q <= '0;
      level_q  <= '0;
    end else begin
      if (push) wr_ptr_q <= next(wr_ptr_q);
      if (pop)  rd_ptr_q <= next(rd_ptr_q);
      if (push != pop) level_q <= push ? level_q + LevelWidth'(1) : level_q - LevelWidth'(1);
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) push |-> 32'(level_q) < Depth)
    else $error("hao_fifo: overflow");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) pop |-> level_q != '0)
    else $error("hao_fifo: underflow");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   in_valid_i && !in_ready_o |=> in_valid_i)
    else $error("hao_fifo: a waiting entry was withdrawn");
`endif

endmodule
