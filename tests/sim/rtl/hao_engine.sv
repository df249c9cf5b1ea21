// A copy engine with the ports and registers of the real one: copies PROGRAM_COUNT words from INPUT
// to OUTPUT. It puts known traffic on the simulated board, and breaks one rule of AXI on demand:
// SCRATCH_LO selects the breach, SCRATCH_HI the traffic (0 copy, 1 read only, 2 write only).
module hao_engine #(
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
  parameter logic [63:0] ConfigDigest = 64'd0,
  parameter bit TapEnable = 1'b0
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  output logic         irq_o,
  input  logic [ 11:0] s_axil_awaddr,
  input  logic         s_axil_awvalid,
  output logic         s_axil_awready,
  input  logic [ 31:0] s_axil_wdata,
  input  logic [  3:0] s_axil_wstrb,
  input  logic         s_axil_wvalid,
  output logic         s_axil_wready,
  output logic [  1:0] s_axil_bresp,
  output logic         s_axil_bvalid,
  input  logic         s_axil_bready,
  input  logic [ 11:0] s_axil_araddr,
  input  logic         s_axil_arvalid,
  output logic         s_axil_arready,
  output logic [ 31:0] s_axil_rdata,
  output logic [  1:0] s_axil_rresp,
  output logic         s_axil_rvalid,
  input  logic         s_axil_rready,
  output logic [ 39:0] m_axi_araddr,
  output logic [  7:0] m_axi_arlen,
  output logic [  2:0] m_axi_arsize,
  output logic [  1:0] m_axi_arburst,
  output logic [  3:0] m_axi_arcache,
  output logic [  2:0] m_axi_arprot,
  output logic         m_axi_arvalid,
  input  logic         m_axi_arready,
  input  logic [127:0] m_axi_rdata,
  input  logic [  1:0] m_axi_rresp,
  input  logic         m_axi_rlast,
  input  logic         m_axi_rvalid,
  output logic         m_axi_rready,
  output logic [ 39:0] m_axi_awaddr,
  output logic [  7:0] m_axi_awlen,
  output logic [  2:0] m_axi_awsize,
  output logic [  1:0] m_axi_awburst,
  output logic [  3:0] m_axi_awcache,
  output logic [  2:0] m_axi_awprot,
  output logic         m_axi_awvalid,
  input  logic         m_axi_awready,
  output logic [127:0] m_axi_wdata,
  output logic [ 15:0] m_axi_wstrb,
  output logic         m_axi_wlast,
  output logic         m_axi_wvalid,
  input  logic         m_axi_wready,
  input  logic [  1:0] m_axi_bresp,
  input  logic         m_axi_bvalid,
  output logic         m_axi_bready
);

  import "DPI-C" function void hao_tap(
    input int unit,
    input int seq,
    input int p,
    input bit [127:0] data
  );

  typedef enum logic [4:0] {
    Honest, DropArvalid, MoveAraddr, CrossPage, EarlyWlast, MoveWdata, LongBurst, Hang,
    NarrowRead, ManyReads, DropAwvalid, MoveAwaddr, CrossPageWrite, LongWrite, NarrowWrite,
    ManyWrites, DropWvalid
  } breach_e;

  // ------------------------------------------------------------------------------------ registers
  logic [31:0] regs_q[64];
  logic busy_q, done_q, fault_q, start;
  logic [31:0] cycles_q;
  breach_e breach;
  logic [1:0] traffic;

  assign breach = breach_e'(regs_q[6'h12][4:0]);
  assign traffic = regs_q[6'h13][1:0];
  assign s_axil_awready = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
  assign s_axil_wready = s_axil_awready;
  assign s_axil_bresp = 2'b00;
  assign s_axil_rresp = 2'b00;
  assign s_axil_arready = !s_axil_rvalid;
  assign start = s_axil_awready && s_axil_awaddr == 12'h010 && s_axil_wdata[0];
  assign irq_o = (done_q && regs_q[6'h07][0]) || (fault_q && regs_q[6'h07][1]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s_axil_bvalid <= 1'b0;
      s_axil_rvalid <= 1'b0;
      s_axil_rdata  <= '0;
      for (int unsigned i = 0; i < 64; i++) regs_q[i] <= '0;
    end else begin
      if (s_axil_bready) s_axil_bvalid <= 1'b0;
      if (s_axil_rready) s_axil_rvalid <= 1'b0;
      if (s_axil_awready) begin
        s_axil_bvalid                <= 1'b1;
        regs_q[s_axil_awaddr[7:2]] <= s_axil_wdata;
      end
      if (s_axil_arvalid && s_axil_arready) begin
        s_axil_rvalid <= 1'b1;
        unique case (s_axil_araddr)
          12'h000: s_axil_rdata <= 32'h4841_4F31;
          12'h004: s_axil_rdata <= 32'd1;
          12'h008: s_axil_rdata <= ConfigDigest[31:0];
          12'h00C: s_axil_rdata <= ConfigDigest[63:32];
          12'h014: s_axil_rdata <= {29'd0, fault_q, done_q, busy_q};
          12'h018: s_axil_rdata <= fault_q ? 32'd1 : 32'd0;
          12'h080: s_axil_rdata <= cycles_q;
          default: s_axil_rdata <= regs_q[s_axil_araddr[7:2]];
        endcase
      end
    end
  end

  // -------------------------------------------------------------------------------------- traffic
  logic [39:0] ar_addr_q, aw_addr_q, w_addr_q;
  logic [31:0] ar_left_q, aw_left_q, w_left_q, r_left_q, b_left_q;
  logic [7:0] reads_q, writes_q, w_beat_q;
  logic held_q, aw_held_q;
  breach_e write_kind;
  logic ar, r, aw, w, b, reads, writes;

  assign reads = traffic != 2'd2;
  assign writes = traffic != 2'd1;

  function automatic logic [8:0] burst(logic [39:0] addr, logic [31:0] left, breach_e kind);
    logic [8:0] beats;
    beats = 9'd256 - 9'(addr[11:4]);
    if (kind == CrossPage || kind == LongBurst || beats > 9'(MaxBurst)) beats = 9'(MaxBurst);
    if (32'(beats) > left) beats = left[8:0];
    if (kind == LongBurst) beats = beats + 9'd1;
    return beats;
  endfunction

  logic [8:0] ar_burst, aw_burst, w_burst;
  assign ar_burst = burst(ar_addr_q, ar_left_q, breach);
  assign write_kind = breach == CrossPageWrite ? CrossPage : breach == LongWrite ? LongBurst : Honest;
  assign aw_burst = burst(aw_addr_q, aw_left_q, write_kind);
  assign w_burst = burst(w_addr_q, w_left_q, write_kind);

  assign ar = m_axi_arvalid && m_axi_arready;
  assign r = m_axi_rvalid && m_axi_rready;
  assign aw = m_axi_awvalid && m_axi_awready;
  assign w = m_axi_wvalid && m_axi_wready;
  assign b = m_axi_bvalid && m_axi_bready;

  assign m_axi_arvalid = busy_q && reads && ar_left_q != '0
                         && (reads_q < 8'(Outstanding) || breach == ManyReads)
                         && !(breach == DropArvalid && held_q);
  assign m_axi_araddr = breach == MoveAraddr && held_q ? ar_addr_q + 40'd64 : ar_addr_q;
  assign m_axi_arlen = 8'(ar_burst - 9'd1);
  assign m_axi_arsize = breach == NarrowRead ? 3'd3 : 3'd4;
  assign m_axi_awvalid = busy_q && writes && aw_left_q != '0
                         && (writes_q < 8'(Outstanding) || breach == ManyWrites)
                         && !(breach == DropAwvalid && aw_held_q);
  assign m_axi_awaddr = breach == MoveAwaddr && aw_held_q ? aw_addr_q + 40'd64 : aw_addr_q;
  assign m_axi_awlen = 8'(aw_burst - 9'd1);
  assign m_axi_wvalid = busy_q && writes && w_left_q != '0 && (!reads || m_axi_rvalid)
                        && !(breach == DropWvalid && held_q);
  assign m_axi_wdata = (reads ? m_axi_rdata : {4{w_left_q}}) ^ 128'(breach == MoveWdata && held_q);
  assign m_axi_wlast = 9'(w_beat_q) + 9'd1 == w_burst - 9'(breach == EarlyWlast && w_burst > 9'd1);
  assign m_axi_rready = !writes || (m_axi_wready && w_left_q != '0);
  assign m_axi_bready = 1'b1;
  assign m_axi_awsize = breach == NarrowWrite ? 3'd3 : 3'd4;
  assign m_axi_arburst = 2'b01;
  assign m_axi_awburst = 2'b01;
  assign m_axi_wstrb = '1;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_arprot = '0;
  assign m_axi_awprot = '0;

  logic [7:0] next_beat;
  assign next_beat = w_beat_q + 8'd1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {busy_q, done_q, fault_q, held_q, aw_held_q} <= '0;
      {ar_addr_q, aw_addr_q, w_addr_q} <= '0;
      {ar_left_q, aw_left_q, w_left_q, r_left_q, b_left_q} <= '0;
      {reads_q, writes_q, w_beat_q, cycles_q} <= '0;
    end else begin
      held_q <= (m_axi_arvalid && !m_axi_arready) || (m_axi_wvalid && !m_axi_wready);
      aw_held_q <= m_axi_awvalid && !m_axi_awready;
      reads_q <= reads_q + 8'(ar) - 8'(r && m_axi_rlast);
      writes_q <= writes_q + 8'(aw) - 8'(b);
      if (busy_q) cycles_q <= cycles_q + 32'd1;
      if (ar) begin
        ar_addr_q <= ar_addr_q + {27'd0, ar_burst, 4'd0};
        ar_left_q <= ar_left_q - 32'(ar_burst);
      end
      if (aw) begin
        aw_addr_q <= aw_addr_q + {27'd0, aw_burst, 4'd0};
        aw_left_q <= aw_left_q - 32'(aw_burst);
        b_left_q  <= b_left_q + 32'd1 - 32'(b);
      end else if (b) begin
        b_left_q <= b_left_q - 32'd1;
      end
      if (r) begin
        r_left_q <= r_left_q - 32'd1;
        if (TapEnable) hao_tap(1, 0, int'(regs_q[6'h09] - r_left_q), m_axi_rdata);
        if (m_axi_rresp != 2'b00) fault_q <= 1'b1;
      end
      if (w) begin
        w_beat_q <= m_axi_wlast ? '0 : next_beat;
        if (m_axi_wlast) begin
          w_addr_q <= w_addr_q + {28'd0, next_beat, 4'd0};
          w_left_q <= w_left_q - 32'(next_beat);
        end
      end
      if (b && m_axi_bresp != 2'b00) fault_q <= 1'b1;
      if (busy_q && r_left_q == '0 && aw_left_q == '0 && w_left_q == '0 && b_left_q == '0
          && breach != Hang) begin
        busy_q <= 1'b0;
        done_q <= 1'b1;
      end
      if (s_axil_awready && s_axil_awaddr == 12'h020 && s_axil_wdata[0]) done_q <= 1'b0;
      if (start) begin
        {busy_q, done_q, fault_q} <= 3'b100;
        cycles_q  <= '0;
        ar_addr_q <= {regs_q[6'h0F][7:0], regs_q[6'h0E]};
        aw_addr_q <= {regs_q[6'h11][7:0], regs_q[6'h10]};
        w_addr_q  <= {regs_q[6'h11][7:0], regs_q[6'h10]};
        ar_left_q <= reads ? regs_q[6'h09] : '0;
        r_left_q  <= reads ? regs_q[6'h09] : '0;
        aw_left_q <= writes ? regs_q[6'h09] : '0;
        w_left_q  <= writes ? regs_q[6'h09] : '0;
        b_left_q  <= '0;
      end
    end
  end

endmodule
