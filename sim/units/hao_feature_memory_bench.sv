// hao_feature_memory with flat ports, for a bench that drives every client in every cycle.
module hao_feature_memory_bench
  import hao_pkg::*;
#(
  parameter int unsigned FmWords = 256,
  parameter int unsigned PX      = 2
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  // Reads of DENSE, FILL, ADD, STORE: valid, and per client PX enables and addresses
  input  logic [3:0]        rd_valid_i,
  output logic [3:0]        rd_ready_o,
  input  logic [4*PX-1:0]   rd_en_i,
  input  logic [64*PX-1:0]  rd_addr_i,
  output logic [3:0]        rsp_valid_o,
  output logic [128*PX-1:0] dense_data_o,
  output logic [128*PX-1:0] other_data_o,
  // Writes of LOAD, DENSE, DW
  input  logic [2:0]        wr_valid_i,
  output logic [2:0]        wr_ready_o,
  input  logic [3*64-1:0]   wr_addr_i,
  input  logic [3*32-1:0]   wr_sel_i,
  input  logic [3*16-1:0]   wr_mask_i,
  input  logic [3*128-1:0]  wr_data_i
);

  logic [15:0]  dense_addr [PX], fill_addr [PX];
  logic [PX-1:0] dense_need;
  logic [127:0] dense_data [PX], other_data [PX];
  logic [15:0]  wr_addr [3][4];
  logic [1:0]   wr_sel [3][Lanes];
  logic [15:0]  wr_mask [3];
  logic [127:0] wr_data [3];

  for (genvar s = 0; s < int'(PX); s++) begin : gen_slot
    assign dense_addr[s]              = rd_addr_i[16*s+:16];
    assign fill_addr[s]               = rd_addr_i[16*(PX+s)+:16];
    assign dense_data_o[128*s+:128]   = dense_data[s];
    assign other_data_o[128*s+:128]   = other_data[s];
  end
  always_comb begin
    dense_need = '0;
    for (int unsigned s = 0; s < PX; s++) begin
      if (rd_en_i[s]) dense_need[PX == 2 ? 32'(dense_addr[s][0]) : 0] = 1'b1;
    end
  end
  for (genvar w = 0; w < 3; w++) begin : gen_writer
    for (genvar a = 0; a < 4; a++) begin : gen_addr
      assign wr_addr[w][a] = wr_addr_i[64*w+16*a+:16];
    end
    for (genvar l = 0; l < int'(Lanes); l++) begin : gen_lane
      assign wr_sel[w][l] = wr_sel_i[32*w+2*l+:2];
    end
    assign wr_mask[w] = wr_mask_i[16*w+:16];
    assign wr_data[w] = wr_data_i[128*w+:128];
  end

  hao_feature_memory #(
    .FmWords(FmWords),
    .PX     (PX)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .dense_rd_valid_i (rd_valid_i[0]),
    .dense_rd_ready_o (rd_ready_o[0]),
    .dense_rd_need_i  (dense_need),
    .dense_rd_en_i    (rd_en_i[PX-1:0]),
    .dense_rd_addr_i  (dense_addr),
    .dense_rsp_valid_o(rsp_valid_o[0]),
    .dense_rsp_data_o (dense_data),
    .fill_rd_valid_i  (rd_valid_i[1]),
    .fill_rd_ready_o  (rd_ready_o[1]),
    .fill_rd_en_i     (rd_en_i[2*PX-1:PX]),
    .fill_rd_addr_i   (fill_addr),
    .fill_rsp_valid_o (rsp_valid_o[1]),
    .add_rd_valid_i   (rd_valid_i[2]),
    .add_rd_ready_o   (rd_ready_o[2]),
    .add_rd_addr_i    (rd_addr_i[32*PX+:16]),
    .add_rsp_valid_o  (rsp_valid_o[2]),
    .store_rd_valid_i (rd_valid_i[3]),
    .store_rd_ready_o (rd_ready_o[3]),
    .store_rd_addr_i  (rd_addr_i[48*PX+:16]),
    .store_rsp_valid_o(rsp_valid_o[3]),
    .other_rsp_data_o (other_data),
    .wr_valid_i,
    .wr_ready_o,
    .wr_addr_i        (wr_addr),
    .wr_sel_i         (wr_sel),
    .wr_mask_i        (wr_mask),
    .wr_data_i        (wr_data)
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(rd_ready_o[3:1]))
    else $error("hao_feature_memory_bench: two of FILL, ADD and STORE were granted together");
`endif

endmodule
