// Feature memory: PX banks (bank = address mod PX) of 16 byte-wide RAMs. A write puts each lane at
// an address of its own inside one bank; a read takes whole words. The answer comes FmReadLatency
// cycles after the grant.
module hao_feature_memory
  import hao_pkg::*;
#(
  parameter int unsigned FmWords = 24576,
  parameter int unsigned PX      = 2      // banks, and words of a DENSE or FILL read: 1 or 2
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,

  // Reads: DENSE and FILL ask for up to PX words in different banks, ADD and STORE for one.
  input  logic         dense_rd_valid_i,
  output logic         dense_rd_ready_o,
  input  logic [PX-1:0] dense_rd_en_i,
  input  logic [15:0]  dense_rd_addr_i [PX],
  output logic         dense_rsp_valid_o,
  output logic [127:0] dense_rsp_data_o [PX],

  input  logic         fill_rd_valid_i,
  output logic         fill_rd_ready_o,
  input  logic [PX-1:0] fill_rd_en_i,
  input  logic [15:0]  fill_rd_addr_i [PX],
  output logic         fill_rsp_valid_o,

  input  logic         add_rd_valid_i,
  output logic         add_rd_ready_o,
  input  logic [15:0]  add_rd_addr_i,
  output logic         add_rsp_valid_o,

  input  logic         store_rd_valid_i,
  output logic         store_rd_ready_o,
  input  logic [15:0]  store_rd_addr_i,
  output logic         store_rsp_valid_o,
  output logic [127:0] other_rsp_data_o [PX],  // answers of FILL, ADD (word 0) and STORE (word 0)

  // Writes of LOAD, DENSE and DW, in this order: lane l goes to address addr[sel[l]] where
  // mask[l]. The addresses that lanes use lie in one bank.
  input  logic [2:0]   wr_valid_i,
  output logic [2:0]   wr_ready_o,
  input  logic [15:0]  wr_addr_i [3][4],
  input  logic [1:0]   wr_sel_i [3][Lanes],
  input  logic [15:0]  wr_mask_i [3],
  input  logic [127:0] wr_data_i [3]
);

  localparam int unsigned BankWords = (FmWords + PX - 1) / PX;
  localparam int unsigned IndexBits = $clog2(BankWords);
  localparam int unsigned BankBits  = PX == 2 ? 1 : 0;
  localparam int unsigned Writers   = 3;

  if (PX != 1 && PX != 2) begin : gen_check_px
    $error("hao_feature_memory: PX must be 1 or 2");
  end
  if (FmWords > 65536 || FmWords < 2 * PX) begin : gen_check_words
    $error("hao_feature_memory: FmWords out of range");
  end

  // verilator lint_off UNUSEDSIGNAL
  // The bank is the lowest bit, where there are two.
  function automatic logic bank_of(logic [15:0] addr);
    return PX == 2 ? addr[0] : 1'b0;
  endfunction
  // verilator lint_on UNUSEDSIGNAL

  // Read arbitration: DENSE and one of the others, alternating where they meet in a bank.
  logic [PX-1:0]  dense_need, other_need, other_en;
  logic [2:0]     other_req, other_pick, other_first;  // FILL, ADD, STORE
  logic           dense_first_q, meet, dense_grant, other_grant;
  logic [1:0]     turn_q;  // which of the others comes first
  logic [15:0]    other_addr [PX];

  assign other_req = {store_rd_valid_i, add_rd_valid_i, fill_rd_valid_i};

  always_comb begin
    unique case (turn_q)
      2'd0:    other_first = other_req[0] ? 3'b001 : other_req[1] ? 3'b010 : 3'b100;
      2'd1:    other_first = other_req[1] ? 3'b010 : other_req[2] ? 3'b100 : 3'b001;
      default: other_first = other_req[2] ? 3'b100 : other_req[0] ? 3'b001 : 3'b010;
    endcase
    other_pick = other_first & other_req;
  end

  always_comb begin
    for (int unsigned s = 0; s < PX; s++) begin
      other_en[s]   = fill_rd_en_i[s];
      other_addr[s] = fill_rd_addr_i[s];
    end
    if (!other_pick[0]) begin
      for (int unsigned s = 0; s < PX; s++) other_en[s] = (s == 0);
      other_addr[0] = other_pick[1] ? add_rd_addr_i : store_rd_addr_i;
    end
    meet = 1'b0;
    for (int unsigned b = 0; b < PX; b++) begin
      dense_need[b] = 1'b0;
      other_need[b] = 1'b0;
      for (int unsigned s = 0; s < PX; s++) begin
        if (dense_rd_en_i[s] && 32'(bank_of(dense_rd_addr_i[s])) == b) dense_need[b] = 1'b1;
        if (other_en[s] && 32'(bank_of(other_addr[s])) == b) other_need[b] = 1'b1;
      end
      if (dense_need[b] && other_need[b]) meet = 1'b1;
    end
  end

  assign dense_grant      = dense_rd_valid_i && (!meet || dense_first_q || other_pick == '0);
  assign other_grant      = other_pick != '0 && (!meet || !dense_first_q || !dense_rd_valid_i);
  assign dense_rd_ready_o = dense_grant;
  assign fill_rd_ready_o  = other_grant && other_pick[0];
  assign add_rd_ready_o   = other_grant && other_pick[1];
  assign store_rd_ready_o = other_grant && other_pick[2];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dense_first_q <= 1'b1;
      turn_q        <= '0;
    end else begin
      if (meet && dense_rd_valid_i && other_pick != '0) dense_first_q <= !dense_first_q;
      if (other_grant) turn_q <= other_pick[0] ? 2'd1 : other_pick[1] ? 2'd2 : 2'd0;
    end
  end

  // Cycle 1 after the grant: bank addresses; cycle 2: RAM words; cycle 3: answers.
  logic [2:0]           other_1_q, other_2_q, other_3_q;
  logic                 dense_1_q, dense_2_q, dense_3_q;
  logic [PX-1:0]        dense_en_1_q, dense_en_2_q, dense_bank_1_q, dense_bank_2_q;
  logic [PX-1:0]        other_en_1_q, other_en_2_q, other_bank_1_q, other_bank_2_q, bank_en_q;
  logic [IndexBits-1:0] bank_index_q [PX];
  logic [127:0]         bank_data [PX];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {dense_1_q, dense_2_q, dense_3_q} <= '0;
      {other_1_q, other_2_q, other_3_q} <= '0;
    end else if (clear_i) begin
      {dense_1_q, dense_2_q, dense_3_q} <= '0;
      {other_1_q, other_2_q, other_3_q} <= '0;
    end else begin
      {dense_1_q, dense_2_q, dense_3_q} <= {dense_grant, dense_1_q, dense_2_q};
      other_1_q <= other_grant ? other_pick : '0;
      other_2_q <= other_1_q;
      other_3_q <= other_2_q;
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < PX; b++) begin
      bank_en_q[b] <= (dense_grant && dense_need[b]) || (other_grant && other_need[b]);
      for (int unsigned s = 0; s < PX; s++) begin
        if (dense_grant && dense_rd_en_i[s] && 32'(bank_of(dense_rd_addr_i[s])) == b) begin
          bank_index_q[b] <= IndexBits'(dense_rd_addr_i[s] >> BankBits);
        end
        if (other_grant && other_en[s] && 32'(bank_of(other_addr[s])) == b) begin
          bank_index_q[b] <= IndexBits'(other_addr[s] >> BankBits);
        end
      end
    end
    for (int unsigned s = 0; s < PX; s++) begin
      dense_en_1_q[s]   <= dense_rd_en_i[s];
      dense_bank_1_q[s] <= bank_of(dense_rd_addr_i[s]);
      other_en_1_q[s]   <= other_en[s];
      other_bank_1_q[s] <= bank_of(other_addr[s]);
      dense_en_2_q[s]   <= dense_en_1_q[s];
      dense_bank_2_q[s] <= dense_bank_1_q[s];
      other_en_2_q[s]   <= other_en_1_q[s];
      other_bank_2_q[s] <= other_bank_1_q[s];
      if (dense_2_q) begin
        dense_rsp_data_o[s] <= dense_en_2_q[s] ? bank_data[PX == 2 ? dense_bank_2_q[s] : 0] : '0;
      end
      if (other_2_q != '0) begin
        other_rsp_data_o[s] <= other_en_2_q[s] ? bank_data[PX == 2 ? other_bank_2_q[s] : 0] : '0;
      end
    end
  end

  assign dense_rsp_valid_o = dense_3_q;
  assign {store_rsp_valid_o, add_rsp_valid_o, fill_rsp_valid_o} = other_3_q;

  // Write arbitration, bank by bank; the one that was served last comes last.
  logic [Writers-1:0]   bank_req [PX];
  logic [Writers-1:0]   bank_grant [PX];
  logic [1:0]           writer_q [PX];

  always_comb begin
    wr_ready_o = '0;
    for (int unsigned b = 0; b < PX; b++) begin
      for (int unsigned w = 0; w < Writers; w++) begin
        bank_req[b][w] = wr_valid_i[w] && 32'(bank_of(wr_addr_i[w][0])) == b;
      end
      unique case (writer_q[b])
        2'd0:    bank_grant[b] = bank_req[b][0] ? 3'b001 : bank_req[b][1] ? 3'b010 : 3'b100;
        2'd1:    bank_grant[b] = bank_req[b][1] ? 3'b010 : bank_req[b][2] ? 3'b100 : 3'b001;
        default: bank_grant[b] = bank_req[b][2] ? 3'b100 : bank_req[b][0] ? 3'b001 : 3'b010;
      endcase
      bank_grant[b] &= bank_req[b];
      wr_ready_o    |= bank_grant[b];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned b = 0; b < PX; b++) writer_q[b] <= '0;
    end else begin
      for (int unsigned b = 0; b < PX; b++) begin
        if (bank_grant[b] != '0) begin
          writer_q[b] <= bank_grant[b][0] ? 2'd1 : bank_grant[b][1] ? 2'd2 : 2'd0;
        end
      end
    end
  end

  for (genvar b = 0; b < int'(PX); b++) begin : gen_bank
    logic [1:0] writer;
    assign writer = bank_grant[b][2] ? 2'd2 : bank_grant[b][1] ? 2'd1 : 2'd0;

    hao_fm_bank #(
      .Words   (BankWords),
      .BankBits(BankBits)
    ) u_bank (
      .clk_i,
      .rst_ni,
      .wr_valid_i(bank_grant[b] != '0),
      .wr_addr_i (wr_addr_i[writer]),
      .wr_sel_i  (wr_sel_i[writer]),
      .wr_mask_i (wr_mask_i[writer]),
      .wr_data_i (wr_data_i[writer]),
      .rd_en_i   (bank_en_q[b]),
      .rd_index_i(bank_index_q[b]),
      .rd_data_o (bank_data[b])
    );

`ifndef SYNTHESIS
    assert property (@(posedge clk_i) disable iff (!rst_ni) $onehot0(bank_grant[b]))
      else $error("hao_feature_memory: two writers in bank %0d", b);
`endif
  end

`ifndef SYNTHESIS
  if (PX == 2) begin : gen_assert_banks
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     dense_rd_valid_i && dense_rd_en_i[0] && dense_rd_en_i[1] |->
                     dense_rd_addr_i[0][0] != dense_rd_addr_i[1][0])
      else $error("hao_feature_memory: DENSE asks for two words of one bank");
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     fill_rd_valid_i && fill_rd_en_i[0] && fill_rd_en_i[1] |->
                     fill_rd_addr_i[0][0] != fill_rd_addr_i[1][0])
      else $error("hao_feature_memory: FILL asks for two words of one bank");
  end
  for (genvar s = 0; s < int'(PX); s++) begin : gen_assert_range
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     dense_rd_valid_i && dense_rd_en_i[s] |-> 32'(dense_rd_addr_i[s]) < FmWords)
      else $error("hao_feature_memory: DENSE reads word %0d", dense_rd_addr_i[s]);
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     other_pick != '0 && other_en[s] |-> 32'(other_addr[s]) < FmWords)
      else $error("hao_feature_memory: word %0d read by %b", other_addr[s], other_pick);
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   dense_rd_valid_i && !dense_rd_ready_o |=> dense_rd_valid_i && dense_rd_ready_o)
    else $error("hao_feature_memory: DENSE was refused twice, or withdrew its request");
`endif

endmodule
