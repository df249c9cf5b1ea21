// hao_regs: AXI4-Lite answers (one each, held until taken, within two cycles), pulses, and
// interrupt and status bits that no event is lost from.
module formal_regs
  import hao_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic [11:0] awaddr_i,
  input logic        awvalid_i,
  input logic [31:0] wdata_i,
  input logic [3:0]  wstrb_i,
  input logic        wvalid_i,
  input logic        bready_i,
  input logic [11:0] araddr_i,
  input logic        arvalid_i,
  input logic        rready_i,
  input logic        begin_i,
  input logic        busy_i,
  input logic        done_i,
  input logic        fault_i,
  input logic [2:0]  code_i,
  input logic [31:0] count_i
);

  logic        started_q = 1'b0;
  logic        irq, awready, wready, bvalid, arready, rvalid, start, resets;
  logic [1:0]  bresp, rresp;
  logic [31:0] rdata, program_count;
  logic [39:0] program_addr, base [4];
  logic [31:0] counts [NumUnits];
  fault_e      code;

  for (genvar u = 0; u < int'(NumUnits); u++) begin : gen_counts
    assign counts[u] = count_i;
  end
  assign code = fault_e'(code_i);

  hao_regs u_dut (
    .clk_i,
    .rst_ni,
    .irq_o          (irq),
    .s_axil_awaddr  (awaddr_i),
    .s_axil_awvalid (awvalid_i),
    .s_axil_awready (awready),
    .s_axil_wdata   (wdata_i),
    .s_axil_wstrb   (wstrb_i),
    .s_axil_wvalid  (wvalid_i),
    .s_axil_wready  (wready),
    .s_axil_bresp   (bresp),
    .s_axil_bvalid  (bvalid),
    .s_axil_bready  (bready_i),
    .s_axil_araddr  (araddr_i),
    .s_axil_arvalid (arvalid_i),
    .s_axil_arready (arready),
    .s_axil_rdata   (rdata),
    .s_axil_rresp   (rresp),
    .s_axil_rvalid  (rvalid),
    .s_axil_rready  (rready_i),
    .start_o        (start),
    .soft_reset_o   (resets),
    .program_count_o(program_count),
    .program_addr_o (program_addr),
    .base_o         (base),
    .begin_i,
    .busy_i,
    .done_i,
    .fault_i,
    .fault_code_i   (code),
    .cycles_i       (count_i),
    .done_count_i   (counts),
    .active_i       (counts),
    .wait_dep_i     (counts),
    .stall_i        (counts),
    .read_beats_i   (count_i),
    .write_beats_i  (count_i)
  );

  logic        aw, ar, b, r, control, hold_b_q, hold_r_q, past_q, soft_q;
  logic        start_wanted_q, soft_wanted_q, done_q, fault_q, any_fault_q;
  logic [1:0]  owed_writes_q, owed_reads_q, wait_q;
  logic [1:0]  irq_model_q, enable_model_q;
  logic [31:0] rdata_q;

  assign aw      = awvalid_i && awready;
  assign ar      = arvalid_i && arready;
  assign b       = bvalid && bready_i;
  assign r       = rvalid && rready_i;
  assign control = aw && {awaddr_i[11:2], 2'b00} == RegControl && wstrb_i[0];

  always_ff @(posedge clk_i) started_q <= 1'b1;
  always_ff @(posedge clk_i) rdata_q <= rdata;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {owed_writes_q, owed_reads_q, wait_q, hold_b_q, hold_r_q, past_q} <= '0;
      {start_wanted_q, soft_wanted_q, done_q, fault_q, any_fault_q, soft_q} <= '0;
      {irq_model_q, enable_model_q} <= '0;
    end else begin
      past_q         <= 1'b1;
      soft_q         <= resets;
      owed_writes_q  <= owed_writes_q + 2'(aw) - 2'(b);
      owed_reads_q   <= owed_reads_q + 2'(ar) - 2'(r);
      wait_q         <= owed_reads_q != '0 && !rvalid ? wait_q + 2'd1 : '0;
      hold_b_q       <= bvalid && !bready_i;
      hold_r_q       <= rvalid && !rready_i;
      start_wanted_q <= control && wdata_i[1:0] == 2'b01;
      soft_wanted_q  <= control && wdata_i[1];
      done_q         <= done_i && !resets;
      fault_q        <= fault_i && !resets;
      if (aw && {awaddr_i[11:2], 2'b00} == RegIrqStatus && wstrb_i[0]) begin
        irq_model_q <= irq_model_q & ~wdata_i[1:0];
      end
      if (done_i) irq_model_q[0] <= 1'b1;
      if (fault_i && u_dut.fault_q == FaultNone) irq_model_q[1] <= 1'b1;
      if (resets) irq_model_q <= '0;
      if (resets || begin_i) any_fault_q <= fault_i && !resets && begin_i && any_fault_q;
      else if (fault_i) any_fault_q <= 1'b1;
      if (aw && {awaddr_i[11:2], 2'b00} == RegIrqEnable && wstrb_i[0]) enable_model_q <= wdata_i[1:0];
    end
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (fault_i) assume (code != FaultNone);
    if (begin_i) assume (!fault_i && !done_i);
    if (rst_ni) begin
      address_and_data_together: assert (awready == wready && (!awready || (awvalid_i && wvalid_i)));
      one_answer_a_write:        assert (owed_writes_q <= 2'd1 && bvalid == (owed_writes_q != '0));
      one_answer_a_read:         assert (owed_reads_q <= 2'd1 && (!rvalid || owed_reads_q != '0));
      read_within_two_cycles:    assert (wait_q <= 2'd1);
      write_answer_is_held:      assert (!hold_b_q || bvalid);
      read_answer_is_held:       assert (!hold_r_q || (rvalid && rdata == rdata_q));
      always_okay:               assert (bresp == 2'b00 && rresp == 2'b00);
      write_never_blocked:       assert (!(awvalid_i && wvalid_i && owed_writes_q == '0) || awready);
      read_never_blocked:        assert (owed_reads_q != '0 || arready);
      start_pulse:               assert (!past_q || start == start_wanted_q);
      soft_reset_pulse:          assert (!past_q || resets == soft_wanted_q);
      never_both:                assert (!(start && resets));
      done_raises_status:        assert (!done_q || (u_dut.irq_status_q[0] && u_dut.done_q));
      fault_raises_status:       assert (!fault_q || u_dut.fault_q != FaultNone);
      fault_is_kept:             assert (!any_fault_q || u_dut.fault_q != FaultNone);
      soft_reset_cleans: assert (!soft_q || (u_dut.irq_status_q == '0 && u_dut.fault_q == FaultNone &&
                                             !u_dut.done_q));
      status_is_kept_until_cleared: assert (u_dut.irq_status_q == irq_model_q);
      interrupt_is_status_and_enable: assert (irq == |(enable_model_q & u_dut.irq_status_q));
      reach_interrupt:           assert (!(irq && !done_q));
    end
  end

endmodule
