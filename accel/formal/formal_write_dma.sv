// hao_write_dma against any memory that answers once a burst, after its address and last beat: AXI4
// rules of the write channels, as many beats as promised, done once a request, nothing owed when
// idle, empty strobes while draining. Assumed of the engine: clear_i only when idle and drained.
// For the bound: the memory never waits.
module formal_write_dma #(
  parameter int unsigned MaxBurst    = 4,
  parameter int unsigned Outstanding = 2,
  parameter bit          Fair        = 1'b0
) (
  input logic         clk_i,
  input logic         rst_ni,
  input logic         clear_i,
  input logic         drain_i,
  input logic         req_valid_i,
  input logic [39:0]  req_addr_i,
  input logic [15:0]  req_words_i,
  input logic         in_valid_i,
  input logic [127:0] in_data_i,
  input logic         awready_i,
  input logic         wready_i,
  input logic         bvalid_i,
  input logic [1:0]   bresp_i
);

  localparam int unsigned Count = $clog2(Outstanding + 1);

  logic         started_q = 1'b0;
  logic         idle, beat, fault, req_ready, in_ready, done, awvalid, wlast, wvalid, bvalid, bready;
  logic [39:0]  awaddr, awaddr_q;
  logic [7:0]   awlen, awlen_q;
  logic [2:0]   awsize, awprot;
  logic [1:0]   awburst;
  logic [3:0]   awcache;
  logic [127:0] wdata, wdata_q;
  logic [15:0]  wstrb, wstrb_q;

  hao_write_dma #(
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .drain_i,
    .idle_o       (idle),
    .beat_o       (beat),
    .fault_o      (fault),
    .req_valid_i,
    .req_ready_o  (req_ready),
    .req_addr_i,
    .req_words_i,
    .in_valid_i,
    .in_ready_o   (in_ready),
    .in_data_i,
    .done_o       (done),
    .m_axi_awaddr (awaddr),
    .m_axi_awlen  (awlen),
    .m_axi_awsize (awsize),
    .m_axi_awburst(awburst),
    .m_axi_awcache(awcache),
    .m_axi_awprot (awprot),
    .m_axi_awvalid(awvalid),
    .m_axi_awready(awready_i),
    .m_axi_wdata  (wdata),
    .m_axi_wstrb  (wstrb),
    .m_axi_wlast  (wlast),
    .m_axi_wvalid (wvalid),
    .m_axi_wready (wready_i),
    .m_axi_bresp  (bresp_i),
    .m_axi_bvalid (bvalid),
    .m_axi_bready (bready)
  );

  // Bursts from issue to answer, oldest first: length, last of its request.
  typedef struct packed {
    logic       last;
    logic [7:0] len;
  } flight_t;
  flight_t          flight_q [Outstanding], flight_d [Outstanding];
  logic [Count-1:0] flights_q, address_q, sent_q;  // in flight; address accepted; data sent
  logic [7:0]       beat_q;                        // of the burst whose data is on the bus
  logic             aw, w, b, issue, hold_aw_q, hold_w_q, wlast_q, drained_q, was_drain_q, was_aw_q;
  logic [15:0]      open_q;                        // requests taken and not done
  logic [5:0]       drain_q;
  logic             req;

  assign issue  = u_dut.issue;
  assign aw     = awvalid && awready_i;
  assign w      = wvalid && wready_i;
  assign bvalid = bvalid_i && address_q != '0 && sent_q != '0;
  assign b      = bvalid && bready;
  assign req    = req_valid_i && req_ready;

  always_comb begin
    flight_d = flight_q;
    if (b) begin
      for (int unsigned i = 0; i + 1 < Outstanding; i++) flight_d[i] = flight_q[i+1];
    end
    if (issue) begin
      for (int unsigned i = 0; i < Outstanding; i++) begin
        if (32'(flights_q - Count'(b)) == i) begin
          flight_d[i] = '{last: u_dut.burst_last, len: 8'(u_dut.burst_beats - 9'd1)};
        end
      end
    end
  end

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < Outstanding; i++) flight_q[i] <= '0;
      {flights_q, address_q, sent_q, beat_q, hold_aw_q, hold_w_q, drained_q} <= '0;
      {was_drain_q, was_aw_q, open_q, drain_q} <= '0;
    end else begin
      flight_q    <= flight_d;
      flights_q   <= flights_q + Count'(issue) - Count'(b);
      address_q   <= address_q + Count'(aw) - Count'(b);
      sent_q      <= sent_q + Count'(w && wlast) - Count'(b);
      if (w) beat_q <= wlast ? '0 : beat_q + 8'd1;
      hold_aw_q   <= awvalid && !awready_i;
      hold_w_q    <= wvalid && !wready_i;
      drained_q   <= idle && drain_i;
      was_drain_q <= drain_i;
      was_aw_q    <= awvalid;
      drain_q     <= drain_i && !idle ? drain_q + 6'd1 : '0;
      // clearing forgets what was never asked of the bus
      open_q      <= clear_i ? '0 : open_q + 16'(req) - 16'(done);
    end
  end

  always_ff @(posedge clk_i) begin
    awaddr_q <= awaddr;
    awlen_q  <= awlen;
    wdata_q  <= wdata;
    wstrb_q  <= wstrb;
    wlast_q  <= wlast;
  end

  logic [7:0] len_now;  // of the burst whose data is on the bus
  always_comb begin
    len_now = '0;
    for (int unsigned i = 0; i < Outstanding; i++) begin
      if (32'(sent_q) == i) len_now = flight_q[i].len;
    end
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (clear_i) assume (idle && drain_i);
    if (req_valid_i) assume (req_words_i != '0 && req_addr_i[3:0] == '0);
    if (Fair) assume (awready_i && wready_i && bvalid_i);
    if (rst_ni) begin
      address_is_held: assert (!hold_aw_q || (awvalid && awaddr == awaddr_q && awlen == awlen_q));
      data_is_held:    assert (!hold_w_q || (wvalid && wdata == wdata_q && wstrb == wstrb_q &&
                                             wlast == wlast_q));
      burst_inside_4_kib:  assert (!awvalid || 13'(awaddr[11:4]) + 13'(awlen) < 13'd256);
      burst_not_too_long:  assert (!awvalid || 32'(awlen) < MaxBurst);
      burst_is_aligned:    assert (!awvalid || (awaddr[3:0] == '0 && awsize == 3'd4 &&
                                                awburst == 2'b01));
      flights_are_limited: assert (32'(flights_q) <= Outstanding);
      address_of_a_flight: assert (flights_q == address_q + Count'(awvalid));
      address_is_the_newest: assert (!awvalid || awlen == flight_q[flights_q-Count'(1)].len);
      data_of_a_flight:    assert (sent_q <= flights_q && (!wvalid || sent_q < flights_q));
      last_where_promised: assert (!wvalid || wlast == (beat_q == len_now));
      beat_inside_burst:   assert (beat_q == '0 || (sent_q < flights_q && beat_q <= len_now));
      sent_is_counted:     assert (u_dut.sent_q == (wvalid ? (wlast ? '0 : beat_q + 8'd1) : beat_q));
      data_queue_matches:  assert (u_dut.data_level + sent_q + Count'(wvalid && wlast) ==
                                   flights_q);
      data_head_matches:   assert (u_dut.data_level == '0 || u_dut.data_len ==
                                   flight_q[sent_q+Count'(wvalid && wlast)].len);
      answers_match:       assert (u_dut.answer_level == flights_q);
      answer_head_matches: assert (flights_q == '0 || u_dut.answer_last == flight_q[0].last);
      always_ready:        assert (bready);
      strobes_all_or_none: assert (wstrb == '0 || wstrb == '1);
      idle_owes_nothing:   assert (idle == (flights_q == '0 && !awvalid && !wvalid));
      drained_stays_idle:  assert (!drained_q || !drain_i || idle);
      no_address_in_drain: assert (!(was_drain_q && drain_i && awvalid) || was_aw_q);
      no_data_in_drain:    assert (!drain_i || !in_ready);
      done_with_last:      assert (done == (bvalid && flight_q[0].last));
      done_of_a_request:   assert (!done || open_q != '0);
      error_is_reported:   assert (fault == (bvalid && bresp_i[1]));
      beats_are_told:      assert (beat == w);
      fair_bus_drains:     assert (!Fair || 32'(drain_q) <= MaxBurst * Outstanding + 6);
      reach_full_flight:   assert (!(Fair || (32'(sent_q) == Outstanding)));
      reach_early_data:    assert (!(Fair || (sent_q > address_q)));
    end
  end

endmodule
