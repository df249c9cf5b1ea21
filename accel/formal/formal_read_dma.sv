// hao_read_dma against any memory that answers in order with the lengths asked for: AXI4 rules of
// the read channels, no beat without room, nothing owed when idle, requests reach the bus whole.
// Assumed of the memory: beats only for accepted addresses, in order, RLAST on the last one; of the
// engine: clear_i only when idle and drained (proven of hao_control), requests of at least one word.
// For the bound: with a client that takes words and a memory that is ready and answers at once.
module formal_read_dma #(
  parameter int unsigned MaxBurst    = 4,
  parameter int unsigned Outstanding = 2,
  parameter bit          Fair        = 1'b0  // the memory and the clients never wait
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        clear_i,
  input logic        drain_i,
  input logic [1:0]  req_valid_i,
  input logic [39:0] req_addr_i [2],
  input logic [15:0] req_words_i [2],
  input logic [1:0]  out_ready_i,
  input logic        arready_i,
  input logic        rvalid_i,
  input logic [1:0]  rresp_i
);

  localparam int unsigned FetchDepth = 64;
  localparam int unsigned LoadDepth  = 1 << $clog2(MaxBurst * (Outstanding > 1 ? Outstanding : 2));
  localparam int unsigned PtrBits    = $clog2(Outstanding + 1);
  localparam int unsigned Patience   = 12;

  logic         started_q = 1'b0;
  logic         idle, beat, fault, arvalid, rready, rvalid, rlast;
  logic [1:0]   req_ready, out_valid, arburst, owed_client;
  logic [39:0]  araddr;
  logic [7:0]   arlen;
  logic [2:0]   arsize, arprot;
  logic [3:0]   arcache;
  logic [127:0] out_data [2];

  // Bursts in flight, oldest first: length, client, and whether its address was accepted.
  typedef struct packed {
    logic       valid;
    logic       client;
    logic [7:0] len;
  } flight_t;
  flight_t            flight_q [Outstanding], flight_d [Outstanding];
  logic [7:0]         beat_q;
  logic [PtrBits-1:0] accepted_q, flights;
  logic [9:0]         owed [2];  // beats that the bus still owes each client
  logic               issue, ar, pop;

  hao_read_dma #(
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
    .out_valid_o  (out_valid),
    .out_ready_i,
    .out_data_o   (out_data),
    .m_axi_araddr (araddr),
    .m_axi_arlen  (arlen),
    .m_axi_arsize (arsize),
    .m_axi_arburst(arburst),
    .m_axi_arcache(arcache),
    .m_axi_arprot (arprot),
    .m_axi_arvalid(arvalid),
    .m_axi_arready(arready_i),
    .m_axi_rdata  ('0),
    .m_axi_rresp  (rresp_i),
    .m_axi_rlast  (rlast),
    .m_axi_rvalid (rvalid),
    .m_axi_rready (rready)
  );

  assign issue  = u_dut.issue;
  assign ar     = arvalid && arready_i;
  assign rvalid = rvalid_i && accepted_q != '0;
  assign rlast  = beat_q == flight_q[0].len;
  assign pop    = rvalid && rready && rlast;

  always_comb begin
    flights = '0;
    owed[0] = '0;
    owed[1] = '0;
    for (int unsigned i = 0; i < Outstanding; i++) begin
      flights += PtrBits'(flight_q[i].valid);
      if (flight_q[i].valid) begin
        owed[flight_q[i].client] += 10'(flight_q[i].len) + 10'd1 - (i == 0 ? 10'(beat_q) : '0);
      end
    end
    flight_d = flight_q;
    if (pop) begin
      for (int unsigned i = 0; i + 1 < Outstanding; i++) flight_d[i] = flight_q[i+1];
      flight_d[Outstanding-1] = '0;
    end
    if (issue) begin
      for (int unsigned i = 0; i < Outstanding; i++) begin
        if (32'(flights - PtrBits'(pop)) == i) begin
          flight_d[i] = '{valid: 1'b1, client: u_dut.chosen,
                          len: 8'(u_dut.burst_beats[u_dut.chosen] - 9'd1)};
        end
      end
    end
  end

  logic        hold_q, clear_q, drained_q, was_drain_q, was_arvalid_q;
  logic [39:0] araddr_q;
  logic [7:0]  arlen_q;
  logic [5:0]  wait_q, drain_q;
  logic [1:0]  client_waits;

  // a client waits while it has words to come and gets none
  assign client_waits = {u_dut.burst_valid[1] || owed[1] != '0, u_dut.burst_valid[0] || owed[0] != '0};

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned i = 0; i < Outstanding; i++) flight_q[i] <= '0;
      {beat_q, accepted_q, hold_q, drained_q, was_drain_q, was_arvalid_q} <= '0;
      {wait_q, drain_q} <= '0;
    end else begin
      flight_q      <= flight_d;
      accepted_q    <= accepted_q + PtrBits'(ar) - PtrBits'(pop);
      if (rvalid) beat_q <= rlast ? '0 : beat_q + 8'd1;
      hold_q        <= arvalid && !arready_i;
      drained_q     <= idle && drain_i;
      was_drain_q   <= drain_i;
      was_arvalid_q <= arvalid;
      wait_q        <= client_waits != '0 && !drain_i && !beat ? wait_q + 6'd1 : '0;
      drain_q       <= drain_i && !idle ? drain_q + 6'd1 : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    araddr_q <= araddr;
    arlen_q  <= arlen;
  end

  // Words between the bus and each client.
  logic [9:0] held [2];
  assign held[0] = 10'(u_dut.fetch_level);
  logic [$clog2(LoadDepth):0] stored;
  assign stored  = u_dut.u_load_fifo.wr_ptr_q - u_dut.u_load_fifo.rd_ptr_q;
  assign held[1] = 10'(stored) +
                   10'(u_dut.u_load_fifo.behind_q);

  // What the burst splitters hold (proven of hao_burst alone), and the order queue entry by entry.
  logic [1:0] splitter_sound, split_left;
  for (genvar c = 0; c < 2; c++) begin : gen_sound
    assign splitter_sound[c] = !u_dut.burst_valid[c] || (
      u_dut.burst_beats[c] != '0 && 32'(u_dut.burst_addr[c][4+:8] % 8'(MaxBurst)) +
      32'(u_dut.burst_beats[c]) <= MaxBurst && u_dut.burst_addr[c][3:0] == '0);
    assign split_left[c] = !u_dut.burst_valid[c] || (
      u_dut.gen_client[c].u_burst.left_q >= 16'(u_dut.burst_beats[c]) &&
      u_dut.gen_client[c].last_burst ==
        (u_dut.gen_client[c].u_burst.left_q == 16'(u_dut.burst_beats[c])) &&
      (u_dut.gen_client[c].last_burst ||
       (32'(u_dut.burst_addr[c][4+:8]) + 32'(u_dut.burst_beats[c])) % MaxBurst == 0));
  end

  logic order_sound, lengths_sound;
  always_comb begin
    order_sound   = 1'b1;
    lengths_sound = 1'b1;
    for (int unsigned i = 0; i < Outstanding; i++) begin
      if (flight_q[i].valid != (i < 32'(flights))) order_sound = 1'b0;
      if (flight_q[i].valid && u_dut.u_order.mem_q[(32'(u_dut.u_order.rd_ptr_q) + i) % Outstanding]
          != flight_q[i].client) order_sound = 1'b0;
      if (flight_q[i].valid && 32'(flight_q[i].len) >= MaxBurst) lengths_sound = 1'b0;
    end
    if (32'(u_dut.u_order.wr_ptr_q) != (32'(u_dut.u_order.rd_ptr_q) + 32'(flights)) % Outstanding)
      order_sound = 1'b0;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (clear_i) assume (idle && drain_i);
    for (int unsigned c = 0; c < 2; c++) begin
      if (req_valid_i[c]) assume (req_words_i[c] != '0 && req_addr_i[c][3:0] == '0);
    end
    if (Fair) assume (arready_i && rvalid_i && out_ready_i == 2'b11);
    if (rst_ni) begin
      address_is_held: assert (!hold_q || (arvalid && araddr == araddr_q && arlen == arlen_q));
      burst_inside_4_kib:   assert (!arvalid || 13'(araddr[11:4]) + 13'(arlen) < 13'd256);
      burst_not_too_long:   assert (!arvalid || 32'(arlen) < MaxBurst);
      burst_is_aligned:     assert (!arvalid || (araddr[3:0] == '0 && arsize == 3'd4 &&
                                                 arburst == 2'b01));
      always_ready:         assert (rready);
      flights_are_limited:  assert (32'(flights) <= Outstanding);
      order_is_counted:     assert (u_dut.flights == flights);
      accepted_or_waiting:  assert (flights == accepted_q + PtrBits'(arvalid));
      beat_inside_burst:    assert (beat_q == '0 || (accepted_q != '0 && beat_q <= flight_q[0].len));
      address_is_the_newest: assert (!arvalid || flights == '0 || arlen ==
                                     flight_q[flights-PtrBits'(1)].len);
      answers_go_to_who_asked: assert (flights == '0 ||
                                       u_dut.order_client == flight_q[0].client);
      no_beat_without_room: assert ((u_dut.in_valid & ~u_dut.in_ready) == '0);
      used_is_owed_and_held_0: assert (10'(u_dut.used_q[0]) == owed[0] + held[0] +
                                       10'(u_dut.gen_client[0].taken_q));
      used_is_owed_and_held_1: assert (10'(u_dut.used_q[1]) == owed[1] + held[1] +
                                       10'(u_dut.gen_client[1].taken_q));
      offers_are_sound:     assert ((u_dut.offer_q & ~(u_dut.burst_valid & u_dut.room)) == '0);
      splitters_are_sound:  assert (splitter_sound == '1 && split_left == '1);
      order_is_kept:        assert (order_sound && lengths_sound);
      load_buffer_is_sound: assert (u_dut.u_load_fifo.behind_q ==
                                    u_dut.u_load_fifo.tail_level + 3'(u_dut.u_load_fifo.fetched_q) &&
                                    32'(u_dut.u_load_fifo.behind_q) <= 4);
      fits_0:               assert (32'(u_dut.used_q[0]) <= FetchDepth);
      fits_1:               assert (32'(u_dut.used_q[1]) <= LoadDepth);
      idle_owes_nothing:    assert (idle == (flights == '0 && !arvalid));
      drained_stays_idle:   assert (!drained_q || !drain_i || idle);
      nothing_new_in_drain: assert (!(was_drain_q && drain_i && arvalid) || was_arvalid_q);
      error_is_reported:    assert (fault == (rvalid && rresp_i[1]));
      beats_are_told:       assert (beat == rvalid);
      fair_bus_no_wait:     assert (!Fair || 32'(wait_q) <= Patience);
      fair_bus_drains:      assert (!Fair || 32'(drain_q) <= MaxBurst * Outstanding + 4);
      reach_full_flight:    assert (!(Fair || (32'(accepted_q) == Outstanding && beat_q == 8'd1)));
      reach_full_buffer:    assert (!(Fair || (32'(u_dut.used_q[1]) == LoadDepth)));
    end
  end

endmodule
