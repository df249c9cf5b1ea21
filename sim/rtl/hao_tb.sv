// The simulated board: the engine, its DRAM and the AXI rules. Clock, reset and AXI4-Lite come from
// the C++ host.
module hao_tb #(
  parameter int unsigned PI = 16,
  parameter int unsigned PO = 16,
  parameter int unsigned PX = 2,
  parameter int unsigned DwLanes = 16,
  parameter int unsigned FmWords = 24576,
  parameter int unsigned WinDepth = 512,
  parameter int unsigned WbWords = 4096,
  parameter int unsigned PbWords = 1024,
  parameter int unsigned LmEntries = 2048,
  parameter int unsigned DispEntries = 4096,
  parameter int unsigned RowBytes = 2048,
  parameter int unsigned QueueDepth = 16,
  parameter int unsigned MaxBurst = 64,
  parameter int unsigned Outstanding = 4,
  parameter logic [63:0] ConfigDigest = 64'd0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        irq_o,
  input  logic [11:0] s_axil_awaddr_i,
  input  logic        s_axil_awvalid_i,
  output logic        s_axil_awready_o,
  input  logic [31:0] s_axil_wdata_i,
  input  logic [ 3:0] s_axil_wstrb_i,
  input  logic        s_axil_wvalid_i,
  output logic        s_axil_wready_o,
  output logic [ 1:0] s_axil_bresp_o,
  output logic        s_axil_bvalid_o,
  input  logic        s_axil_bready_i,
  input  logic [11:0] s_axil_araddr_i,
  input  logic        s_axil_arvalid_i,
  output logic        s_axil_arready_o,
  output logic [31:0] s_axil_rdata_o,
  output logic [ 1:0] s_axil_rresp_o,
  output logic        s_axil_rvalid_o,
  input  logic        s_axil_rready_i,
  input  logic [11:0] cfg_read_latency_i,
  input  logic [11:0] cfg_write_latency_i,
  input  logic [ 7:0] cfg_turnaround_i,
  input  logic [15:0] cfg_refresh_interval_i,
  input  logic [11:0] cfg_refresh_i,
  input  logic [15:0] cfg_peak_rate_i,
  input  logic [15:0] cfg_sustained_rate_i,
  input  logic [23:0] cfg_sustained_depth_i,
  input  logic [ 6:0] cfg_outstanding_reads_i,
  input  logic [ 6:0] cfg_outstanding_writes_i,
  input  logic [ 7:0] cfg_stall_i,
  input  logic [63:0] cfg_seed_i
);

  logic [39:0] araddr, awaddr;
  logic [7:0] arlen, awlen;
  logic [2:0] arsize, awsize, arprot, awprot;
  logic [1:0] arburst, awburst, rresp, bresp;
  logic [3:0] arcache, awcache;
  logic arvalid, arready, awvalid, awready, rlast, rvalid, rready, wlast, wvalid, wready;
  logic bvalid, bready;
  logic [127:0] rdata, wdata;
  logic [15:0] wstrb;
  logic unused;

  assign unused = ^{arprot, awprot, arcache, awcache};

  hao_engine #(
    .PI          (PI),
    .PO          (PO),
    .PX          (PX),
    .DwLanes     (DwLanes),
    .FmWords     (FmWords),
    .WinDepth    (WinDepth),
    .WbWords     (WbWords),
    .PbWords     (PbWords),
    .LmEntries   (LmEntries),
    .DispEntries (DispEntries),
    .RowBytes    (RowBytes),
    .QueueDepth  (QueueDepth),
    .MaxBurst    (MaxBurst),
    .Outstanding (Outstanding),
    .ConfigDigest(ConfigDigest),
    .TapEnable   (1'b1)
  ) u_engine (
    .clk_i,
    .rst_ni,
    .irq_o,
    .s_axil_awaddr  (s_axil_awaddr_i),
    .s_axil_awvalid (s_axil_awvalid_i),
    .s_axil_awready (s_axil_awready_o),
    .s_axil_wdata   (s_axil_wdata_i),
    .s_axil_wstrb   (s_axil_wstrb_i),
    .s_axil_wvalid  (s_axil_wvalid_i),
    .s_axil_wready  (s_axil_wready_o),
    .s_axil_bresp   (s_axil_bresp_o),
    .s_axil_bvalid  (s_axil_bvalid_o),
    .s_axil_bready  (s_axil_bready_i),
    .s_axil_araddr  (s_axil_araddr_i),
    .s_axil_arvalid (s_axil_arvalid_i),
    .s_axil_arready (s_axil_arready_o),
    .s_axil_rdata   (s_axil_rdata_o),
    .s_axil_rresp   (s_axil_rresp_o),
    .s_axil_rvalid  (s_axil_rvalid_o),
    .s_axil_rready  (s_axil_rready_i),
    .m_axi_araddr   (araddr),
    .m_axi_arlen    (arlen),
    .m_axi_arsize   (arsize),
    .m_axi_arburst  (arburst),
    .m_axi_arcache  (arcache),
    .m_axi_arprot   (arprot),
    .m_axi_arvalid  (arvalid),
    .m_axi_arready  (arready),
    .m_axi_rdata    (rdata),
    .m_axi_rresp    (rresp),
    .m_axi_rlast    (rlast),
    .m_axi_rvalid   (rvalid),
    .m_axi_rready   (rready),
    .m_axi_awaddr   (awaddr),
    .m_axi_awlen    (awlen),
    .m_axi_awsize   (awsize),
    .m_axi_awburst  (awburst),
    .m_axi_awcache  (awcache),
    .m_axi_awprot   (awprot),
    .m_axi_awvalid  (awvalid),
    .m_axi_awready  (awready),
    .m_axi_wdata    (wdata),
    .m_axi_wstrb    (wstrb),
    .m_axi_wlast    (wlast),
    .m_axi_wvalid   (wvalid),
    .m_axi_wready   (wready),
    .m_axi_bresp    (bresp),
    .m_axi_bvalid   (bvalid),
    .m_axi_bready   (bready)
  );

  hao_dram u_dram (
    .clk_i,
    .rst_ni,
    .cfg_read_latency_i,
    .cfg_write_latency_i,
    .cfg_turnaround_i,
    .cfg_refresh_interval_i,
    .cfg_refresh_i,
    .cfg_peak_rate_i,
    .cfg_sustained_rate_i,
    .cfg_sustained_depth_i,
    .cfg_outstanding_reads_i,
    .cfg_outstanding_writes_i,
    .cfg_stall_i,
    .cfg_seed_i,
    .araddr_i (araddr),
    .arlen_i  (arlen),
    .arvalid_i(arvalid),
    .arready_o(arready),
    .rdata_o  (rdata),
    .rresp_o  (rresp),
    .rlast_o  (rlast),
    .rvalid_o (rvalid),
    .rready_i (rready),
    .awaddr_i (awaddr),
    .awlen_i  (awlen),
    .awvalid_i(awvalid),
    .awready_o(awready),
    .wdata_i  (wdata),
    .wstrb_i  (wstrb),
    .wvalid_i (wvalid),
    .wready_o (wready),
    .bresp_o  (bresp),
    .bvalid_o (bvalid),
    .bready_i (bready)
  );

  hao_axi_checker #(
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding)
  ) u_checker (
    .clk_i,
    .rst_ni,
    .araddr_i (araddr),
    .arlen_i  (arlen),
    .arsize_i (arsize),
    .arburst_i(arburst),
    .arvalid_i(arvalid),
    .arready_i(arready),
    .rdata_i  (rdata),
    .rresp_i  (rresp),
    .rlast_i  (rlast),
    .rvalid_i (rvalid),
    .rready_i (rready),
    .awaddr_i (awaddr),
    .awlen_i  (awlen),
    .awsize_i (awsize),
    .awburst_i(awburst),
    .awvalid_i(awvalid),
    .awready_i(awready),
    .wdata_i  (wdata),
    .wstrb_i  (wstrb),
    .wlast_i  (wlast),
    .wvalid_i (wvalid),
    .wready_i (wready),
    .bresp_i  (bresp),
    .bvalid_i (bvalid),
    .bready_i (bready)
  );

  // AXI4-Lite answers hold until they are taken
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    s_axil_rvalid_o && !s_axil_rready_i
    |=> s_axil_rvalid_o && $stable({s_axil_rdata_o, s_axil_rresp_o}))
  else $error("AXI4-Lite: R changed before RREADY");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    s_axil_bvalid_o && !s_axil_bready_i |=> s_axil_bvalid_o && $stable(s_axil_bresp_o))
  else $error("AXI4-Lite: B changed before BREADY");

endmodule
