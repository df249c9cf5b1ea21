// Arbitration of hao_feature_memory: no reader and no writer waits longer than a bound, no two
// readers share a bank in a cycle, no two writers do, and every grant is answered FmReadLatency
// cycles later. Assumed: who waits keeps asking for the same (asserted in simulation), and words
// asked for at once lie in different banks.
module formal_feature_memory
  import hao_pkg::*;
#(
  parameter int unsigned PX = 2
) (
  input logic          clk_i,
  input logic          rst_ni,
  input logic [3:0]    valid_i,  // DENSE, FILL, ADD, STORE
  input logic [PX-1:0] dense_en_i,
  input logic [PX-1:0] fill_en_i,
  input logic [3:0]    addr_i [4],
  input logic [2:0]    wr_valid_i,
  input logic [3:0]    wr_addr_i [3]
);

  localparam int unsigned FmWords   = 16;
  localparam int unsigned DenseWait = 1;  // cycles of refusal, at most
  localparam int unsigned OtherWait = 5;
  localparam int unsigned WriteWait = 2;

  logic         started_q = 1'b0;
  logic [3:0]   ready, response;
  logic [2:0]   wr_ready;
  logic [PX-1:0] dense_need;
  logic [15:0]  dense_addr [PX], fill_addr [PX], wr_addr [3][4];
  logic [1:0]   wr_sel [3][Lanes];
  logic [15:0]  wr_mask [3];
  logic [127:0] wr_data [3], dense_data [PX], other_data [PX];

  always_comb begin
    for (int unsigned s = 0; s < PX; s++) begin
      dense_addr[s] = 16'(addr_i[0] ^ 4'(s));
      fill_addr[s]  = 16'(addr_i[1] ^ 4'(s));
    end
    for (int unsigned w = 0; w < 3; w++) begin
      wr_mask[w] = '1;
      wr_data[w] = '0;
      for (int unsigned a = 0; a < 4; a++) wr_addr[w][a] = 16'(wr_addr_i[w]);
      for (int unsigned l = 0; l < Lanes; l++) wr_sel[w][l] = '0;
    end
  end

  hao_feature_memory #(
    .FmWords(FmWords),
    .PX     (PX)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .clear_i          (1'b0),
    .dense_rd_valid_i (valid_i[0]),
    .dense_rd_ready_o (ready[0]),
    .dense_rd_need_i  (dense_need),
    .dense_rd_en_i    (dense_en_i),
    .dense_rd_addr_i  (dense_addr),
    .dense_rsp_valid_o(response[0]),
    .dense_rsp_data_o (dense_data),
    .fill_rd_valid_i  (valid_i[1]),
    .fill_rd_ready_o  (ready[1]),
    .fill_rd_en_i     (fill_en_i),
    .fill_rd_addr_i   (fill_addr),
    .fill_rsp_valid_o (response[1]),
    .add_rd_valid_i   (valid_i[2]),
    .add_rd_ready_o   (ready[2]),
    .add_rd_addr_i    (16'(addr_i[2])),
    .add_rsp_valid_o  (response[2]),
    .store_rd_valid_i (valid_i[3]),
    .store_rd_ready_o (ready[3]),
    .store_rd_addr_i  (16'(addr_i[3])),
    .store_rsp_valid_o(response[3]),
    .other_rsp_data_o (other_data),
    .wr_valid_i,
    .wr_ready_o       (wr_ready),
    .wr_addr_i        (wr_addr),
    .wr_sel_i         (wr_sel),
    .wr_mask_i        (wr_mask),
    .wr_data_i        (wr_data)
  );

  logic [3:0] grant, refused_q, grant_q [FmReadLatency];
  logic [2:0] wr_refused_q;
  logic [2:0] wait_q [4], wr_wait_q [3];
  logic [3:0] addr_q [4], wr_addr_q [3];
  logic [PX-1:0] dense_en_q, fill_en_q;
  logic [1:0] readers [PX], writers [PX];

  assign grant = valid_i & ready;

  function automatic logic touches(logic [3:0] addr, logic [PX-1:0] en, int unsigned bank);
    logic found;
    found = 1'b0;
    for (int unsigned s = 0; s < PX; s++) begin
      if (en[s] && (PX == 1 || 32'(addr[0] ^ 1'(s)) == bank)) found = 1'b1;
    end
    return found;
  endfunction

  always_comb begin
    for (int unsigned b = 0; b < PX; b++) begin
      dense_need[b] = touches(addr_i[0], dense_en_i, b);
      readers[b] = 2'(grant[0] && touches(addr_i[0], dense_en_i, b)) +
                   2'(grant[1] && touches(addr_i[1], fill_en_i, b)) +
                   2'(grant[2] && touches(addr_i[2], PX'(1), b)) +
                   2'(grant[3] && touches(addr_i[3], PX'(1), b));
      writers[b] = '0;
      for (int unsigned w = 0; w < 3; w++) begin
        writers[b] += 2'(wr_valid_i[w] && wr_ready[w] && touches(wr_addr_i[w], PX'(1), b));
      end
    end
  end

  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {refused_q, wr_refused_q} <= '0;
      for (int unsigned i = 0; i < FmReadLatency; i++) grant_q[i] <= '0;
      for (int unsigned r = 0; r < 4; r++) wait_q[r] <= '0;
      for (int unsigned w = 0; w < 3; w++) wr_wait_q[w] <= '0;
    end else begin
      refused_q    <= valid_i & ~ready;
      wr_refused_q <= wr_valid_i & ~wr_ready;
      grant_q[0]   <= grant;
      for (int unsigned i = 1; i < FmReadLatency; i++) grant_q[i] <= grant_q[i-1];
      for (int unsigned r = 0; r < 4; r++) begin
        wait_q[r] <= valid_i[r] && !ready[r] ? wait_q[r] + 3'd1 : '0;
      end
      for (int unsigned w = 0; w < 3; w++) begin
        wr_wait_q[w] <= wr_valid_i[w] && !wr_ready[w] ? wr_wait_q[w] + 3'd1 : '0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    addr_q     <= addr_i;
    wr_addr_q  <= wr_addr_i;
    dense_en_q <= dense_en_i;
    fill_en_q  <= fill_en_i;
  end

  always_comb begin
    if (!started_q) assume (!rst_ni);
    for (int unsigned r = 0; r < 4; r++) begin
      if (refused_q[r]) assume (valid_i[r] && addr_i[r] == addr_q[r]);
    end
    for (int unsigned w = 0; w < 3; w++) begin
      if (wr_refused_q[w]) assume (wr_valid_i[w] && wr_addr_i[w] == wr_addr_q[w]);
    end
    if (refused_q[0]) assume (dense_en_i == dense_en_q);
    if (refused_q[1]) assume (fill_en_i == fill_en_q);
    if (rst_ni) begin
      dense_waits_one_cycle: assert (32'(wait_q[0]) <= DenseWait);
      fill_waits_bounded:    assert (32'(wait_q[1]) <= OtherWait);
      add_waits_bounded:     assert (32'(wait_q[2]) <= OtherWait);
      store_waits_bounded:   assert (32'(wait_q[3]) <= OtherWait);
      one_of_the_others:     assert (32'(grant[1]) + 32'(grant[2]) + 32'(grant[3]) <= 32'd1);
      answers_follow_grants: assert (response == grant_q[FmReadLatency-1]);
      writer_0_waits_bounded: assert (32'(wr_wait_q[0]) <= WriteWait);
      writer_1_waits_bounded: assert (32'(wr_wait_q[1]) <= WriteWait);
      writer_2_waits_bounded: assert (32'(wr_wait_q[2]) <= WriteWait);
      one_reader_a_bank:      assert (readers[0] <= 2'd1 && readers[PX-1] <= 2'd1);
      one_writer_a_bank:      assert (writers[0] <= 2'd1 && writers[PX-1] <= 2'd1);
      reach_longest_wait: assert (!(32'(wait_q[3]) == OtherWait));
      reach_writer_wait:  assert (!(32'(wr_wait_q[2]) == WriteWait));
    end
  end

endmodule
