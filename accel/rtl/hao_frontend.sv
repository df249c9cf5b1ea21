// Everything before the units: registers, run control, counters, program fetch, the unit queues,
// and the two DMA sides.
module hao_frontend
  import hao_pkg::*;
#(
  parameter int unsigned QueueDepth   = 16,
  parameter int unsigned MaxBurst     = 64,
  parameter int unsigned Outstanding  = 4,
  parameter logic [63:0] ConfigDigest = 64'h0
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  output logic         irq_o,
  output logic         clear_o,     // synchronous reset of all that is not a register
  output logic [39:0]  base_o [4],  // DRAM bases

  // Units: instructions whose dependencies are met
  output logic [NumUnits-1:0]  unit_valid_o,
  input  logic [NumUnits-1:0]  unit_ready_i,
  output logic [InstrBits-1:0] unit_instr_o [NumUnits],
  input  logic [NumUnits-1:0]  unit_done_i,
  input  logic [NumUnits-1:0]  unit_stall_i,

  // LOAD's side of the read DMA, STORE's of the write DMA
  input  logic         load_req_valid_i,
  output logic         load_req_ready_o,
  input  logic [39:0]  load_req_addr_i,
  input  logic [15:0]  load_req_words_i,
  output logic         load_valid_o,
  input  logic         load_ready_i,
  output logic [127:0] load_data_o,
  input  logic         store_req_valid_i,
  output logic         store_req_ready_o,
  input  logic [39:0]  store_req_addr_i,
  input  logic [15:0]  store_req_words_i,
  input  logic         store_valid_i,
  output logic         store_ready_o,
  input  logic [127:0] store_data_i,
  output logic         store_done_o,

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

  logic        start, soft_reset, run_begin, run_end, illegal, halt, drain, clear;
  logic        busy, done, fault, fault_q;
  fault_e      fault_code, fault_code_q;
  logic [NumUnits-1:0] stall_q, queue_empty, unit_active;
  logic        idle_q;

  // A fault reaches the registers, a stall the counters, and END that the units are done, a cycle
  // later. END's words come after those of the instruction before it, so it sees that one.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fault_q      <= 1'b0;
      fault_code_q <= FaultNone;
      stall_q      <= '0;
      idle_q       <= 1'b0;
    end else begin
      fault_q      <= fault;
      fault_code_q <= fault_code;
      stall_q      <= unit_stall_i;
      idle_q       <= &queue_empty && unit_active == '0;
    end
  end
  logic [31:0] program_count;
  logic [39:0] program_addr;

  logic [NumUnits-1:0]  queue_valid, queue_ready, unit_wait;
  logic [InstrBits-1:0] queue_instr;
  logic [31:0]          cycles, read_beats, write_beats;
  logic [31:0]          done_count [NumUnits], active_count [NumUnits];
  logic [31:0]          wait_count [NumUnits], stall_count [NumUnits];
  logic [DepBits-1:0]   completed [NumUnits];

  // Read DMA clients: fetch 0, LOAD 1.
  logic [1:0]   read_req_valid, read_req_ready, read_valid, read_ready;
  logic [39:0]  read_req_addr [2];
  logic [15:0]  read_req_words [2];
  logic [127:0] read_data [2];
  logic         read_idle, read_beat, read_fault, write_idle, write_beat, write_fault;

  assign clear_o           = clear;
  assign read_req_valid[1] = load_req_valid_i;
  assign read_req_addr[1]  = load_req_addr_i;
  assign read_req_words[1] = load_req_words_i;
  assign read_ready[1]     = load_ready_i;
  assign load_req_ready_o  = read_req_ready[1];
  assign load_valid_o      = read_valid[1];
  assign load_data_o       = read_data[1];

  hao_regs #(
    .ConfigDigest(ConfigDigest)
  ) u_regs (
    .clk_i,
    .rst_ni,
    .irq_o,
    .start_o        (start),
    .soft_reset_o   (soft_reset),
    .program_count_o(program_count),
    .program_addr_o (program_addr),
    .base_o,
    .begin_i        (run_begin),
    .busy_i         (busy),
    .done_i         (done),
    .fault_i        (fault_q),
    .fault_code_i   (fault_code_q),
    .cycles_i       (cycles),
    .done_count_i   (done_count),
    .active_i       (active_count),
    .wait_dep_i     (wait_count),
    .stall_i        (stall_count),
    .read_beats_i   (read_beats),
    .write_beats_i  (write_beats),
    .*  // s_axil
  );

  hao_control u_control (
    .clk_i,
    .rst_ni,
    .start_i      (start),
    .soft_reset_i (soft_reset),
    .end_i        (run_end),
    .read_fault_i (read_fault),
    .write_fault_i(write_fault),
    .illegal_i    (illegal),
    .active_i     (unit_active),
    .dma_idle_i   (read_idle && write_idle),
    .begin_o      (run_begin),
    .halt_o       (halt),
    .drain_o      (drain),
    .clear_o      (clear),
    .busy_o       (busy),
    .done_o       (done),
    .fault_o      (fault),
    .fault_code_o (fault_code)
  );

  hao_counters u_counters (
    .clk_i,
    .rst_ni,
    .start_i      (run_begin),
    .busy_i       (busy),
    .done_i       (unit_done_i),
    .active_i     (unit_active),
    .wait_dep_i   (unit_wait),
    .stall_i      (stall_q),
    .read_beat_i  (read_beat),
    .write_beat_i (write_beat),
    .cycles_o     (cycles),
    .done_o       (done_count),
    .active_o     (active_count),
    .wait_dep_o   (wait_count),
    .stall_o      (stall_count),
    .read_beats_o (read_beats),
    .write_beats_o(write_beats)
  );

  hao_fetch u_fetch (
    .clk_i,
    .rst_ni,
    .clear_i      (clear),
    .begin_i      (run_begin),
    .halt_i       (halt),
    .addr_i       (program_addr),
    .count_i      (program_count),
    .end_o        (run_end),
    .illegal_o    (illegal),
    .req_valid_o  (read_req_valid[0]),
    .req_ready_i  (read_req_ready[0]),
    .req_addr_o   (read_req_addr[0]),
    .req_words_o  (read_req_words[0]),
    .data_valid_i (read_valid[0]),
    .data_ready_o (read_ready[0]),
    .data_i       (read_data[0]),
    .instr_valid_o(queue_valid),
    .instr_ready_i(queue_ready),
    .instr_o      (queue_instr),
    .units_idle_i (idle_q)
  );

  for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_unit
    assign completed[u] = done_count[u][DepBits-1:0];

    hao_issue #(
      .QueueDepth(QueueDepth)
    ) u_issue (
      .clk_i,
      .rst_ni,
      .clear_i     (clear),
      .halt_i      (halt),
      .in_valid_i  (queue_valid[u]),
      .in_ready_o  (queue_ready[u]),
      .in_instr_i  (queue_instr),
      .done_count_i(completed),
      .out_valid_o (unit_valid_o[u]),
      .out_ready_i (unit_ready_i[u]),
      .out_instr_o (unit_instr_o[u]),
      .done_i      (unit_done_i[u]),
      .empty_o     (queue_empty[u]),
      .active_o    (unit_active[u]),
      .wait_dep_o  (unit_wait[u])
    );
  end

  hao_read_dma #(
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding)
  ) u_read_dma (
    .clk_i,
    .rst_ni,
    .clear_i    (clear),
    .drain_i    (drain),
    .idle_o     (read_idle),
    .beat_o     (read_beat),
    .fault_o    (read_fault),
    .req_valid_i(read_req_valid),
    .req_ready_o(read_req_ready),
    .req_addr_i (read_req_addr),
    .req_words_i(read_req_words),
    .out_valid_o(read_valid),
    .out_ready_i(read_ready),
    .out_data_o (read_data),
    .*  // m_axi
  );

  hao_write_dma #(
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding)
  ) u_write_dma (
    .clk_i,
    .rst_ni,
    .clear_i    (clear),
    .drain_i    (drain),
    .idle_o     (write_idle),
    .beat_o     (write_beat),
    .fault_o    (write_fault),
    .req_valid_i(store_req_valid_i),
    .req_ready_o(store_req_ready_o),
    .req_addr_i (store_req_addr_i),
    .req_words_i(store_req_words_i),
    .in_valid_i (store_valid_i),
    .in_ready_o (store_ready_o),
    .in_data_i  (store_data_i),
    .done_o     (store_done_o),
    .*  // m_axi
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   run_begin |-> &queue_empty && unit_active == '0 && read_idle && write_idle)
    else $error("hao_frontend: a program begins while another is not over");
`endif

endmodule
