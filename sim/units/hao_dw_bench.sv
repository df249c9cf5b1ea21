// Bench of FILL, the window and unit DW: runs a program of FILL, DW and ADD instructions on a feature
// memory of the bench, whose grants, and those of the window, stall at random.
//
// load_i reads fm.hex, pb.hex, disp.hex and program.hex from the working folder and fills the
// memories; run_i starts the program; finished_o stays high from the last completion; dump_i writes
// the feature memory to fm_out.hex.
module hao_dw_bench #(
  parameter int unsigned PX          = 2,
  parameter int unsigned DwLanes     = 16,
  parameter int unsigned FmWords     = 16384,
  parameter int unsigned WinDepth    = 512,
  parameter int unsigned PbWords     = 1024,
  parameter int unsigned DispEntries = 4096,
  parameter int unsigned MaxProgram  = 512
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        clear_i,
  input  logic        load_i,
  output logic        loaded_o,
  input  logic        run_i,
  output logic        finished_o,
  input  logic        dump_i,
  input  logic [15:0] length_i,       // instructions of the program
  input  logic [31:0] stall_i,        // of 256, a byte each: FILL's reads, window, ADD's reads, writes
  input  logic [31:0] seed_i,
  output logic [31:0] cycles_o,       // from run_i to the last completion
  output logic [31:0] dw_busy_o,
  output logic [31:0] dw_stall_o,
  output logic [31:0] dw_words_o,
  output logic [31:0] fill_busy_o,
  output logic [31:0] fill_words_o
);

  import hao_pkg::*;

  // Files.
  logic [127:0] fm_q      [FmWords];
  logic [127:0] pb_file   [PbWords];
  logic [7:0]   disp_file [DispEntries];
  logic [511:0] program_q [MaxProgram];
  logic [31:0]  load_at_q;
  logic         loading_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      loading_q <= 1'b0;
      load_at_q <= '0;
      loaded_o  <= 1'b0;
    end else if (load_i) begin
      $readmemh("pb.hex", pb_file);
      $readmemh("disp.hex", disp_file);
      $readmemh("program.hex", program_q);
      loading_q <= 1'b1;
      loaded_o  <= 1'b0;
      load_at_q <= '0;
    end else if (loading_q) begin
      load_at_q <= load_at_q + 1;
      if (load_at_q >= PbWords && load_at_q >= DispEntries) begin
        loading_q <= 1'b0;
        loaded_o  <= 1'b1;
      end
    end
  end

  // Stalls.
  logic [31:0] noise_q;
  logic [3:0]  stall;
  for (genvar k = 0; k < 4; k++) begin : gen_stall
    assign stall[k] = noise_q[8*k+:8] < stall_i[8*k+:8];
  end
  always_ff @(posedge clk_i) begin
    logic [31:0] next;
    next    = load_i ? seed_i | 32'd1 : noise_q;
    next    = next ^ (next << 13);
    next    = next ^ (next >> 17);
    noise_q <= next ^ (next << 5);
  end

  // Program and queues.
  logic [15:0]  next_q, done_q, count_q [NumUnits];
  logic         running_q, fill_done, dw_done;
  logic         queue_valid [2], queue_ready [2], unit_valid [2], unit_ready [2];
  logic [511:0] unit_instr [2];
  header_t      header;
  logic         to_fill;

  assign header         = header_t'(program_q[next_q[$clog2(MaxProgram)-1:0]]);
  assign to_fill        = header.opcode == OpFill;
  assign queue_valid[0] = running_q && next_q < length_i && to_fill;
  assign queue_valid[1] = running_q && next_q < length_i && !to_fill;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i || load_i) begin
      next_q     <= '0;
      done_q     <= '0;
      running_q  <= 1'b0;
      finished_o <= 1'b0;
      count_q    <= '{default: '0};
    end else begin
      if (run_i) running_q <= 1'b1;
      if ((queue_valid[0] && queue_ready[0]) || (queue_valid[1] && queue_ready[1])) begin
        next_q <= next_q + 16'd1;
      end
      done_q            <= done_q + 16'(fill_done) + 16'(dw_done);
      count_q[UnitFill] <= count_q[UnitFill] + 16'(fill_done);
      count_q[UnitDw]   <= count_q[UnitDw] + 16'(dw_done);
      if (running_q && done_q == length_i) begin
        running_q  <= 1'b0;
        finished_o <= 1'b1;
      end
    end
  end

  for (genvar u = 0; u < 2; u++) begin : gen_issue
    hao_issue #(
      .QueueDepth(8)
    ) i_issue (
      .clk_i, .rst_ni, .clear_i,
      .halt_i      (1'b0),
      .in_valid_i  (queue_valid[u]),
      .in_ready_o  (queue_ready[u]),
      .in_instr_i  (program_q[next_q[$clog2(MaxProgram)-1:0]]),
      .done_count_i(count_q),
      .out_valid_o (unit_valid[u]),
      .out_ready_i (unit_ready[u]),
      .out_instr_o (unit_instr[u]),
      .done_i      (u == 0 ? fill_done : dw_done),
      .empty_o     (),
      .active_o    (),
      .wait_dep_o  ()
    );
  end

  // Units and window.
  logic          fill_req, fill_rsp, add_req, add_rsp, wr_valid, fill_busy, dw_busy, dw_stall;
  logic [PX-1:0] fill_en;
  logic [15:0]   fill_addr [PX], add_addr, wr_addr [4], wr_mask;
  logic [127:0]  fill_data [PX], add_data, wr_data;
  logic [1:0]    wr_sel [Lanes];
  logic          fill_win_valid, fill_win_ready;
  logic [1:0]    win_valid, win_ready;
  logic [3:0]    win_bank [2];
  logic [11:0]   win_addr [2];
  logic [127:0]  win_data [2];
  logic          rd_valid, rd_rsp_valid;
  logic [8:0]    rd_en;
  logic [3:0]    rd_bank [9];
  logic [11:0]   rd_addr [9];
  logic [127:0]  rd_data [9];

  hao_fill #(
    .PX      (PX),
    .WinDepth(WinDepth)
  ) i_fill (
    .clk_i, .rst_ni, .clear_i,
    .instr_valid_i (unit_valid[0]),
    .instr_ready_o (unit_ready[0]),
    .instr_i       (unit_instr[0]),
    .done_o        (fill_done),
    .busy_o        (fill_busy),
    .stall_o       (),
    .rd_req_valid_o(fill_req),
    .rd_req_ready_i(!stall[0]),
    .rd_req_en_o   (fill_en),
    .rd_req_addr_o (fill_addr),
    .rd_rsp_valid_i(fill_rsp),
    .rd_rsp_data_i (fill_data),
    .win_wr_valid_o(fill_win_valid),
    .win_wr_ready_i(fill_win_ready),
    .win_wr_bank_o (win_bank[1]),
    .win_wr_addr_o (win_addr[1]),
    .win_wr_data_o (win_data[1])
  );

  assign win_valid      = {fill_win_valid && !stall[1], 1'b0};
  assign fill_win_ready = win_ready[1] && !stall[1];
  assign win_bank[0]    = '0;
  assign win_addr[0]    = '0;
  assign win_data[0]    = '0;

  hao_window #(
    .WinDepth(WinDepth)
  ) i_window (
    .clk_i, .rst_ni, .clear_i,
    .wr_valid_i(win_valid),
    .wr_ready_o(win_ready),
    .wr_bank_i (win_bank),
    .wr_addr_i (win_addr),
    .wr_data_i (win_data),
    .rd_valid_i(rd_valid),
    .rd_en_i   (rd_en),
    .rd_bank_i (rd_bank),
    .rd_addr_i (rd_addr),
    .rd_valid_o(rd_rsp_valid),
    .rd_data_o (rd_data)
  );

  hao_dw #(
    .DwLanes    (DwLanes),
    .PbWords    (PbWords),
    .DispEntries(DispEntries),
    .TapEnable  (1'b1)
  ) i_dw (
    .clk_i, .rst_ni, .clear_i,
    .instr_valid_i  (unit_valid[1]),
    .instr_ready_o  (unit_ready[1]),
    .instr_i        (unit_instr[1]),
    .done_o         (dw_done),
    .busy_o         (dw_busy),
    .stall_o        (dw_stall),
    .buf_wr_valid_i (loading_q && load_at_q < PbWords),
    .buf_wr_target_i(TargetParam),
    .buf_wr_addr_i  (16'(load_at_q)),
    .buf_wr_data_i  (pb_file[load_at_q[$clog2(PbWords)-1:0]]),
    .disp_wr_valid_i(loading_q && load_at_q < DispEntries),
    .disp_wr_addr_i (16'(load_at_q)),
    .disp_wr_data_i (disp_file[load_at_q[$clog2(DispEntries)-1:0]]),
    .win_rd_valid_o (rd_valid),
    .win_rd_en_o    (rd_en),
    .win_rd_bank_o  (rd_bank),
    .win_rd_addr_o  (rd_addr),
    .win_rd_valid_i (rd_rsp_valid),
    .win_rd_data_i  (rd_data),
    .rd_req_valid_o (add_req),
    .rd_req_ready_i (!stall[2]),
    .rd_req_addr_o  (add_addr),
    .rd_rsp_valid_i (add_rsp),
    .rd_rsp_data_i  (add_data),
    .wr_valid_o     (wr_valid),
    .wr_ready_i     (!stall[3]),
    .wr_addr_o      (wr_addr),
    .wr_sel_o       (wr_sel),
    .wr_mask_o      (wr_mask),
    .wr_data_o      (wr_data)
  );

  // Feature memory: answers FmReadLatency cycles after the grant.
  localparam int unsigned FmBits = $clog2(FmWords);
  logic [FmReadLatency-1:0] fill_wait_q, add_wait_q;
  logic [127:0]             fill_pipe_q [FmReadLatency][PX], add_pipe_q [FmReadLatency];

  assign fill_rsp  = fill_wait_q[FmReadLatency-1];
  assign fill_data = fill_pipe_q[FmReadLatency-1];
  assign add_rsp   = add_wait_q[FmReadLatency-1];
  assign add_data  = add_pipe_q[FmReadLatency-1];

  always_ff @(posedge clk_i) begin
    fill_wait_q <= clear_i ? '0 : {fill_wait_q[FmReadLatency-2:0], fill_req && !stall[0]};
    add_wait_q  <= clear_i ? '0 : {add_wait_q[FmReadLatency-2:0], add_req && !stall[2]};
    for (int k = 0; k < PX; k++) begin
      fill_pipe_q[0][k] <= fill_en[k] ? fm_q[fill_addr[k][FmBits-1:0]] : '0;
      if (fill_req && fill_en[k]) assert (32'(fill_addr[k]) < FmWords);
    end
    if (PX == 2 && fill_req && fill_en == '1) assert (fill_addr[0][0] != fill_addr[PX-1][0]);
    add_pipe_q[0] <= fm_q[add_addr[FmBits-1:0]];
    if (add_req) assert (32'(add_addr) < FmWords);
    for (int s = 1; s < FmReadLatency; s++) begin
      fill_pipe_q[s] <= fill_pipe_q[s-1];
      add_pipe_q[s]  <= add_pipe_q[s-1];
    end
    if (load_i) begin
      $readmemh("fm.hex", fm_q);
    end else if (wr_valid && !stall[3]) begin
      for (int l = 0; l < Lanes; l++) begin
        if (wr_mask[l]) begin
          assert (32'(wr_addr[wr_sel[l]]) < FmWords);
          fm_q[wr_addr[wr_sel[l]][FmBits-1:0]][8*l+:8] <= wr_data[8*l+:8];
        end
      end
    end
  end

  // Counters and the way out.
  always_ff @(posedge clk_i) begin
    if (load_i || run_i) begin
      cycles_o     <= '0;
      dw_busy_o    <= '0;
      dw_stall_o   <= '0;
      dw_words_o   <= '0;
      fill_busy_o  <= '0;
      fill_words_o <= '0;
    end else begin
      if (running_q) cycles_o <= cycles_o + 1;
      if (dw_busy) dw_busy_o <= dw_busy_o + 1;
      if (dw_stall) dw_stall_o <= dw_stall_o + 1;
      if (wr_valid && !stall[3]) dw_words_o <= dw_words_o + 1;
      if (fill_busy) fill_busy_o <= fill_busy_o + 1;
      if (win_valid[1] && win_ready[1]) fill_words_o <= fill_words_o + 1;
    end
    if (dump_i) $writememh("fm_out.hex", fm_q);
  end

endmodule
