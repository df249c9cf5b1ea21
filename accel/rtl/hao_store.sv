// STORE: reads words of the feature memory and hands them to the write DMA. The next instruction
// waits in registers, and may begin while the answers to the writes of earlier ones are still to
// come; done_o pulses when they have.
module hao_store
  import hao_pkg::*;
(
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic [39:0]          base_i [4],
  input  logic                 instr_valid_i,
  output logic                 instr_ready_o,
  input  logic [InstrBits-1:0] instr_i,
  output logic                 done_o,
  output logic                 stall_o,

  output logic                 rd_req_valid_o,
  input  logic                 rd_req_ready_i,
  output logic [15:0]          rd_req_addr_o,
  input  logic                 rd_rsp_valid_i,
  input  logic [127:0]         rd_rsp_data_i,

  output logic                 dma_valid_o,
  input  logic                 dma_ready_i,
  output logic [39:0]          dma_addr_o,
  output logic [15:0]          dma_words_o,
  output logic                 data_valid_o,
  input  logic                 data_ready_i,
  output logic [127:0]         data_o,
  input  logic                 dma_done_i
);

  localparam int unsigned BufferWords = 8;  // covers the latency of a read and then some
  localparam int unsigned MaxFlights  = 8;  // instructions whose answers are still to come

  // verilator lint_off UNUSEDSIGNAL
  store_instr_t instr_q;
  // verilator lint_on UNUSEDSIGNAL
  logic         held_q, begins;             // the next instruction is there; it begins
  logic         request_q, reading_q;       // request still to be made, words to be read
  logic [39:0]  addr_q;
  logic [15:0]  words_q, left_q, src_q;
  logic [3:0]   credit_q, flights_q;        // words that the buffer may still be sent
  logic         take, read, empty_done, empty_done_q, pop;
  logic [3:0]   level;
  logic         buffer_ready, room_q, room; // room: credit_q != 0
  logic         last_q, reading, asking_q;  // last: left_q == 1; asking: reading and room

  assign take          = instr_valid_i && instr_ready_o;
  assign instr_ready_o = !held_q;
  assign begins        = held_q && !request_q && !reading_q && 32'(flights_q) < MaxFlights &&
                         (instr_q.length != '0 || flights_q == '0);
  assign empty_done    = begins && instr_q.length == '0;

  assign dma_valid_o    = request_q;
  assign dma_addr_o     = addr_q;
  assign dma_words_o    = words_q;
  assign rd_req_valid_o = asking_q;
  assign rd_req_addr_o  = src_q;
  assign read           = rd_req_valid_o && rd_req_ready_i;
  assign pop            = data_valid_o && data_ready_i;
  assign reading        = (begins && !empty_done) || (reading_q && !(read && last_q));
  assign room           = pop || (room_q && !(read && credit_q == 4'd1));
  assign done_o         = dma_done_i || empty_done_q;
  assign stall_o        = (rd_req_valid_o && !rd_req_ready_i) || (data_valid_o && !data_ready_i);

  hao_fifo #(
    .Width(128),
    .Depth(BufferWords)
  ) u_buffer (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (rd_rsp_valid_i),
    .in_ready_o (buffer_ready),
    .in_data_i  (rd_rsp_data_i),
    .out_valid_o(data_valid_o),
    .out_ready_i(data_ready_i),
    .out_data_o (data_o),
    .level_o    (level)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      held_q <= 1'b0;
    else if (clear_i) held_q <= 1'b0;
    else              held_q <= take || (held_q && !begins);
  end

  always_ff @(posedge clk_i) begin
    if (take) instr_q <= store_instr_t'(instr_i);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      request_q    <= 1'b0;
      reading_q    <= 1'b0;
      asking_q     <= 1'b0;
      last_q       <= 1'b0;
      empty_done_q <= 1'b0;
      addr_q       <= '0;
      words_q      <= '0;
      left_q       <= '0;
      src_q        <= '0;
      credit_q     <= 4'(BufferWords);
      room_q       <= 1'b1;
      flights_q    <= '0;
    end else if (clear_i) begin
      request_q    <= 1'b0;
      reading_q    <= 1'b0;
      asking_q     <= 1'b0;
      empty_done_q <= 1'b0;
      credit_q     <= 4'(BufferWords);
      room_q       <= 1'b1;
      flights_q    <= '0;
    end else begin
      room_q       <= room;
      asking_q     <= reading && room;
      reading_q    <= reading;
      empty_done_q <= empty_done;
      if (read != pop) credit_q <= read ? credit_q - 4'd1 : credit_q + 4'd1;
      flights_q    <= flights_q + 4'(begins && !empty_done) - 4'(dma_done_i);
      if (begins && !empty_done) begin
        request_q <= 1'b1;
        addr_q    <= base_i[instr_q.base_sel[1:0]] + 40'(instr_q.dram_offset);
        words_q   <= instr_q.length;
        left_q    <= instr_q.length;
        last_q    <= instr_q.length == 16'd1;
        src_q     <= instr_q.src_addr;
      end else begin
        if (dma_ready_i) request_q <= 1'b0;
        if (read) begin
          src_q  <= src_q + 16'd1;
          left_q <= left_q - 16'd1;
          last_q <= left_q == 16'd2;
        end
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   asking_q == (reading_q && room_q) && room_q == (credit_q != '0) &&
                   (!reading_q || last_q == (left_q == 16'd1)))
    else $error("hao_store: %0d words of %0d left miscounted", credit_q, left_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   rd_rsp_valid_i |-> buffer_ready)
    else $error("hao_store: a word found no room");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) dma_done_i |-> flights_q != '0)
    else $error("hao_store: an answer that no instruction waits for");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   32'(credit_q) + 32'(level) <= BufferWords)
    else $error("hao_store: more credit than room");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   held_q |-> instr_q.base_sel[3:2] == '0 && instr_q.dram_offset[3:0] == '0)
    else $error("hao_store: a DRAM address that is not one");
`else
  logic unused;
  assign unused = ^{buffer_ready, level};
`endif

endmodule
