// One bank of the feature memory: 16 byte-wide RAMs that share the read address and are written at
// addresses of their own. A write reaches the RAMs one cycle after it is taken, like a read; so
// later reads see it.
module hao_fm_bank
  import hao_pkg::*;
#(
  parameter int unsigned Words    = 12288,
  parameter int unsigned BankBits = 1,  // low address bits that name the bank
  localparam int unsigned IndexBits = $clog2(Words)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 wr_valid_i,
  input  logic [15:0]          wr_addr_i [4],
  input  logic [1:0]           wr_sel_i [Lanes],
  input  logic [15:0]          wr_mask_i,
  input  logic [127:0]         wr_data_i,
  input  logic                 rd_en_i,
  input  logic [IndexBits-1:0] rd_index_i,
  output logic [127:0]         rd_data_o
);

  logic [Lanes-1:0] wr_en_q;
  logic [127:0]     wr_data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) wr_en_q <= '0;
    else         wr_en_q <= wr_valid_i ? wr_mask_i : '0;
  end

  always_ff @(posedge clk_i) begin
    if (wr_valid_i) wr_data_q <= wr_data_i;
  end

  for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
    logic [IndexBits-1:0] index_q;
    always_ff @(posedge clk_i) begin
      if (wr_valid_i) index_q <= IndexBits'(wr_addr_i[wr_sel_i[l]] >> BankBits);
    end

    hao_ram #(
      .Width  (8),
      .Depth  (Words),
      .Latency(1)
    ) u_ram (
      .clk_i,
      .wr_en_i  (wr_en_q[l]),
      .wr_addr_i(index_q),
      .wr_data_i(wr_data_q[8*l+:8]),
      .rd_en_i,
      .rd_addr_i(rd_index_i),
      .rd_data_o(rd_data_o[8*l+:8])
    );

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni)
                     wr_valid_i && wr_mask_i[l] |-> 32'(wr_addr_i[wr_sel_i[l]] >> BankBits) < Words)
      else $error("hao_fm_bank: lane %0d written at word %0d", l, wr_addr_i[wr_sel_i[l]]);
    if (BankBits == 1) begin : gen_assert_parity
      assert property (@(posedge clk_i) disable iff (!rst_ni)
                       wr_valid_i && wr_mask_i[l] |-> wr_addr_i[wr_sel_i[l]][0] == wr_addr_i[0][0])
        else $error("hao_fm_bank: one write meets two banks");
    end
`endif
  end

endmodule
