// Simple dual-port RAM, one write and one read a cycle. Latency 1 is the memory's own read
// register, Latency 2 adds the output register that block RAM offers. A read that meets a write of
// the same address returns the old content.
module hao_ram #(
  parameter int unsigned Width     = 128,
  parameter int unsigned Depth     = 512,
  parameter int unsigned ByteWidth = Width,  // bits a write enable covers
  parameter int unsigned Latency   = 2,      // 1 or 2
  localparam int unsigned AddrWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic                       clk_i,
  input  logic [Width/ByteWidth-1:0] wr_en_i,
  input  logic [AddrWidth-1:0]       wr_addr_i,
  input  logic [Width-1:0]           wr_data_i,
  input  logic                       rd_en_i,
  input  logic [AddrWidth-1:0]       rd_addr_i,
  output logic [Width-1:0]           rd_data_o   // holds its value while rd_en_i is low
);

  localparam int unsigned Enables = Width / ByteWidth;

  if (Width % ByteWidth != 0) begin : gen_check_bytes
    $error("hao_ram: Width must be a multiple of ByteWidth");
  end
  if (Latency != 1 && Latency != 2) begin : gen_check_latency
    $error("hao_ram: Latency must be 1 or 2");
  end

  (* ram_style = "block" *) logic [Width-1:0] mem_q [Depth];
  logic [Width-1:0] data_q;

  if (Enables == 1) begin : gen_word
    always_ff @(posedge clk_i) begin
      if (wr_en_i[0]) mem_q[wr_addr_i] <= wr_data_i;
    end
  end else begin : gen_bytes
    always_ff @(posedge clk_i) begin
      for (int unsigned b = 0; b < Enables; b++) begin
        if (wr_en_i[b]) begin
          mem_q[wr_addr_i][b*ByteWidth+:ByteWidth] <= wr_data_i[b*ByteWidth+:ByteWidth];
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (rd_en_i) data_q <= mem_q[rd_addr_i];
  end

  if (Latency == 2) begin : gen_output
    logic             valid_q;
    logic [Width-1:0] output_q;
    always_ff @(posedge clk_i) begin
      valid_q <= rd_en_i;
      if (valid_q) output_q <= data_q;
    end
    assign rd_data_o = output_q;
  end else begin : gen_direct
    assign rd_data_o = data_q;
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) wr_en_i != '0 |-> 32'(wr_addr_i) < Depth)
    else $error("hao_ram: write address %0d beyond %0d", wr_addr_i, Depth);
  assert property (@(posedge clk_i) rd_en_i |-> 32'(rd_addr_i) < Depth)
    else $error("hao_ram: read address %0d beyond %0d", rd_addr_i, Depth);
`endif

endmodule
