// AXI4 read master with two clients, instruction fetch (0) and LOAD (1). A burst is requested only
// when the client's buffer has room for all of it, so that no beat ever waits on the bus; fetch
// goes first, burst by burst. Whether there is room is worked out a cycle before a burst may go; a
// word that was taken makes room a cycle later.
module hao_read_dma #(
  parameter int unsigned MaxBurst    = 64,
  parameter int unsigned Outstanding = 4,
  localparam int unsigned Clients    = 2
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  input  logic         drain_i,  // request nothing more; idle_o: the bus owes nothing
  output logic         idle_o,
  output logic         beat_o,   // a beat arrived
  output logic         fault_o,  // it came with an error response

  input  logic [1:0]   req_valid_i,
  output logic [1:0]   req_ready_o,
  input  logic [39:0]  req_addr_i [Clients],
  input  logic [15:0]  req_words_i [Clients],
  output logic [1:0]   out_valid_o,
  input  logic [1:0]   out_ready_i,
  output logic [127:0] out_data_o [Clients],

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
  output logic         m_axi_rready
);

  localparam int unsigned FetchBurst = MaxBurst < 16 ? MaxBurst : 16;
  localparam int unsigned FetchDepth = 64;
  localparam int unsigned LoadDepth  = 1 << $clog2(MaxBurst * (Outstanding > 1 ? Outstanding : 2));
  localparam int unsigned MaxDepth   = LoadDepth > FetchDepth ? LoadDepth : FetchDepth;
  localparam int unsigned UsedBits   = $clog2(MaxDepth + 1);

  logic [1:0]          burst_valid, burst_ready, room, offer_q, in_valid, in_ready;
  logic [39:0]         burst_addr [Clients];
  logic [8:0]          burst_beats [Clients];
  logic [UsedBits-1:0] used_q [Clients];  // words requested and not yet taken by the client

  for (genvar c = 0; c < int'(Clients); c++) begin : gen_client
    logic last_burst, taken_q;
    hao_burst #(
      .MaxBurst(c == 0 ? FetchBurst : MaxBurst)
    ) u_burst (
      .clk_i,
      .rst_ni,
      .clear_i,
      .req_valid_i  (req_valid_i[c]),
      .req_ready_o  (req_ready_o[c]),
      .req_addr_i   (req_addr_i[c]),
      .req_words_i  (req_words_i[c]),
      .burst_valid_o(burst_valid[c]),
      .burst_ready_i(burst_ready[c]),
      .burst_addr_o (burst_addr[c]),
      .burst_beats_o(burst_beats[c]),
      .burst_last_o (last_burst)
    );
    logic unused_last;
    assign unused_last = last_burst;

    assign room[c] = 32'(used_q[c]) + 32'(burst_beats[c]) <= (c == 0 ? FetchDepth : LoadDepth);

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        used_q[c]  <= '0;
        offer_q[c] <= 1'b0;
        taken_q    <= 1'b0;
      end else if (clear_i) begin
        used_q[c]  <= '0;
        offer_q[c] <= 1'b0;
        taken_q    <= 1'b0;
      end else begin
        offer_q[c] <= burst_valid[c] && room[c] && !burst_ready[c];
        taken_q    <= out_valid_o[c] && out_ready_i[c];
        used_q[c]  <= used_q[c] + (burst_ready[c] ? UsedBits'(burst_beats[c]) : '0)
                    - UsedBits'(taken_q);
      end
    end
  end

  logic [6:0] fetch_level;
  hao_fifo #(
    .Width(128),
    .Depth(FetchDepth)
  ) u_fetch_fifo (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (in_valid[0]),
    .in_ready_o (in_ready[0]),
    .in_data_i  (m_axi_rdata),
    .out_valid_o(out_valid_o[0]),
    .out_ready_i(out_ready_i[0]),
    .out_data_o (out_data_o[0]),
    .level_o    (fetch_level)
  );

  hao_fifo_ram #(
    .Width(128),
    .Depth(LoadDepth)
  ) u_load_fifo (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (in_valid[1]),
    .in_ready_o (in_ready[1]),
    .in_data_i  (m_axi_rdata),
    .out_valid_o(out_valid_o[1]),
    .out_ready_i(out_ready_i[1]),
    .out_data_o (out_data_o[1])
  );

  // Bursts in flight: whose they are, in the order of their answers.
  logic                           order_valid, order_ready, order_client, issue, chosen, beat_last;
  logic [$clog2(Outstanding+1)-1:0] flights;
  hao_fifo #(
    .Width(1),
    .Depth(Outstanding)
  ) u_order (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (issue),
    .in_ready_o (order_ready),
    .in_data_i  (chosen),
    .out_valid_o(order_valid),
    .out_ready_i(beat_last),
    .out_data_o (order_client),
    .level_o    (flights)
  );

  logic        arvalid_q;
  logic [39:0] araddr_q;
  logic [7:0]  arlen_q;

  assign chosen      = !offer_q[0];
  assign issue       = (offer_q != '0) && order_ready && !drain_i && (!arvalid_q || m_axi_arready);
  assign burst_ready = {issue && chosen, issue && !chosen};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_q <= 1'b0;
      araddr_q  <= '0;
      arlen_q   <= '0;
    end else if (issue) begin
      arvalid_q <= 1'b1;
      araddr_q  <= burst_addr[chosen];
      arlen_q   <= 8'(burst_beats[chosen] - 9'd1);
    end else if (m_axi_arready) begin
      arvalid_q <= 1'b0;
    end
  end

  assign m_axi_arvalid = arvalid_q;
  assign m_axi_araddr  = araddr_q;
  assign m_axi_arlen   = arlen_q;
  assign m_axi_arsize  = 3'b100;
  assign m_axi_arburst = 2'b01;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_arprot  = 3'b000;
  assign m_axi_rready  = 1'b1;

  assign in_valid  = {m_axi_rvalid && order_client, m_axi_rvalid && !order_client};
  assign beat_last = m_axi_rvalid && m_axi_rlast;
  assign beat_o    = m_axi_rvalid;
  assign fault_o   = m_axi_rvalid && m_axi_rresp[1];
  assign idle_o    = !arvalid_q && !order_valid;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) m_axi_rvalid |-> order_valid)
    else $error("hao_read_dma: a beat that nobody asked for");
  assert property (@(posedge clk_i) disable iff (!rst_ni) (in_valid & ~in_ready) == '0)
    else $error("hao_read_dma: a beat found no room");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   (offer_q & ~(burst_valid & room)) == '0)
    else $error("hao_read_dma: a burst was offered that is not there or has no room");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   arvalid_q && !m_axi_arready |=>
                   arvalid_q && $stable(araddr_q) && $stable(arlen_q))
    else $error("hao_read_dma: a read address changed while it waited");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   arvalid_q |-> 13'(araddr_q[11:4]) + 13'(arlen_q) < 13'd256)
    else $error("hao_read_dma: a burst crosses 4 KiB");
  assert property (@(posedge clk_i) disable iff (!rst_ni) clear_i |-> idle_o)
    else $error("hao_read_dma: cleared while the bus owes beats");
  logic unused;
  assign unused = ^{fetch_level, flights, m_axi_rresp[0]};
`else
  logic unused;
  assign unused = ^{fetch_level, flights, m_axi_rresp[0], in_ready};
`endif

endmodule
