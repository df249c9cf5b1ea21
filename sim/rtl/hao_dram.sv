// DRAM behind an AXI4 slave: timing in SystemVerilog, bytes behind DPI-C.
//
// A burst is served in granules (64 bytes). A granule is granted when
//   * its burst has waited the latency (reads), or its beats have arrived (writes),
//   * the peak bucket and the sustained bucket both hold a granule's worth of bytes,
//   * no refresh is in progress, and the bus has turned to its direction.
// Buckets count in 1/256 byte. The sustained bucket fills during refresh too, so that the long-run
// average is the sustained rate; its depth bounds how far traffic may run ahead of that average.
//
// With a stall probability of zero the timing is deterministic. Otherwise every channel stalls at
// random (n/256 a cycle), all of them freeze now and then, and latencies jitter, all from one seed.
// Responses come with the bytes: DECERR outside the memory, SLVERR where the host wants a beat refused.
module hao_dram #(
  parameter int unsigned QueueDepth = 64,  // most outstanding bursts a direction
  parameter int unsigned FifoBeats = 64    // write data waiting for the bus
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  // timing, static while running
  input  logic [ 11:0] cfg_read_latency_i,
  input  logic [ 11:0] cfg_write_latency_i,
  input  logic [  7:0] cfg_turnaround_i,
  input  logic [ 15:0] cfg_refresh_interval_i,
  input  logic [ 11:0] cfg_refresh_i,
  input  logic [ 15:0] cfg_peak_rate_i,
  input  logic [ 15:0] cfg_sustained_rate_i,
  input  logic [ 23:0] cfg_sustained_depth_i,
  input  logic [  6:0] cfg_outstanding_reads_i,
  input  logic [  6:0] cfg_outstanding_writes_i,
  input  logic [  7:0] cfg_stall_i,  // probability of a stall, of 256; 0: deterministic
  input  logic [ 63:0] cfg_seed_i,
  // AXI4 slave, 128 bits, no ids
  input  logic [ 39:0] araddr_i,
  input  logic [  7:0] arlen_i,
  input  logic         arvalid_i,
  output logic         arready_o,
  output logic [127:0] rdata_o,
  output logic [  1:0] rresp_o,
  output logic         rlast_o,
  output logic         rvalid_o,
  input  logic         rready_i,
  input  logic [ 39:0] awaddr_i,
  input  logic [  7:0] awlen_i,
  input  logic         awvalid_i,
  output logic         awready_o,
  input  logic [127:0] wdata_i,
  input  logic [ 15:0] wstrb_i,
  input  logic         wvalid_i,
  output logic         wready_o,
  output logic [  1:0] bresp_o,
  output logic         bvalid_o,
  input  logic         bready_i
);

  localparam int unsigned GranuleBytes = 64;
  localparam int unsigned GranuleCost = GranuleBytes * 256;
  localparam int unsigned PeakDepth = 2 * GranuleCost;
  localparam int unsigned RunLength = 16;  // granules before the other direction's turn

  typedef enum logic {
    DirRead,
    DirWrite
  } dir_e;

  // ------------------------------------------------------------------------ time, refresh, stalls
  logic [31:0] now_q;
  logic [15:0] refresh_q;
  logic refreshing;
  logic [63:0] lfsr_q, lfsr_d;
  logic [5:0] freeze_q;
  logic random, frozen;
  logic stall_ar, stall_r, stall_aw, stall_w, stall_b;
  logic [5:0] jitter;

  assign refreshing = refresh_q < 16'(cfg_refresh_i);
  assign random = cfg_stall_i != 8'd0;
  assign frozen = freeze_q != 6'd0;
  assign stall_ar = frozen || lfsr_q[7:0] < cfg_stall_i;
  assign stall_r = frozen || lfsr_q[15:8] < cfg_stall_i;
  assign stall_aw = frozen || lfsr_q[23:16] < cfg_stall_i;
  assign stall_w = frozen || lfsr_q[31:24] < cfg_stall_i;
  assign stall_b = frozen || lfsr_q[39:32] < cfg_stall_i;
  assign jitter = random ? lfsr_q[45:40] : 6'd0;

  always_comb begin
    lfsr_d = lfsr_q ^ (lfsr_q << 13);
    lfsr_d = lfsr_d ^ (lfsr_d >> 7);
    lfsr_d = lfsr_d ^ (lfsr_d << 17);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now_q     <= '0;
      refresh_q <= '1;
      lfsr_q    <= 64'h9E37_79B9_7F4A_7C15;
      freeze_q  <= '0;
    end else begin
      now_q     <= now_q + 32'd1;
      refresh_q <= refresh_q >= cfg_refresh_interval_i - 16'd1 ? '0 : refresh_q + 16'd1;
      lfsr_q    <= now_q == '0 && cfg_seed_i != '0 ? cfg_seed_i : lfsr_d;
      if (frozen) freeze_q <= freeze_q - 6'd1;
      else if (random && lfsr_q[63:56] == 8'd0) freeze_q <= lfsr_q[55:50];
    end
  end

  // ------------------------------------------------------------------------- read and write sides
  logic read_wants, write_wants, grant_read, grant_write;

  hao_dram_read #(
    .QueueDepth(QueueDepth)
  ) u_read (
    .clk_i,
    .rst_ni,
    .now_i        (now_q),
    .latency_i    (cfg_read_latency_i),
    .jitter_i     (jitter),
    .outstanding_i(cfg_outstanding_reads_i),
    .stall_addr_i (stall_ar),
    .stall_data_i (stall_r),
    .wants_o      (read_wants),
    .grant_i      (grant_read),
    .araddr_i,
    .arlen_i,
    .arvalid_i,
    .arready_o,
    .rdata_o,
    .rresp_o,
    .rlast_o,
    .rvalid_o,
    .rready_i
  );

  hao_dram_write #(
    .QueueDepth(QueueDepth),
    .FifoBeats (FifoBeats)
  ) u_write (
    .clk_i,
    .rst_ni,
    .now_i           (now_q),
    .latency_i       (cfg_write_latency_i),
    .jitter_i        (jitter),
    .outstanding_i   (cfg_outstanding_writes_i),
    .stall_addr_i    (stall_aw),
    .stall_data_i    (stall_w),
    .stall_response_i(stall_b),
    .wants_o         (write_wants),
    .grant_i         (grant_write),
    .awaddr_i,
    .awlen_i,
    .awvalid_i,
    .awready_o,
    .wdata_i,
    .wstrb_i,
    .wvalid_i,
    .wready_o,
    .bresp_o,
    .bvalid_o,
    .bready_i
  );

  // --------------------------------------------------------------------------------- bus schedule
  dir_e dir_q;
  logic [7:0] turn_q;
  logic [4:0] run_q;
  logic [31:0] peak_q, sustained_q;
  logic bus_free, switch_dir, granted;

  assign bus_free = turn_q == '0 && !refreshing && peak_q >= GranuleCost
                    && sustained_q >= GranuleCost;
  assign grant_read = bus_free && !switch_dir && dir_q == DirRead && read_wants;
  assign grant_write = bus_free && !switch_dir && dir_q == DirWrite && write_wants;
  assign granted = grant_read || grant_write;

  always_comb begin
    logic mine, other;
    mine = dir_q == DirRead ? read_wants : write_wants;
    other = dir_q == DirRead ? write_wants : read_wants;
    switch_dir = turn_q == '0 && other && (!mine || run_q >= 5'(RunLength));
  end

  function automatic logic [31:0] fill(logic [31:0] level, logic [15:0] rate, logic [31:0] depth,
                                       logic taken);
    logic [31:0] next;
    next = level + 32'(rate) - (taken ? GranuleCost : 32'd0);
    return next > depth ? depth : next;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dir_q       <= DirRead;
      turn_q      <= '0;
      run_q       <= '0;
      peak_q      <= '0;
      sustained_q <= '0;
    end else begin
      peak_q      <= fill(peak_q, cfg_peak_rate_i, PeakDepth, granted);
      sustained_q <= fill(sustained_q, cfg_sustained_rate_i, {cfg_sustained_depth_i, 8'd0},
                          granted);
      if (turn_q != '0) turn_q <= turn_q - 8'd1;
      if (switch_dir) begin
        dir_q  <= dir_q == DirRead ? DirWrite : DirRead;
        turn_q <= cfg_turnaround_i;
        run_q  <= '0;
      end else if (granted && run_q != '1) begin
        run_q <= run_q + 5'd1;
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) !(grant_read && grant_write))
  else $error("both directions hold the bus");
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    arvalid_i || awvalid_i |-> cfg_peak_rate_i != '0 && cfg_sustained_rate_i != '0)
  else $error("the bandwidth is not configured");
`endif

endmodule
