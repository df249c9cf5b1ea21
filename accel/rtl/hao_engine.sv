// Top of the engine: the front end (registers, control, fetch, queues, DMA) and the units with
// their memories. docs/microarchitecture.md draws it and gives the handshakes, docs/isa.md the
// meaning of a program.
module hao_engine
  import hao_pkg::*;
#(
  parameter int unsigned PI           = 16,     // dense input lanes
  parameter int unsigned PO           = 16,     // dense output lanes
  parameter int unsigned PX           = 2,      // dense pixels a cycle, feature memory banks
  parameter int unsigned DwLanes      = 16,     // channels a cycle of DW
  parameter int unsigned FmWords      = 24576,  // words of 16 bytes
  parameter int unsigned WinDepth     = 512,
  parameter int unsigned WbWords      = 4096,
  parameter int unsigned PbWords      = 1024,
  parameter int unsigned LmEntries    = 2048,
  parameter int unsigned DispEntries  = 4096,
  parameter int unsigned RowBytes     = 2048,
  parameter int unsigned QueueDepth   = 16,
  parameter int unsigned MaxBurst     = 64,
  parameter int unsigned Outstanding  = 4,
  parameter logic [63:0] ConfigDigest = 64'h0,  // tells software which configuration this is
  parameter bit          TapEnable    = 1'b0    // simulation: report every result word
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  output logic         irq_o,

  input  logic [11:0]  s_axil_awaddr,
  input  logic         s_axil_awvalid,
  output logic         s_axil_awready,
  input  logic [31:0]  s_axil_wdata,
  input  logic [3:0]   s_axil_wstrb,
  input  logic         s_axil_wvalid,
  output logic         s_axil_wready,
  output logic [1:0]   s_axil_bresp,
  output logic         s_axil_bvalid,
  input  logic         s_axil_bready,
  input  logic [11:0]  s_axil_araddr,
  input  logic         s_axil_arvalid,
  output logic         s_axil_arready,
  output logic [31:0]  s_axil_rdata,
  output logic [1:0]   s_axil_rresp,
  output logic         s_axil_rvalid,
  input  logic         s_axil_rready,

  output logic [39:0]  m_axi_araddr,
  output logic [7:0]   m_axi_arlen,
  output logic [2:0]   m_axi_arsize,
  output logic [1:0]   m_axi_arburst,
  output logic [3:0]   m_axi_arcache,
  output logic [2:0]   m_axi_arprot,
  output logic         m_axi_arvalid,
  input  logic         m_axi_arready,
  input  logic [127:0] m_axi_rdata,
  input  logic [1:0]   m_axi_rresp,
  input  logic         m_axi_rlast,
  input  logic         m_axi_rvalid,
  output logic         m_axi_rready,
  output logic [39:0]  m_axi_awaddr,
  output logic [7:0]   m_axi_awlen,
  output logic [2:0]   m_axi_awsize,
  output logic [1:0]   m_axi_awburst,
  output logic [3:0]   m_axi_awcache,
  output logic [2:0]   m_axi_awprot,
  output logic         m_axi_awvalid,
  input  logic         m_axi_awready,
  output logic [127:0] m_axi_wdata,
  output logic [15:0]  m_axi_wstrb,
  output logic         m_axi_wlast,
  output logic         m_axi_wvalid,
  input  logic         m_axi_wready,
  input  logic [1:0]   m_axi_bresp,
  input  logic         m_axi_bvalid,
  output logic         m_axi_bready
);

  if (MaxBurst < 4 || Outstanding < 1 || Outstanding > 16) begin : gen_check_bus
    $error("hao_engine: MaxBurst or Outstanding out of range");
  end
  if (QueueDepth < 2 || QueueDepth > 64) begin : gen_check_queue
    $error("hao_engine: QueueDepth out of range");
  end

  logic                 clear;
  logic [39:0]          base [4];
  logic [NumUnits-1:0]  unit_valid, unit_ready, unit_done, unit_stall;
  logic [InstrBits-1:0] unit_instr [NumUnits];
  logic                 load_req_valid, load_req_ready, load_valid, load_ready;
  logic                 store_req_valid, store_req_ready, store_valid, store_ready, store_done;
  logic [39:0]          load_req_addr, store_req_addr;
  logic [15:0]          load_req_words, store_req_words;
  logic [127:0]         load_data, store_data;

  hao_frontend #(
    .QueueDepth  (QueueDepth),
    .MaxBurst    (MaxBurst),
    .Outstanding (Outstanding),
    .ConfigDigest(ConfigDigest)
  ) u_frontend (
    .clk_i,
    .rst_ni,
    .irq_o,
    .clear_o          (clear),
    .base_o           (base),
    .unit_valid_o     (unit_valid),
    .unit_ready_i     (unit_ready),
    .unit_instr_o     (unit_instr),
    .unit_done_i      (unit_done),
    .unit_stall_i     (unit_stall),
    .load_req_valid_i (load_req_valid),
    .load_req_ready_o (load_req_ready),
    .load_req_addr_i  (load_req_addr),
    .load_req_words_i (load_req_words),
    .load_valid_o     (load_valid),
    .load_ready_i     (load_ready),
    .load_data_o      (load_data),
    .store_req_valid_i(store_req_valid),
    .store_req_ready_o(store_req_ready),
    .store_req_addr_i (store_req_addr),
    .store_req_words_i(store_req_words),
    .store_valid_i    (store_valid),
    .store_ready_o    (store_ready),
    .store_data_i     (store_data),
    .store_done_o     (store_done),
    .*  // s_axil, m_axi
  );

  hao_units #(
    .PI         (PI),
    .PO         (PO),
    .PX         (PX),
    .DwLanes    (DwLanes),
    .FmWords    (FmWords),
    .WinDepth   (WinDepth),
    .WbWords    (WbWords),
    .PbWords    (PbWords),
    .LmEntries  (LmEntries),
    .DispEntries(DispEntries),
    .RowBytes   (RowBytes),
    .TapEnable  (TapEnable)
  ) u_units (
    .clk_i,
    .rst_ni,
    .clear_i          (clear),
    .base_i           (base),
    .instr_valid_i    (unit_valid),
    .instr_ready_o    (unit_ready),
    .instr_i          (unit_instr),
    .done_o           (unit_done),
    .stall_o          (unit_stall),
    .load_req_valid_o (load_req_valid),
    .load_req_ready_i (load_req_ready),
    .load_req_addr_o  (load_req_addr),
    .load_req_words_o (load_req_words),
    .load_valid_i     (load_valid),
    .load_ready_o     (load_ready),
    .load_data_i      (load_data),
    .store_req_valid_o(store_req_valid),
    .store_req_ready_i(store_req_ready),
    .store_req_addr_o (store_req_addr),
    .store_req_words_o(store_req_words),
    .store_valid_o    (store_valid),
    .store_ready_i    (store_ready),
    .store_data_o     (store_data),
    .store_done_i     (store_done)
  );

`ifndef SYNTHESIS
  if (TapEnable) begin : gen_event
    // When units take and complete instructions; for timelines and the cycle model.
    import "DPI-C" context function void hao_event(input int unit, input int done);
    for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_event_unit
      always_ff @(posedge clk_i) begin
        if (rst_ni && !clear) begin
          if (unit_valid[u] && unit_ready[u]) hao_event(u, 0);
          if (unit_done[u]) hao_event(u, 1);
        end
      end
    end
  end
  for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_assert
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear)
                     unit_valid[u] && !unit_ready[u] |=> unit_valid[u] && $stable(unit_instr[u]))
      else $error("hao_engine: the instruction for unit %0d changed while it waited", u);
  end
`endif

endmodule
