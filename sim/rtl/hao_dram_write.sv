// Write side of the DRAM model: bursts and their data wait for the bus; memory changes when a
// granule is granted, and the response follows after the latency, so that a master that does not
// await it reads old data.
module hao_dram_write #(
  parameter int unsigned QueueDepth = 64,
  parameter int unsigned FifoBeats = 64
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [ 31:0] now_i,
  input  logic [ 11:0] latency_i,
  input  logic [  5:0] jitter_i,
  input  logic [  6:0] outstanding_i,
  input  logic         stall_addr_i,
  input  logic         stall_data_i,
  input  logic         stall_response_i,
  output logic         wants_o,
  input  logic         grant_i,
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

  // returns the AXI response of the beat
  import "DPI-C" function int hao_memory_write(
    input longint unsigned address,
    input bit [127:0] data,
    input bit [15:0] strobe
  );

  localparam int unsigned PtrWidth = $clog2(QueueDepth);
  localparam int unsigned FifoWidth = $clog2(FifoBeats);

  typedef logic [PtrWidth-1:0] ptr_t;
  typedef logic [FifoWidth-1:0] beat_t;

  logic [39:0] addr_q[QueueDepth];
  logic [7:0] len_q[QueueDepth];
  logic [31:0] due_q[QueueDepth];
  logic [1:0] resp_q[QueueDepth];  // worst of the beats so far
  ptr_t head_q, write_q, tail_q;  // burst to answer, burst being written, next free entry
  logic [6:0] count_q, unwritten_q;
  logic [8:0] written_q;

  logic [127:0] data_q[FifoBeats];
  logic [15:0] strb_q[FifoBeats];
  beat_t rd_q, wr_q;
  logic [FifoWidth:0] level_q;

  logic [39:0] granule_addr;
  logic [8:0] left;
  logic [2:0] to_boundary, beats;
  logic burst_written, push, push_beat, answer;

  assign granule_addr = addr_q[write_q] + {27'd0, written_q, 4'd0};
  assign left = 9'(len_q[write_q]) + 9'd1 - written_q;
  assign to_boundary = 3'd4 - 3'(granule_addr[5:4]);
  assign beats = left < 9'(to_boundary) ? left[2:0] : to_boundary;
  assign burst_written = 9'(beats) == left;
  assign wants_o = unwritten_q != '0 && level_q >= (FifoWidth + 1)'(beats);

  assign awready_o = count_q < outstanding_i && !stall_addr_i;
  assign wready_o = level_q < (FifoWidth + 1)'(FifoBeats) && !stall_data_i;
  assign push = awvalid_i && awready_o;
  assign push_beat = wvalid_i && wready_o;
  assign answer = count_q != unwritten_q && now_i >= due_q[head_q] && (!bvalid_o || bready_i)
                  && !stall_response_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q      <= '0;
      write_q     <= '0;
      tail_q      <= '0;
      count_q     <= '0;
      unwritten_q <= '0;
      written_q   <= '0;
      rd_q        <= '0;
      wr_q        <= '0;
      level_q     <= '0;
      bvalid_o    <= 1'b0;
      bresp_o     <= '0;
    end else begin
      if (push) tail_q <= tail_q + ptr_t'(1);
      if (answer) head_q <= head_q + ptr_t'(1);
      if (push_beat) wr_q <= wr_q + beat_t'(1);
      count_q     <= count_q + 7'(push) - 7'(answer);
      unwritten_q <= unwritten_q + 7'(push) - 7'(grant_i && burst_written);
      level_q     <= level_q + (FifoWidth + 1)'(push_beat)
                     - (grant_i ? (FifoWidth + 1)'(beats) : '0);
      if (grant_i) begin
        rd_q      <= rd_q + beat_t'(beats);
        written_q <= burst_written ? '0 : written_q + 9'(beats);
        if (burst_written) write_q <= write_q + ptr_t'(1);
      end
      if (bready_i) bvalid_o <= 1'b0;
      if (answer) begin
        bvalid_o <= 1'b1;
        bresp_o  <= resp_q[head_q];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (push) begin
      addr_q[tail_q] <= awaddr_i;
      len_q[tail_q]  <= awlen_i;
      resp_q[tail_q] <= 2'b00;
    end
    if (push_beat) begin
      data_q[wr_q] <= wdata_i;
      strb_q[wr_q] <= wstrb_i;
    end
    if (grant_i) begin
      automatic logic [1:0] worst;
      worst = resp_q[write_q];
      for (int unsigned i = 0; i < 4; i++) begin
        if (i < 32'(beats)) begin
          automatic int response;
          response = hao_memory_write(64'(granule_addr) + 64'(16 * i), data_q[rd_q + beat_t'(i)],
                                      strb_q[rd_q + beat_t'(i)]);
          if (response > 32'(worst)) worst = response == 2 ? 2'b10 : 2'b11;
        end
      end
      resp_q[write_q] <= worst;
      if (burst_written) due_q[write_q] <= now_i + 32'(latency_i) + 32'(jitter_i);
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) count_q <= 7'(QueueDepth))
  else $error("more bursts than the queue holds");
  assert property (@(posedge clk_i) disable iff (!rst_ni) grant_i |-> wants_o)
  else $error("a grant that nobody asked for");
  assert property (@(posedge clk_i) disable iff (!rst_ni) level_q <= (FifoWidth + 1)'(FifoBeats))
  else $error("write data overflow");
`endif

endmodule
