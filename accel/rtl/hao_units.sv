// The five units, feature memory and window, and the wires between them.
module hao_units
  import hao_pkg::*;
#(
  parameter int unsigned PI          = 16,
  parameter int unsigned PO          = 16,
  parameter int unsigned PX          = 2,
  parameter int unsigned DwLanes     = 16,
  parameter int unsigned FmWords     = 24576,
  parameter int unsigned WinDepth    = 512,
  parameter int unsigned WbWords     = 4096,
  parameter int unsigned PbWords     = 1024,
  parameter int unsigned LmEntries   = 2048,
  parameter int unsigned DispEntries = 4096,
  parameter int unsigned RowBytes    = 2048,
  parameter bit          TapEnable   = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  input  logic [39:0]  base_i [4],

  // Instructions by unit_e, dependencies met
  input  logic [NumUnits-1:0]  instr_valid_i,
  output logic [NumUnits-1:0]  instr_ready_o,
  input  logic [InstrBits-1:0] instr_i [NumUnits],
  output logic [NumUnits-1:0]  done_o,
  output logic [NumUnits-1:0]  stall_o,

  // DMA
  output logic         load_req_valid_o,
  input  logic         load_req_ready_i,
  output logic [39:0]  load_req_addr_o,
  output logic [15:0]  load_req_words_o,
  input  logic         load_valid_i,
  output logic         load_ready_o,
  input  logic [127:0] load_data_i,
  output logic         store_req_valid_o,
  input  logic         store_req_ready_i,
  output logic [39:0]  store_req_addr_o,
  output logic [15:0]  store_req_words_o,
  output logic         store_valid_o,
  input  logic         store_ready_i,
  output logic [127:0] store_data_o,
  input  logic         store_done_i
);

  logic         buf_wr_valid;  // buffers, filled by LOAD
  logic [1:0]   buf_wr_target;
  logic [15:0]  buf_wr_addr;
  logic [127:0] buf_wr_data;

  // Feature memory: reads, and the writes of LOAD (0), DENSE (1) and DW (2).
  logic          dense_rd_valid, dense_rd_ready, dense_rsp_valid;
  logic          fill_rd_valid, fill_rd_ready, fill_rsp_valid;
  logic          add_rd_valid, add_rd_ready, add_rsp_valid;
  logic          store_rd_valid, store_rd_ready, store_rsp_valid;
  logic [PX-1:0] dense_rd_need, dense_rd_en, fill_rd_en;
  logic [15:0]   dense_rd_addr [PX], fill_rd_addr [PX], add_rd_addr, store_rd_addr;
  logic [127:0]  dense_rsp_data [PX], other_rsp_data [PX];
  logic [2:0]    wr_valid, wr_ready;
  logic [15:0]   wr_addr [3][4];
  logic [1:0]    wr_sel [3][Lanes];
  logic [15:0]   wr_mask [3];
  logic [127:0]  wr_data [3];

  // Window, written by DENSE (0) and FILL (1), and displacement map.
  logic [1:0]      win_wr_valid, win_wr_ready;
  logic [3:0]      win_wr_bank [2];
  logic [11:0]     win_wr_addr [2];
  logic [127:0]    win_wr_data [2];
  logic            win_rd_valid, win_rsp_valid;
  logic [Taps-1:0] win_rd_en;
  logic [3:0]      win_rd_bank [Taps];
  logic [11:0]     win_rd_addr [Taps];
  logic [127:0]    win_rsp_data [Taps];
  logic [UnitDw:UnitDense] unit_busy;  // the queues know it as well, and count it
  logic            disp_wr_valid;
  logic [15:0]     disp_wr_addr, load_wr_addr;  // LOAD writes whole words to one address
  logic [7:0]      disp_wr_data;

  assign wr_addr[0] = '{default: load_wr_addr};
  assign wr_sel[0]  = '{default: '0};
  assign wr_mask[0] = '1;

  hao_load #(
    .RowBytes(RowBytes)
  ) u_load (
    .*,  // clk_i, rst_ni, clear_i, base_i
    .instr_valid_i  (instr_valid_i[UnitLoad]),
    .instr_ready_o  (instr_ready_o[UnitLoad]),
    .instr_i        (instr_i[UnitLoad]),
    .done_o         (done_o[UnitLoad]),
    .stall_o        (stall_o[UnitLoad]),
    .dma_valid_o    (load_req_valid_o),
    .dma_ready_i    (load_req_ready_i),
    .dma_addr_o     (load_req_addr_o),
    .dma_words_o    (load_req_words_o),
    .data_valid_i   (load_valid_i),
    .data_ready_o   (load_ready_o),
    .data_i         (load_data_i),
    .buf_wr_valid_o (buf_wr_valid),
    .buf_wr_target_o(buf_wr_target),
    .buf_wr_addr_o  (buf_wr_addr),
    .buf_wr_data_o  (buf_wr_data),
    .fm_wr_valid_o  (wr_valid[0]),
    .fm_wr_ready_i  (wr_ready[0]),
    .fm_wr_addr_o   (load_wr_addr),
    .fm_wr_data_o   (wr_data[0])
  );

  hao_dense #(
    .PI       (PI),
    .PO       (PO),
    .PX       (PX),
    .WbWords  (WbWords),
    .PbWords  (PbWords),
    .LmEntries(LmEntries),
    .WinDepth (WinDepth),
    .TapEnable(TapEnable)
  ) u_dense (
    .*,  // clk_i, rst_ni, clear_i
    .instr_valid_i  (instr_valid_i[UnitDense]),
    .instr_ready_o  (instr_ready_o[UnitDense]),
    .instr_i        (instr_i[UnitDense]),
    .done_o         (done_o[UnitDense]),
    .busy_o         (unit_busy[UnitDense]),
    .stall_o        (stall_o[UnitDense]),
    .buf_wr_valid_i (buf_wr_valid),
    .buf_wr_target_i(buf_wr_target),
    .buf_wr_addr_i  (buf_wr_addr),
    .buf_wr_data_i  (buf_wr_data),
    .rd_req_valid_o (dense_rd_valid),
    .rd_req_ready_i (dense_rd_ready),
    .rd_req_need_o  (dense_rd_need),
    .rd_req_en_o    (dense_rd_en),
    .rd_req_addr_o  (dense_rd_addr),
    .rd_rsp_valid_i (dense_rsp_valid),
    .rd_rsp_data_i  (dense_rsp_data),
    .wr_valid_o     (wr_valid[1]),
    .wr_ready_i     (wr_ready[1]),
    .wr_addr_o      (wr_addr[1]),
    .wr_sel_o       (wr_sel[1]),
    .wr_mask_o      (wr_mask[1]),
    .wr_data_o      (wr_data[1]),
    .win_wr_valid_o (win_wr_valid[0]),
    .win_wr_ready_i (win_wr_ready[0]),
    .win_wr_bank_o  (win_wr_bank[0]),
    .win_wr_addr_o  (win_wr_addr[0]),
    .win_wr_data_o  (win_wr_data[0]),
    .disp_wr_valid_o(disp_wr_valid),
    .disp_wr_addr_o (disp_wr_addr),
    .disp_wr_data_o (disp_wr_data)
  );

  hao_fill #(
    .PX      (PX),
    .WinDepth(WinDepth)
  ) u_fill (
    .*,  // clk_i, rst_ni, clear_i
    .instr_valid_i (instr_valid_i[UnitFill]),
    .instr_ready_o (instr_ready_o[UnitFill]),
    .instr_i       (instr_i[UnitFill]),
    .done_o        (done_o[UnitFill]),
    .busy_o        (unit_busy[UnitFill]),
    .stall_o       (stall_o[UnitFill]),
    .rd_req_valid_o(fill_rd_valid),
    .rd_req_ready_i(fill_rd_ready),
    .rd_req_en_o   (fill_rd_en),
    .rd_req_addr_o (fill_rd_addr),
    .rd_rsp_valid_i(fill_rsp_valid),
    .rd_rsp_data_i (other_rsp_data),
    .win_wr_valid_o(win_wr_valid[1]),
    .win_wr_ready_i(win_wr_ready[1]),
    .win_wr_bank_o (win_wr_bank[1]),
    .win_wr_addr_o (win_wr_addr[1]),
    .win_wr_data_o (win_wr_data[1])
  );

  hao_dw #(
    .DwLanes    (DwLanes),
    .PbWords    (PbWords),
    .DispEntries(DispEntries),
    .TapEnable  (TapEnable)
  ) u_dw (
    .*,  // clk_i, rst_ni, clear_i
    .instr_valid_i  (instr_valid_i[UnitDw]),
    .instr_ready_o  (instr_ready_o[UnitDw]),
    .instr_i        (instr_i[UnitDw]),
    .done_o         (done_o[UnitDw]),
    .busy_o         (unit_busy[UnitDw]),
    .stall_o        (stall_o[UnitDw]),
    .buf_wr_valid_i (buf_wr_valid),
    .buf_wr_target_i(buf_wr_target),
    .buf_wr_addr_i  (buf_wr_addr),
    .buf_wr_data_i  (buf_wr_data),
    .disp_wr_valid_i(disp_wr_valid),
    .disp_wr_addr_i (disp_wr_addr),
    .disp_wr_data_i (disp_wr_data),
    .win_rd_valid_o (win_rd_valid),
    .win_rd_en_o    (win_rd_en),
    .win_rd_bank_o  (win_rd_bank),
    .win_rd_addr_o  (win_rd_addr),
    .win_rd_valid_i (win_rsp_valid),
    .win_rd_data_i  (win_rsp_data),
    .rd_req_valid_o (add_rd_valid),
    .rd_req_ready_i (add_rd_ready),
    .rd_req_addr_o  (add_rd_addr),
    .rd_rsp_valid_i (add_rsp_valid),
    .rd_rsp_data_i  (other_rsp_data[0]),
    .wr_valid_o     (wr_valid[2]),
    .wr_ready_i     (wr_ready[2]),
    .wr_addr_o      (wr_addr[2]),
    .wr_sel_o       (wr_sel[2]),
    .wr_mask_o      (wr_mask[2]),
    .wr_data_o      (wr_data[2])
  );

  hao_store u_store (
    .*,  // clk_i, rst_ni, clear_i, base_i
    .instr_valid_i (instr_valid_i[UnitStore]),
    .instr_ready_o (instr_ready_o[UnitStore]),
    .instr_i       (instr_i[UnitStore]),
    .done_o        (done_o[UnitStore]),
    .stall_o       (stall_o[UnitStore]),
    .rd_req_valid_o(store_rd_valid),
    .rd_req_ready_i(store_rd_ready),
    .rd_req_addr_o (store_rd_addr),
    .rd_rsp_valid_i(store_rsp_valid),
    .rd_rsp_data_i (other_rsp_data[0]),
    .dma_valid_o   (store_req_valid_o),
    .dma_ready_i   (store_req_ready_i),
    .dma_addr_o    (store_req_addr_o),
    .dma_words_o   (store_req_words_o),
    .data_valid_o  (store_valid_o),
    .data_ready_i  (store_ready_i),
    .data_o        (store_data_o),
    .dma_done_i    (store_done_i)
  );

  hao_feature_memory #(
    .FmWords(FmWords),
    .PX     (PX)
  ) u_feature_memory (
    .*,  // clk_i, rst_ni, clear_i
    .dense_rd_valid_i (dense_rd_valid),
    .dense_rd_ready_o (dense_rd_ready),
    .dense_rd_need_i  (dense_rd_need),
    .dense_rd_en_i    (dense_rd_en),
    .dense_rd_addr_i  (dense_rd_addr),
    .dense_rsp_valid_o(dense_rsp_valid),
    .dense_rsp_data_o (dense_rsp_data),
    .fill_rd_valid_i  (fill_rd_valid),
    .fill_rd_ready_o  (fill_rd_ready),
    .fill_rd_en_i     (fill_rd_en),
    .fill_rd_addr_i   (fill_rd_addr),
    .fill_rsp_valid_o (fill_rsp_valid),
    .add_rd_valid_i   (add_rd_valid),
    .add_rd_ready_o   (add_rd_ready),
    .add_rd_addr_i    (add_rd_addr),
    .add_rsp_valid_o  (add_rsp_valid),
    .store_rd_valid_i (store_rd_valid),
    .store_rd_ready_o (store_rd_ready),
    .store_rd_addr_i  (store_rd_addr),
    .store_rsp_valid_o(store_rsp_valid),
    .other_rsp_data_o (other_rsp_data),
    .wr_valid_i       (wr_valid),
    .wr_ready_o       (wr_ready),
    .wr_addr_i        (wr_addr),
    .wr_sel_i         (wr_sel),
    .wr_mask_i        (wr_mask),
    .wr_data_i        (wr_data)
  );

  hao_window #(
    .WinDepth(WinDepth)
  ) u_window (
    .*,  // clk_i, rst_ni, clear_i
    .wr_valid_i(win_wr_valid),
    .wr_ready_o(win_wr_ready),
    .wr_bank_i (win_wr_bank),
    .wr_addr_i (win_wr_addr),
    .wr_data_i (win_wr_data),
    .rd_valid_i(win_rd_valid),
    .rd_en_i   (win_rd_en),
    .rd_bank_i (win_rd_bank),
    .rd_addr_i (win_rd_addr),
    .rd_valid_o(win_rsp_valid),
    .rd_data_o (win_rsp_data)
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   buf_wr_valid |-> buf_wr_target != TargetFeature)
    else $error("hao_units: a word for the feature memory went to the buffers");
`endif
  logic unused;
  assign unused = ^unit_busy;

endmodule
