// Read side of the DRAM model: a queue of bursts, granules granted by the bus, beats in order.
module hao_dram_read #(
  parameter int unsigned QueueDepth = 64
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [ 31:0] now_i,
  input  logic [ 11:0] latency_i,
  input  logic [  5:0] jitter_i,
  input  logic [  6:0] outstanding_i,
  input  logic         stall_addr_i,
  input  logic         stall_data_i,
  output logic         wants_o,
  input  logic         grant_i,
  input  logic [ 39:0] araddr_i,
  input  logic [  7:0] arlen_i,
  input  logic         arvalid_i,
  output logic         arready_o,
  output logic [127:0] rdata_o,
  output logic [  1:0] rresp_o,
  output logic         rlast_o,
  output logic         rvalid_o,
  input  logic         rready_i
);

  // returns the AXI response of the beat
  import "DPI-C" function int hao_memory_read(
    input longint unsigned address,
    output bit [127:0] data
  );

  localparam int unsigned PtrWidth = $clog2(QueueDepth);
  localparam int unsigned AheadBeats = 32;  // data granted before the port takes it

  typedef logic [PtrWidth-1:0] ptr_t;

  logic [39:0] addr_q[QueueDepth];
  logic [7:0] len_q[QueueDepth];
  logic [31:0] due_q[QueueDepth];
  ptr_t head_q, grant_q, tail_q;  // burst being returned, burst being granted, next free entry
  logic [6:0] count_q, ungranted_q;
  logic [8:0] granted_beats_q, sent_beats_q;  // of the burst at grant_q, at head_q
  logic [5:0] ahead_q;                        // beats granted and not yet sent

  // beats in the granule at the grant pointer: up to the 64-byte boundary or the burst's end
  logic [5:0] granule_addr;  // the last bits
  logic [8:0] left;
  logic [2:0] to_boundary, beats;
  logic burst_granted, push, pop, send;

  assign granule_addr = addr_q[grant_q][5:0] + {granted_beats_q[1:0], 4'd0};
  assign left = 9'(len_q[grant_q]) + 9'd1 - granted_beats_q;
  assign to_boundary = 3'd4 - 3'(granule_addr >> 4);
  assign beats = left < 9'(to_boundary) ? left[2:0] : to_boundary;
  assign burst_granted = 9'(beats) == left;
  assign wants_o = ungranted_q != '0 && now_i >= due_q[grant_q] && ahead_q <= 6'(AheadBeats - 4);

  assign arready_o = count_q < outstanding_i && !stall_addr_i;
  assign push = arvalid_i && arready_o;
  assign send = ahead_q != '0 && (!rvalid_o || rready_i) && !stall_data_i;
  assign pop = send && sent_beats_q == 9'(len_q[head_q]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q          <= '0;
      grant_q         <= '0;
      tail_q          <= '0;
      count_q         <= '0;
      ungranted_q     <= '0;
      granted_beats_q <= '0;
      sent_beats_q    <= '0;
      ahead_q         <= '0;
    end else begin
      if (push) tail_q <= tail_q + ptr_t'(1);
      if (pop) head_q <= head_q + ptr_t'(1);
      count_q     <= count_q + 7'(push) - 7'(pop);
      ungranted_q <= ungranted_q + 7'(push) - 7'(grant_i && burst_granted);
      ahead_q     <= ahead_q + (grant_i ? 6'(beats) : 6'd0) - 6'(send);
      if (grant_i) begin
        granted_beats_q <= burst_granted ? '0 : granted_beats_q + 9'(beats);
        if (burst_granted) grant_q <= grant_q + ptr_t'(1);
      end
      if (send) sent_beats_q <= pop ? '0 : sent_beats_q + 9'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push) begin
      addr_q[tail_q] <= araddr_i;
      len_q[tail_q]  <= arlen_i;
      due_q[tail_q]  <= now_i + 32'(latency_i) + 32'(jitter_i);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rvalid_o <= 1'b0;
      rdata_o  <= '0;
      rresp_o  <= '0;
      rlast_o  <= 1'b0;
    end else begin
      if (rready_i) rvalid_o <= 1'b0;
      if (send) begin
        automatic bit [127:0] word;
        automatic int response;
        response = hao_memory_read(64'(addr_q[head_q]) + {51'd0, sent_beats_q, 4'd0}, word);
        rvalid_o <= 1'b1;
        rdata_o  <= word;
        rresp_o  <= response == 0 ? 2'b00 : response == 2 ? 2'b10 : 2'b11;
        rlast_o  <= pop;
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) count_q <= 7'(QueueDepth))
  else $error("more bursts than the queue holds");
  assert property (@(posedge clk_i) disable iff (!rst_ni) grant_i |-> wants_o)
  else $error("a grant that nobody asked for");
`endif

endmodule
