// AXI4 write master. A request names address and words; the words follow on a stream of their own,
// and done_o pulses once a request when its last burst has been answered, in order. Draining ends
// bursts on the way with empty strobes.
module hao_write_dma #(
  parameter int unsigned MaxBurst    = 64,
  parameter int unsigned Outstanding = 4
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  input  logic         drain_i,  // start no burst more and finish the open ones without data
  output logic         idle_o,
  output logic         beat_o,   // a beat was taken
  output logic         fault_o,  // an error response came

  input  logic         req_valid_i,
  output logic         req_ready_o,
  input  logic [39:0]  req_addr_i,
  input  logic [15:0]  req_words_i,
  input  logic         in_valid_i,
  output logic         in_ready_o,
  input  logic [127:0] in_data_i,
  output logic         done_o,

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

  logic        burst_valid, burst_last, issue;
  logic [39:0] burst_addr;
  logic [8:0]  burst_beats;

  hao_burst #(
    .MaxBurst(MaxBurst)
  ) u_burst (
    .clk_i,
    .rst_ni,
    .clear_i,
    .req_valid_i,
    .req_ready_o,
    .req_addr_i,
    .req_words_i,
    .burst_valid_o(burst_valid),
    .burst_ready_i(issue),
    .burst_addr_o (burst_addr),
    .burst_beats_o(burst_beats),
    .burst_last_o (burst_last)
  );

  // Bursts whose data is still to be sent, and bursts whose answer is still to come.
  logic                             data_ready, data_valid, data_taken;
  logic                             answer_ready, answer_valid, answer_last;
  logic [7:0]                       data_len;
  logic [$clog2(Outstanding+1)-1:0] data_level, answer_level;

  hao_fifo #(
    .Width(8),
    .Depth(Outstanding)
  ) u_data (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (issue),
    .in_ready_o (data_ready),
    .in_data_i  (8'(burst_beats - 9'd1)),
    .out_valid_o(data_valid),
    .out_ready_i(data_taken),
    .out_data_o (data_len),
    .level_o    (data_level)
  );

  hao_fifo #(
    .Width(1),
    .Depth(Outstanding)
  ) u_answer (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (issue),
    .in_ready_o (answer_ready),
    .in_data_i  (burst_last),
    .out_valid_o(answer_valid),
    .out_ready_i(m_axi_bvalid),
    .out_data_o (answer_last),
    .level_o    (answer_level)
  );

  logic         awvalid_q;
  logic [39:0]  awaddr_q;
  logic [7:0]   awlen_q;

  assign issue = burst_valid && data_ready && answer_ready && !drain_i &&
                 (!awvalid_q || m_axi_awready);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      awvalid_q <= 1'b0;
      awaddr_q  <= '0;
      awlen_q   <= '0;
    end else if (issue) begin
      awvalid_q <= 1'b1;
      awaddr_q  <= burst_addr;
      awlen_q   <= 8'(burst_beats - 9'd1);
    end else if (m_axi_awready) begin
      awvalid_q <= 1'b0;
    end
  end

  logic         wvalid_q, wlast_q, full_q, w_free, w_take;
  logic [127:0] wdata_q;
  logic [7:0]   sent_q;  // beats of the open burst that left

  assign w_free     = !wvalid_q || m_axi_wready;
  assign w_take     = data_valid && w_free && (in_valid_i || drain_i);
  assign in_ready_o = data_valid && w_free && !drain_i;
  assign data_taken = w_take && (sent_q == data_len);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wvalid_q <= 1'b0;
      wlast_q  <= 1'b0;
      full_q   <= 1'b0;
      wdata_q  <= '0;
      sent_q   <= '0;
    end else if (w_take) begin
      wvalid_q <= 1'b1;
      wlast_q  <= (sent_q == data_len);
      full_q   <= !drain_i;
      wdata_q  <= in_data_i;
      sent_q   <= (sent_q == data_len) ? '0 : sent_q + 8'd1;
    end else if (m_axi_wready) begin
      wvalid_q <= 1'b0;
    end
  end

  assign m_axi_awvalid = awvalid_q;
  assign m_axi_awaddr  = awaddr_q;
  assign m_axi_awlen   = awlen_q;
  assign m_axi_awsize  = 3'b100;
  assign m_axi_awburst = 2'b01;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_awprot  = 3'b000;
  assign m_axi_wvalid  = wvalid_q;
  assign m_axi_wdata   = wdata_q;
  assign m_axi_wstrb   = {16{full_q}};
  assign m_axi_wlast   = wlast_q;
  assign m_axi_bready  = 1'b1;

  assign beat_o  = wvalid_q && m_axi_wready;
  assign fault_o = m_axi_bvalid && m_axi_bresp[1];
  assign done_o  = m_axi_bvalid && answer_last;
  assign idle_o  = !awvalid_q && !wvalid_q && !data_valid && !answer_valid;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) m_axi_bvalid |-> answer_valid)
    else $error("hao_write_dma: an answer that nobody waits for");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   awvalid_q && !m_axi_awready |=>
                   awvalid_q && $stable(awaddr_q) && $stable(awlen_q))
    else $error("hao_write_dma: a write address changed while it waited");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   wvalid_q && !m_axi_wready |=> wvalid_q && $stable(wlast_q) && $stable(full_q))
    else $error("hao_write_dma: a beat changed while it waited");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   awvalid_q |-> 13'(awaddr_q[11:4]) + 13'(awlen_q) < 13'd256)
    else $error("hao_write_dma: a burst crosses 4 KiB");
  assert property (@(posedge clk_i) disable iff (!rst_ni) clear_i |-> idle_o && sent_q == '0)
    else $error("hao_write_dma: cleared with a burst under way");
`endif
  logic unused;
  assign unused = ^{data_level, answer_level, m_axi_bresp[0]};

endmodule
