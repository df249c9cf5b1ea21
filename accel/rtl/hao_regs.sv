// AXI4-Lite register file: control, status, interrupt, base addresses, and the counters read only.
// Addresses outside the map read zero and ignore writes; both answer OKAY, since an error response
// would stop the processor.
module hao_regs
  import hao_pkg::*;
#(
  parameter logic [63:0] ConfigDigest = 64'h0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  output logic        irq_o,

  input  logic [11:0] s_axil_awaddr,
  input  logic        s_axil_awvalid,
  output logic        s_axil_awready,
  input  logic [31:0] s_axil_wdata,
  input  logic [3:0]  s_axil_wstrb,
  input  logic        s_axil_wvalid,
  output logic        s_axil_wready,
  output logic [1:0]  s_axil_bresp,
  output logic        s_axil_bvalid,
  input  logic        s_axil_bready,
  input  logic [11:0] s_axil_araddr,
  input  logic        s_axil_arvalid,
  output logic        s_axil_arready,
  output logic [31:0] s_axil_rdata,
  output logic [1:0]  s_axil_rresp,
  output logic        s_axil_rvalid,
  input  logic        s_axil_rready,

  output logic        start_o,       // pulses
  output logic        soft_reset_o,
  output logic [31:0] program_count_o,
  output logic [39:0] program_addr_o,
  output logic [39:0] base_o [4],    // DRAM bases by base_sel_e

  input  logic        begin_i,       // a program begins
  input  logic        busy_i,
  input  logic        done_i,        // pulses
  input  logic        fault_i,
  input  fault_e      fault_code_i,

  input  logic [31:0] cycles_i,
  input  logic [31:0] done_count_i [NumUnits],
  input  logic [31:0] active_i [NumUnits],
  input  logic [31:0] wait_dep_i [NumUnits],
  input  logic [31:0] stall_i [NumUnits],
  input  logic [31:0] read_beats_i,
  input  logic [31:0] write_beats_i
);

  // The writable words of program and bases: RegProgramCount, every four bytes to RegScratchHi.
  localparam int unsigned Words = (32'(RegScratchHi) - 32'(RegProgramCount)) / 4 + 1;

  logic [31:0] word_q [Words];
  logic [1:0]  irq_enable_q, irq_status_q;
  logic        done_q;
  fault_e      fault_q;

  // Write: address and data are taken together.
  logic        write;
  logic [11:0] write_addr;
  logic        bvalid_q;

  assign write          = s_axil_awvalid && s_axil_wvalid && (!bvalid_q || s_axil_bready);
  assign write_addr     = {s_axil_awaddr[11:2], 2'b00};
  assign s_axil_awready = write;
  assign s_axil_wready  = write;
  assign s_axil_bvalid  = bvalid_q;
  assign s_axil_bresp   = 2'b00;

  logic control_write;
  assign control_write = write && write_addr == RegControl && s_axil_wstrb[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bvalid_q     <= 1'b0;
      start_o      <= 1'b0;
      soft_reset_o <= 1'b0;
      irq_enable_q <= '0;
      irq_status_q <= '0;
      done_q       <= 1'b0;
      fault_q      <= FaultNone;
      for (int unsigned i = 0; i < Words; i++) word_q[i] <= '0;
    end else begin
      if (write) bvalid_q <= 1'b1;
      else if (s_axil_bready) bvalid_q <= 1'b0;

      start_o      <= control_write && s_axil_wdata[0] && !s_axil_wdata[1];
      soft_reset_o <= control_write && s_axil_wdata[1];

      if (write && write_addr == RegIrqEnable && s_axil_wstrb[0]) irq_enable_q <= s_axil_wdata[1:0];
      for (int unsigned i = 0; i < Words; i++) begin
        if (write && 32'(write_addr) == 32'(RegProgramCount) + 4 * i) begin
          for (int unsigned b = 0; b < 4; b++) begin
            if (s_axil_wstrb[b]) word_q[i][8*b+:8] <= s_axil_wdata[8*b+:8];
          end
        end
      end

      if (write && write_addr == RegIrqStatus && s_axil_wstrb[0]) begin
        irq_status_q <= irq_status_q & ~s_axil_wdata[1:0];
      end
      if (begin_i) begin
        done_q  <= 1'b0;
        fault_q <= FaultNone;
      end
      if (done_i) begin
        done_q          <= 1'b1;
        irq_status_q[0] <= 1'b1;
      end
      if (fault_i && fault_q == FaultNone) begin
        fault_q         <= fault_code_i;
        irq_status_q[1] <= 1'b1;
      end
      if (soft_reset_o) begin
        done_q       <= 1'b0;
        fault_q      <= FaultNone;
        irq_status_q <= '0;
      end
    end
  end

  assign irq_o           = |(irq_enable_q & irq_status_q);
  assign program_count_o = word_q[0];
  assign program_addr_o  = {word_q[2][7:0], word_q[1]};
  for (genvar b = 0; b < 4; b++) begin : gen_base
    assign base_o[b] = {word_q[4+2*b][7:0], word_q[3+2*b]};
  end

  // Read: the address is registered, then the value.
  logic        read_q, rvalid_q;
  logic [11:0] read_addr_q;
  logic [31:0] rdata_q, value;

  assign s_axil_arready = !read_q && !rvalid_q;
  assign s_axil_rvalid  = rvalid_q;
  assign s_axil_rdata   = rdata_q;
  assign s_axil_rresp   = 2'b00;

  always_comb begin
    value = '0;
    unique case (read_addr_q)
      RegMagic:      value = Magic;
      RegIsaVersion: value = 32'(IsaVersion);
      RegConfigLo:   value = ConfigDigest[31:0];
      RegConfigHi:   value = ConfigDigest[63:32];
      RegStatus:     value = {29'b0, fault_q != FaultNone, done_q, busy_i};
      RegFault:      value = 32'(fault_q);
      RegIrqEnable:  value = 32'(irq_enable_q);
      RegIrqStatus:  value = 32'(irq_status_q);
      RegCycles:     value = cycles_i;
      RegReadBeats:  value = read_beats_i;
      RegWriteBeats: value = write_beats_i;
      default: begin
        for (int unsigned i = 0; i < Words; i++) begin
          if (32'(read_addr_q) == 32'(RegProgramCount) + 4 * i) value = word_q[i];
        end
        for (int unsigned u = 0; u < NumUnits; u++) begin
          if (32'(read_addr_q) == 32'(RegLoadCount) + 16 * u)   value = done_count_i[u];
          if (32'(read_addr_q) == 32'(RegLoadBusy) + 16 * u)    value = active_i[u];
          if (32'(read_addr_q) == 32'(RegLoadWaitDep) + 16 * u) value = wait_dep_i[u];
          if (32'(read_addr_q) == 32'(RegLoadStall) + 16 * u)   value = stall_i[u];
        end
      end
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q      <= 1'b0;
      rvalid_q    <= 1'b0;
      read_addr_q <= '0;
      rdata_q     <= '0;
    end else begin
      read_q <= s_axil_arvalid && s_axil_arready;
      if (s_axil_arvalid && s_axil_arready) read_addr_q <= {s_axil_araddr[11:2], 2'b00};
      if (read_q) begin
        rvalid_q <= 1'b1;
        rdata_q  <= value;
      end else if (s_axil_rready) begin
        rvalid_q <= 1'b0;
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   s_axil_rvalid && !s_axil_rready |=> s_axil_rvalid && $stable(s_axil_rdata))
    else $error("hao_regs: read data changed while it waited");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   s_axil_bvalid && !s_axil_bready |=> s_axil_bvalid)
    else $error("hao_regs: a write answer was withdrawn");
  assert property (@(posedge clk_i) disable iff (!rst_ni) fault_i |-> fault_code_i != FaultNone)
    else $error("hao_regs: a fault without a code");
`endif
  logic unused;
  assign unused = ^{s_axil_awaddr[1:0], s_axil_araddr[1:0], word_q[2][31:8], word_q[4][31:8],
                    word_q[6][31:8], word_q[8][31:8], word_q[10][31:8]};

endmodule
