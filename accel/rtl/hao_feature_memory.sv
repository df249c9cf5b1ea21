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
  input  logic [PX-1:0] dense_rd_need_i,  // the banks that it touches
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

  // Whether a goes before b, both of 0 to 2 and taking turns: turn has one bit for who comes first,
  // and one of them decides about each pair.
  function automatic logic precedes(int unsigned a, int unsigned b, logic [2:0] turn);
    unique case (a + b)
      1:       return (a == 1) == turn[1];
      2:       return (a == 0) == turn[0];
      default: return (a == 2) == turn[2];
    endcase
  endfunction

  // Read arbitration: DENSE and one of the others, alternating where they meet in a bank. Bank
  // conflicts are found for each of the others while it is decided which one comes first.
  logic [PX-1:0]  other_need [3], other_en;
  logic [2:0]     other_req, other_pick, other_grant, meet;  // FILL, ADD, STORE
  logic           dense_first_q, dense_grant;
  logic [2:0]     turn_q;  // which of the others comes first, one bit each
  logic [15:0]    other_addr [PX];

  assign other_req  = {store_rd_valid_i, add_rd_valid_i, fill_rd_valid_i};

  always_comb begin
    other_pick = other_req;
    for (int unsigned r = 0; r < 3; r++) begin
      for (int unsigned q = 0; q < 3; q++) begin
        if (q != r && other_req[q] && precedes(q, r, turn_q)) other_pick[r] = 1'b0;
      end
    end
  end

  always_comb begin
    for (int unsigned b = 0; b < PX; b++) begin
      other_need[0][b] = 1'b0;
      for (int unsigned s = 0; s < PX; s++) begin
        if (fill_rd_en_i[s] && 32'(bank_of(fill_rd_addr_i[s])) == b) other_need[0][b] = 1'b1;
      end
      other_need[1][b] = 32'(bank_of(add_rd_addr_i)) == b;
      other_need[2][b] = 32'(bank_of(store_rd_addr_i)) == b;
    end
    for (int unsigned r = 0; r < 3; r++) meet[r] = (dense_rd_need_i & other_need[r]) != '0;
    for (int unsigned s = 0; s < PX; s++) begin
      other_en[s]   = other_pick[0] ? fill_rd_en_i[s] : s == 0;
      other_addr[s] = fill_rd_addr_i[s];
    end
    if (!other_pick[0]) other_addr[0] = other_pick[1] ? add_rd_addr_i : store_rd_addr_i;
  end

  assign dense_rd_ready_o = dense_first_q || (other_pick & meet) == '0;
  assign dense_grant      = dense_rd_valid_i && dense_rd_ready_o;
  assign other_grant      = other_pick & ~(meet & {3{dense_first_q && dense_rd_valid_i}});
  assign {store_rd_ready_o, add_rd_ready_o, fill_rd_ready_o} = other_grant;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dense_first_q <= 1'b1;
      turn_q        <= 3'b001;
    end else begin
      if (dense_rd_valid_i && (other_pick & meet) != '0) dense_first_q <= !dense_first_q;
      if (other_grant != '0) turn_q <= {other_grant[1:0], other_grant[2]};
    end
  end

  // Cycle 1 after the grant: bank addresses; cycle 2: RAM words; cycle 3: answers.
  logic [2:0]           other_1_q, other_2_q, other_3_q;
  logic                 dense_1_q, dense_2_q, dense_3_q;
  logic [PX-1:0]        dense_en_1_q, dense_en_2_q, dense_bank_1_q, dense_bank_2_q;
  logic [PX-1:0]        other_en_1_q, other_en_2_q, other_bank_1_q, other_bank_2_q, bank_en_q;
  logic [PX-1:0]        other_bank;  // the other one reads there
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
      other_1_q <= other_grant;
      other_2_q <= other_1_q;
      other_3_q <= other_2_q;
    end
  end

  logic [IndexBits-1:0] dense_index [PX], other_index [PX];

  always_comb begin
    for (int unsigned b = 0; b < PX; b++) begin
      other_bank[b] = 1'b0;
      for (int unsigned r = 0; r < 3; r++) begin
        if (other_grant[r] && other_need[r][b]) other_bank[b] = 1'b1;
      end
      // the word of slot 0, unless that lies in another bank
      dense_index[b] = IndexBits'(dense_rd_addr_i[0] >> BankBits);
      other_index[b] = IndexBits'(other_addr[0] >> BankBits);
      if (dense_rd_en_i[PX-1] && 32'(bank_of(dense_rd_addr_i[PX-1])) == b) begin
        dense_index[b] = IndexBits'(dense_rd_addr_i[PX-1] >> BankBits);
      end
      if (other_en[PX-1] && 32'(bank_of(other_addr[PX-1])) == b) begin
        other_index[b] = IndexBits'(other_addr[PX-1] >> BankBits);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < PX; b++) begin
      bank_en_q[b]    <= (dense_grant && dense_rd_need_i[b]) || other_bank[b];
      bank_index_q[b] <= other_bank[b] ? other_index[b] : dense_index[b];
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
  logic [Writers-1:0]   turn_wr_q [PX];  // which writer comes first, one bit each

  always_comb begin
    wr_ready_o = '1;
    for (int unsigned w = 0; w < Writers; w++) begin
      for (int unsigned v = 0; v < Writers; v++) begin
        if (v != w && wr_valid_i[v] && bank_of(wr_addr_i[v][0]) == bank_of(wr_addr_i[w][0]) &&
            precedes(v, w, turn_wr_q[PX == 2 ? 32'(bank_of(wr_addr_i[w][0])) : 0])) begin
          wr_ready_o[w] = 1'b0;
        end
      end
    end
    for (int unsigned b = 0; b < PX; b++) begin
      for (int unsigned w = 0; w < Writers; w++) begin
        bank_req[b][w] = wr_valid_i[w] && 32'(bank_of(wr_addr_i[w][0])) == b;
      end
      bank_grant[b] = bank_req[b] & wr_ready_o;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned b = 0; b < PX; b++) turn_wr_q[b] <= 3'b001;
    end else begin
      for (int unsigned b = 0; b < PX; b++) begin
        if (bank_grant[b] != '0) begin
          turn_wr_q[b] <= {bank_grant[b][1:0], bank_grant[b][2]};
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
    assert property (@(posedge clk_i) disable iff (!rst_ni)
                     $onehot0(bank_grant[b]) && $onehot(turn_wr_q[b]))
      else $error("hao_feature_memory: two writers in bank %0d", b);
    logic need;
    always_comb begin
      need = 1'b0;
      for (int unsigned s = 0; s < PX; s++) begin
        if (dense_rd_en_i[s] && 32'(bank_of(dense_rd_addr_i[s])) == b) need = 1'b1;
      end
    end
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     dense_rd_valid_i |-> dense_rd_need_i[b] == need)
      else $error("hao_feature_memory: DENSE misnames what it needs of bank %0d", b);
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
  assert property (@(posedge clk_i) disable iff (!rst_ni)
                   $onehot0(other_grant) && $onehot(turn_q))
    else $error("hao_feature_memory: two of FILL, ADD and STORE read at once");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   dense_rd_valid_i && !dense_rd_ready_o |=> dense_rd_valid_i && dense_rd_ready_o)
    else $error("hao_feature_memory: DENSE was refused twice, or withdrew its request");
`endif

endmodule
