// hao_dense between memories that stall at random, for cocotb: contents come from and go to files
// in the working folder, so that Python touches the simulation only at both ends of a run. The
// feature memory answers as hao_feature_memory does.
module hao_dense_bench #(
  parameter int unsigned PI          = 16,
  parameter int unsigned PO          = 16,
  parameter int unsigned PX          = 2,
  parameter int unsigned FmWords     = 4096,
  parameter int unsigned WbWords     = 2048,
  parameter int unsigned PbWords     = 128,
  parameter int unsigned LmEntries   = 512,
  parameter int unsigned WinDepth    = 128,
  parameter int unsigned DispEntries = 1024
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        load_i,          // read the files, fill the buffers, then run
  input  logic        dump_i,          // write the files
  input  logic [15:0] count_i,         // instructions
  input  logic [31:0] seed_i,          // of the stalls, not zero
  input  logic  [7:0] stall_instr_i,   // probabilities of 256
  input  logic  [7:0] stall_rd_i,
  input  logic  [7:0] stall_wr_i,
  input  logic  [7:0] stall_win_i,
  output logic        finished_o,
  output logic [31:0] cycles_o,        // first instruction taken to last one done
  output logic [31:0] reads_o          // feature-memory requests granted
);

  import hao_pkg::*;

  localparam int unsigned LmWords   = LmEntries / ListEntries;
  localparam int unsigned MaxInstr  = 1024;

  logic [127:0] fm   [FmWords];
  logic [127:0] wb   [WbWords];
  logic [127:0] pb   [PbWords];
  logic [127:0] lm   [LmWords];
  logic [127:0] win  [WindowBanks*WinDepth];
  logic   [7:0] disp [DispEntries];
  logic [511:0] instr [MaxInstr];

  // Random stalls: one byte a stream and cycle.
  logic [31:0] random_q, random_d;
  always_comb begin
    random_d = random_q ^ (random_q << 13);
    random_d = random_d ^ (random_d >> 17);
    random_d = random_d ^ (random_d << 5);
  end
  logic pause_instr, pause_rd, pause_wr, pause_win;
  assign pause_instr = random_q[7:0]   < stall_instr_i;
  assign pause_rd    = random_q[15:8]  < stall_rd_i;
  assign pause_wr    = random_q[23:16] < stall_wr_i;
  assign pause_win   = random_q[31:24] < stall_win_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) random_q <= 32'd1;
    else         random_q <= load_i ? seed_i : random_d;
  end

  // Fill the buffers as LOAD does, then hand over instructions whose dep_dense is met.
  typedef enum logic [2:0] {Idle, FillWeights, FillParams, FillLists, Run, Finished} state_e;
  state_e       state_q;
  logic [15:0]  fill_q, next_q, done_q;
  logic         instr_valid_q, instr_ready, done, busy, stall, buf_valid, running_q;
  logic [1:0]   buf_target;
  logic [127:0] buf_data;
  dense_instr_t head;

  assign head       = dense_instr_t'(instr[next_q]);
  assign buf_valid  = state_q inside {FillWeights, FillParams, FillLists};
  assign buf_target = state_q == FillWeights ? TargetWeight
                    : state_q == FillParams  ? TargetParam : TargetList;
  assign buf_data   = state_q == FillWeights ? wb[fill_q]
                    : state_q == FillParams  ? pb[fill_q] : lm[fill_q];
  assign finished_o = state_q == Finished;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      fill_q  <= '0;
    end else begin
      fill_q <= fill_q + 16'd1;
      unique case (state_q)
        FillWeights: if (fill_q == 16'(WbWords - 1)) begin
          state_q <= FillParams;
          fill_q  <= '0;
        end
        FillParams: if (fill_q == 16'(PbWords - 1)) begin
          state_q <= FillLists;
          fill_q  <= '0;
        end
        FillLists: if (fill_q == 16'(LmWords - 1)) state_q <= Run;
        Run: if (done_q == count_i) state_q <= Finished;
        default: if (load_i) begin
          state_q <= FillWeights;
          fill_q  <= '0;
        end
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      instr_valid_q <= 1'b0;
      next_q        <= '0;
      done_q        <= '0;
      cycles_o      <= '0;
      reads_o       <= '0;
      running_q     <= 1'b0;
    end else if (load_i) begin
      instr_valid_q <= 1'b0;
      next_q        <= '0;
      done_q        <= '0;
      cycles_o      <= '0;
      reads_o       <= '0;
      running_q     <= 1'b0;
    end else if (state_q == Run) begin
      if (done) done_q <= done_q + 16'd1;
      if (instr_valid_q && instr_ready) begin
        next_q        <= next_q + 16'd1;
        instr_valid_q <= 1'b0;
        running_q     <= 1'b1;
      end else if (!instr_valid_q && next_q < count_i && !pause_instr &&
                   16'(done_q - head.dep_dense) < 16'h8000) begin
        instr_valid_q <= 1'b1;
      end
      if (running_q && done_q != count_i) cycles_o <= cycles_o + 32'd1;
      if (rd_valid && rd_ready) reads_o <= reads_o + 32'd1;
      if (done_q == count_i && busy) $fatal(1, "busy after the last instruction");
      if (stall && !busy) $fatal(1, "stalled but not busy");
    end
  end

  // Memories.
  logic          rd_valid, rd_ready, rsp_valid, wr_valid, win_valid, disp_valid;
  logic [PX-1:0] rd_need, rd_en;
  logic [15:0]   rd_addr [PX], wr_addr [4], wr_mask, disp_addr;
  logic [127:0]  rsp_data [PX], wr_data, win_data;
  logic [1:0]    wr_sel [16];
  logic [3:0]    win_bank;
  logic [11:0]   win_addr;
  logic [7:0]    disp_data;
  logic [FmReadLatency-1:0] rd_valid_q;
  logic [127:0]  rd_data_q [FmReadLatency][PX];

  assign rd_ready  = !pause_rd;
  assign rsp_valid = rd_valid_q[FmReadLatency-1];
  for (genvar s = 0; s < PX; s++) begin : gen_slot
    assign rsp_data[s] = rd_data_q[FmReadLatency-1][s];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rd_valid_q <= '0;
    else rd_valid_q <= {rd_valid_q[FmReadLatency-2:0], rd_valid && rd_ready};
  end

  always_ff @(posedge clk_i) begin
    for (int s = 0; s < PX; s++) begin
      rd_data_q[0][s] <= '0;
      if (rd_valid && rd_ready && rd_en[s]) begin
        if (32'(rd_addr[s]) >= FmWords) $fatal(1, "read of word %0d", rd_addr[s]);
        rd_data_q[0][s] <= fm[rd_addr[s]];
      end else if (!(rd_valid && rd_ready)) begin
        rd_data_q[0][s] <= {4{random_q}};  // nobody's answer
      end
      for (int k = 1; k < FmReadLatency; k++) rd_data_q[k][s] <= rd_data_q[k-1][s];
    end
    if (rd_valid && rd_ready && (rd_en == '0 || rd_need == '0)) $fatal(1, "an empty request");
    if (rd_valid && (&rd_en) && PX == 2 && rd_addr[0][0] == rd_addr[PX-1][0]) begin
      $fatal(1, "two reads in one bank");
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_i) begin
      $readmemh("fm.hex", fm);
      $readmemh("wb.hex", wb);
      $readmemh("pb.hex", pb);
      $readmemh("lm.hex", lm);
      $readmemh("instr.hex", instr);
      for (int a = 0; a < WindowBanks * WinDepth; a++) win[a] = '0;
      for (int a = 0; a < DispEntries; a++) disp[a] = '0;
    end
    if (dump_i) begin
      $writememh("fm.out", fm);
      $writememh("win.out", win);
      $writememh("disp.out", disp);
    end
    if (wr_valid && !pause_wr) begin
      for (int l = 0; l < 16; l++) begin
        if (wr_mask[l]) begin
          if (32'(wr_addr[wr_sel[l]]) >= FmWords) begin
            $fatal(1, "write of word %0d", wr_addr[wr_sel[l]]);
          end
          fm[wr_addr[wr_sel[l]]][8*l+:8] = wr_data[8*l+:8];
        end
      end
      for (int k = 1; k < 4; k++) begin
        if (PX == 2 && wr_addr[k][0] != wr_addr[0][0]) $fatal(1, "a write to two banks");
      end
    end
    if (win_valid && !pause_win) begin
      if (32'(win_bank) >= WindowBanks || 32'(win_addr) >= WinDepth) $fatal(1, "window place");
      win[32'(win_bank)*WinDepth+32'(win_addr)] = win_data;
    end
    if (disp_valid) begin
      if (32'(disp_addr) >= DispEntries) $fatal(1, "displacement entry %0d", disp_addr);
      disp[disp_addr] = disp_data;
    end
  end

  hao_dense #(
    .PI       (PI),
    .PO       (PO),
    .PX       (PX),
    .WbWords  (WbWords),
    .PbWords  (PbWords),
    .LmEntries(LmEntries),
    .WinDepth (WinDepth),
    .TapEnable(1'b1)
  ) i_dense (
    .clk_i,
    .rst_ni,
    .clear_i,
    .instr_valid_i  (instr_valid_q),
    .instr_ready_o  (instr_ready),
    .instr_i        (head),
    .done_o         (done),
    .busy_o         (busy),
    .stall_o        (stall),
    .buf_wr_valid_i (buf_valid),
    .buf_wr_target_i(buf_target),
    .buf_wr_addr_i  (fill_q),
    .buf_wr_data_i  (buf_data),
    .rd_req_valid_o (rd_valid),
    .rd_req_ready_i (rd_ready),
    .rd_req_need_o  (rd_need),
    .rd_req_en_o    (rd_en),
    .rd_req_addr_o  (rd_addr),
    .rd_rsp_valid_i (rsp_valid),
    .rd_rsp_data_i  (rsp_data),
    .wr_valid_o     (wr_valid),
    .wr_ready_i     (!pause_wr),
    .wr_addr_o      (wr_addr),
    .wr_sel_o       (wr_sel),
    .wr_mask_o      (wr_mask),
    .wr_data_o      (wr_data),
    .win_wr_valid_o (win_valid),
    .win_wr_ready_i (!pause_win),
    .win_wr_bank_o  (win_bank),
    .win_wr_addr_o  (win_addr),
    .win_wr_data_o  (win_data),
    .disp_wr_valid_o(disp_valid),
    .disp_wr_addr_o (disp_addr),
    .disp_wr_data_o (disp_data)
  );

endmodule
