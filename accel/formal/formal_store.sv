// hao_store: its buffer has room for every answer of the feature memory, it reads and hands on as
// many words as the instruction names, and completes every instruction once. Assumed: the feature
// memory answers FmReadLatency cycles after it grants; a DMA answer comes only for a request that
// was taken; a DRAM address is one (asserted in simulation).
module formal_store
  import hao_pkg::*;
(
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 clear_i,
  input logic [39:0]          base_i [4],
  input logic                 instr_valid_i,
  input logic [InstrBits-1:0] instr_i,
  input logic                 rd_req_ready_i,
  input logic [127:0]         rd_rsp_data_i,
  input logic                 dma_ready_i,
  input logic                 data_ready_i,
  input logic                 dma_done_i
);

  logic         started_q = 1'b0;
  logic         instr_ready, done, stall, rd_valid, dma_valid, data_valid, take, read, pop;
  logic [15:0]  rd_addr, dma_words, words_q, addr_q;
  logic [39:0]  dma_addr, dma_addr_q;
  logic [127:0] data;
  logic [FmReadLatency-1:0] pipe_q;
  logic         hold_dma_q, hold_data_q, hold_rd_q, clear_q;
  logic [15:0]  to_read_q, next_addr_q, rd_addr_q, dma_words_q, held_words_q, held_addr_q;
  logic [3:0]   open_q, asked_q, flying;  // instructions taken and not completed; DMA requests
  logic [16:0]  to_pop_q;
  store_instr_t instr;

  hao_store u_dut (
    .clk_i,
    .rst_ni,
    .clear_i,
    .base_i,
    .instr_valid_i,
    .instr_ready_o (instr_ready),
    .instr_i,
    .done_o        (done),
    .stall_o       (stall),
    .rd_req_valid_o(rd_valid),
    .rd_req_ready_i,
    .rd_req_addr_o (rd_addr),
    .rd_rsp_valid_i(pipe_q[FmReadLatency-1]),
    .rd_rsp_data_i,
    .dma_valid_o   (dma_valid),
    .dma_ready_i,
    .dma_addr_o    (dma_addr),
    .dma_words_o   (dma_words),
    .data_valid_o  (data_valid),
    .data_ready_i,
    .data_o        (data),
    .dma_done_i
  );

  assign instr = store_instr_t'(instr_i);
  assign take  = instr_valid_i && instr_ready;
  assign read  = rd_valid && rd_req_ready_i;
  assign pop   = data_valid && data_ready_i;

  always_comb begin
    flying = '0;
    for (int unsigned i = 0; i < FmReadLatency; i++) flying += 4'(pipe_q[i]);
  end

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {pipe_q, hold_dma_q, hold_data_q, hold_rd_q, to_read_q, next_addr_q, open_q, asked_q,
       held_words_q, held_addr_q} <= '0;
    end else if (clear_i) begin
      {pipe_q, hold_dma_q, hold_data_q, hold_rd_q, to_read_q, next_addr_q, open_q, asked_q,
       held_words_q, held_addr_q} <= '0;
    end else begin
      pipe_q      <= {pipe_q[FmReadLatency-2:0], read};
      hold_dma_q  <= dma_valid && !dma_ready_i;
      hold_data_q <= data_valid && !data_ready_i;
      hold_rd_q   <= rd_valid && !rd_req_ready_i;
      open_q      <= open_q + 4'(take) - 4'(done);
      asked_q     <= asked_q + 4'(dma_valid && dma_ready_i) - 4'(dma_done_i);
      if (take) {held_addr_q, held_words_q} <= {instr.src_addr, instr.length};
      if (u_dut.begins) next_addr_q <= held_addr_q;
      else if (read) next_addr_q <= next_addr_q + 16'd1;
      if (u_dut.begins) to_read_q <= held_words_q;
      else if (read) to_read_q <= to_read_q - 16'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    dma_addr_q  <= dma_addr;
    dma_words_q <= dma_words;
    rd_addr_q   <= rd_addr;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    if (dma_done_i) assume (asked_q != '0);
    if (rst_ni) begin
      room_for_every_answer: assert (!pipe_q[FmReadLatency-1] || u_dut.buffer_ready);
      credit_is_room:        assert (u_dut.credit_q + flying + u_dut.level == 4'd8 &&
                                     u_dut.room_q == (u_dut.credit_q != '0));
      asks_while_it_may:     assert (u_dut.asking_q == (u_dut.reading_q && u_dut.room_q) &&
                                     (!u_dut.reading_q || u_dut.last_q == (u_dut.left_q == 16'd1)));
      reads_what_is_named:   assert (u_dut.reading_q == (to_read_q != '0));
      reads_in_order:        assert (!rd_valid || rd_addr == next_addr_q);
      stall_is_told:         assert (stall == ((rd_valid && !rd_req_ready_i) ||
                                               (data_valid && !data_ready_i)));
      left_is_counted:       assert (!u_dut.reading_q || u_dut.left_q == to_read_q);
      at_most_nine_open:     assert (open_q <= 4'd9);
      open_is_counted:       assert (open_q == u_dut.flights_q + 4'(u_dut.empty_done_q) +
                                     4'(u_dut.held_q));
      held_is_known:         assert (!u_dut.held_q || (u_dut.instr_q.length == held_words_q &&
                                                       u_dut.instr_q.src_addr == held_addr_q));
      asked_is_open:         assert (asked_q + 4'(u_dut.request_q) == u_dut.flights_q);
      empty_alone:           assert (!u_dut.empty_done_q || u_dut.flights_q == '0);
      done_for_an_open_one:  assert (!done || open_q != '0);
      request_is_held:       assert (!hold_dma_q || (dma_valid && dma_addr == dma_addr_q &&
                                                     dma_words == dma_words_q));
      read_is_held:          assert (!hold_rd_q || (rd_valid && rd_addr == rd_addr_q));
      data_is_held:          assert (!hold_data_q || data_valid);
      request_has_words:     assert (!dma_valid || dma_words != '0);
      reach_full_buffer:     assert (!(u_dut.level == 4'd8 && asked_q == 4'd2));
    end
  end

endmodule
