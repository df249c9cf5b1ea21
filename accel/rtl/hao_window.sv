// Window memory: eleven banks of slices (docs/isa.md), one write and nine reads a cycle.
//
// Writers are served round robin; an accepted word can be read from 2 cycles later. Reads are never
// refused and answer WinReadLatency = 4 cycles later: tap requests are steered to their banks, the
// banks read in two cycles, and every tap selects its bank's word. Enabled taps meet different
// banks, or one bank at one address; taps not enabled read zero.
module hao_window #(
  parameter int unsigned WinDepth = 512,
  localparam int unsigned Writers = 2
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       clear_i,
  input  logic [Writers-1:0]         wr_valid_i,
  output logic [Writers-1:0]         wr_ready_o,
  input  logic [3:0]                 wr_bank_i  [Writers],
  input  logic [11:0]                wr_addr_i  [Writers],
  input  logic [hao_pkg::WordBits-1:0] wr_data_i [Writers],
  input  logic                       rd_valid_i,
  input  logic [hao_pkg::Taps-1:0]   rd_en_i,
  input  logic [3:0]                 rd_bank_i  [hao_pkg::Taps],
  input  logic [11:0]                rd_addr_i  [hao_pkg::Taps],
  output logic                       rd_valid_o,
  output logic [hao_pkg::WordBits-1:0] rd_data_o [hao_pkg::Taps]
);

  import hao_pkg::*;

  localparam int unsigned AddrWidth   = $clog2(WinDepth);

  if (WinDepth < 32 || WinDepth > 4096) begin : gen_check
    $error("hao_window: WinDepth must be 32 to 4096, not %0d", WinDepth);
  end
  if (WinReadLatency != 4 || WindowBanks != 11 || Taps != 9) begin : gen_check_contract
    $error("hao_window: built for 11 banks, 9 taps and a read latency of 4");
  end

  // Writers: the one that was not served last comes first. Neither's ready looks at its own valid.
  logic                   last_q, winner;
  logic [WindowBanks-1:0] wr_en_q;
  logic [AddrWidth-1:0]   wr_addr_q;
  logic [WordBits-1:0]    wr_data_q;

  always_comb begin
    wr_ready_o[0] = !(wr_valid_i[1] && !last_q);
    wr_ready_o[1] = !(wr_valid_i[0] && last_q);
    winner        = wr_valid_i[1] && wr_ready_o[1];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      last_q  <= '0;
      wr_en_q <= '0;
    end else begin
      wr_en_q <= '0;
      if (wr_valid_i != '0 && !clear_i) begin
        last_q                     <= winner;
        wr_en_q[wr_bank_i[winner]] <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (wr_valid_i != '0) begin
      wr_addr_q <= AddrWidth'(wr_addr_i[winner]);
      wr_data_q <= wr_data_i[winner];
    end
  end

  // Cycle 1: requests by bank. Taps that meet one bank name one address, so an OR selects.
  logic [WindowBanks-1:0] bank_en, bank_en_q;
  logic [AddrWidth-1:0]   bank_addr [WindowBanks], bank_addr_q [WindowBanks];
  logic [WordBits-1:0]    bank_data [WindowBanks];

  always_comb begin
    bank_en   = '0;
    bank_addr = '{default: '0};
    if (rd_valid_i) begin
      for (int unsigned b = 0; b < WindowBanks; b++) begin
        for (int unsigned t = 0; t < Taps; t++) begin
          if (rd_en_i[t] && 32'(rd_bank_i[t]) == b) begin
            bank_en[b]   = 1'b1;
            bank_addr[b] = bank_addr[b] | AddrWidth'(rd_addr_i[t]);
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bank_en_q <= '0;
    end else begin
      bank_en_q <= bank_en;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rd_valid_i) bank_addr_q <= bank_addr;
  end

  // Cycles 2 and 3: the banks.
  for (genvar b = 0; b < WindowBanks; b++) begin : gen_bank
    hao_ram #(
      .Width  (WordBits),
      .Depth  (WinDepth),
      .Latency(2)
    ) i_bank (
      .clk_i,
      .wr_en_i  (wr_en_q[b]),
      .wr_addr_i(wr_addr_q),
      .wr_data_i(wr_data_q),
      .rd_en_i  (bank_en_q[b]),
      .rd_addr_i(bank_addr_q[b]),
      .rd_data_o(bank_data[b])
    );
  end

  // Cycle 4: every tap takes its bank's word.
  logic [WinReadLatency-2:0] valid_q;  // bit k: k + 1 cycles after the request
  logic [Taps-1:0]           en_q   [WinReadLatency-1];
  logic [3:0]                sel_q  [WinReadLatency-1][Taps];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q    <= '0;
      rd_valid_o <= 1'b0;
    end else begin
      valid_q    <= clear_i ? '0 : {valid_q[WinReadLatency-3:0], rd_valid_i};
      rd_valid_o <= valid_q[WinReadLatency-2] && !clear_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rd_valid_i) begin
      en_q[0]  <= rd_en_i;
      sel_q[0] <= rd_bank_i;
    end
    for (int unsigned k = 1; k < WinReadLatency - 1; k++) begin
      if (valid_q[k-1]) begin
        en_q[k]  <= en_q[k-1];
        sel_q[k] <= sel_q[k-1];
      end
    end
  end

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    logic [3:0] sel;
    assign sel = sel_q[WinReadLatency-2][t];
    always_ff @(posedge clk_i) begin
      if (valid_q[WinReadLatency-2]) begin
        rd_data_o[t] <= en_q[WinReadLatency-2][t] ? bank_data[sel] : '0;
      end
    end
  end

`ifndef SYNTHESIS
  for (genvar t = 0; t < Taps; t++) begin : gen_assert_tap
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) rd_valid_i && rd_en_i[t] |->
                     32'(rd_bank_i[t]) < WindowBanks && 32'(rd_addr_i[t]) < WinDepth)
      else $error("hao_window: tap %0d reads bank %0d, address %0d", t, rd_bank_i[t], rd_addr_i[t]);
    // The OR above would mix two addresses: each enabled tap must find its own.
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) rd_valid_i && rd_en_i[t] |->
                     bank_addr[rd_bank_i[t]] == AddrWidth'(rd_addr_i[t]))
      else $error("hao_window: tap %0d meets another tap in bank %0d", t, rd_bank_i[t]);
  end
  for (genvar w = 0; w < Writers; w++) begin : gen_assert_writer
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) wr_valid_i[w] |->
                     32'(wr_bank_i[w]) < WindowBanks && 32'(wr_addr_i[w]) < WinDepth)
      else $error("hao_window: writer %0d: bank %0d, address %0d", w, wr_bank_i[w], wr_addr_i[w]);
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     wr_valid_i[w] && !wr_ready_o[w] |=> wr_valid_i[w] && $stable(wr_addr_i[w]))
      else $error("hao_window: writer %0d withdrew a word", w);
  end
`endif

endmodule
