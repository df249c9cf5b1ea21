// ADD: reads two planes of the feature memory and feeds their pixels to the requantization lanes.
//
// Requests alternate between the operands; answers wait in two buffers. A word takes a beat of
// operand a and one of operand b; with DwLanes = 8 lanes 0-7 first, then 8-15: four beats. A word
// begins only where go_i is high. instr_i must be stable for two cycles before start_i.
module hao_dw_add #(
  parameter int unsigned DwLanes  = 16,
  parameter int unsigned Prefetch = 8    // words of each operand, answered or in flight
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                clear_i,
  input  logic                start_i,
  // verilator lint_off UNUSEDSIGNAL
  input  hao_pkg::add_instr_t instr_i,
  // verilator lint_on UNUSEDSIGNAL
  input  logic [15:0]         src_addr_i [2],
  output logic                active_o,
  // Feature memory
  output logic                rd_req_valid_o,
  input  logic                rd_req_ready_i,
  output logic [15:0]         rd_req_addr_o,
  input  logic                rd_rsp_valid_i,
  input  logic [127:0]        rd_rsp_data_i,
  // Beats
  input  logic                go_i,
  output logic                begin_o,   // a word begins
  output logic                valid_o,
  output logic                second_o,  // operand b
  output logic                half_o,
  output logic                last_o,    // of the instruction's last word
  output logic signed [8:0]   value_o [DwLanes],
  output logic [16:0]         mult_o,
  output logic [2:0]          shift_o,
  output logic signed [15:0]  lo_o,
  output logic signed [15:0]  hi_o
);

  import hao_pkg::*;

  localparam int unsigned Halves      = Lanes / DwLanes;
  localparam int unsigned CreditWidth = $clog2(Prefetch + 1);

  if (Prefetch < (FmReadLatency + 3) / 2) begin : gen_check
    $error("hao_dw_add: Prefetch is too small");
  end

  logic                   a_signed_q, b_signed_q, active_q, read_q, odd_q, grant, pop, credit;
  logic                   granted_q, credit_q;
  logic                   request_q;  // words to be read, and credit or half a pair
  logic [16:0]            m1_q, m2_q;
  logic [15:0]            addr_q [2], req_addr_q;  // req: of the request; addr: the next ones
  logic [15:0]            last_x_q, read_left_q, read_rows_q, left_q, rows_q;
  logic [CreditWidth-1:0] used_q;
  logic                   read_end;

  // The next instruction.
  logic [15:0] next_last_x_q, next_rows_q;
  logic        next_narrow_q, next_single_q;  // one column; one row

  always_ff @(posedge clk_i) begin
    next_last_x_q <= instr_i.out_w - 16'd1;
    next_narrow_q <= next_last_x_q == '0;
    next_rows_q   <= instr_i.y1 - instr_i.y0;
    next_single_q <= next_rows_q == 16'd1;
  end

  // Read ahead. Whether there is credit, and so a request, is decided a cycle ahead.
  assign credit         = pop || (credit_q && !(grant && !odd_q && 32'(used_q) == Prefetch - 1));
  assign rd_req_valid_o = request_q;
  assign rd_req_addr_o  = req_addr_q;
  assign grant          = rd_req_valid_o && rd_req_ready_i;
  assign read_end       = grant && odd_q && read_left_q == '0 && read_rows_q == 16'd1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {read_q, request_q, granted_q, odd_q, credit_q} <= 5'b00001;
      used_q <= '0;
    end else if (clear_i) begin
      {read_q, request_q, granted_q, odd_q, credit_q} <= 5'b00001;
      used_q <= '0;
    end else begin
      if (start_i) read_q <= 1'b1;
      else if (read_end) read_q <= 1'b0;
      if (grant) odd_q <= !odd_q;
      credit_q  <= credit;
      granted_q <= grant;
      request_q <= (start_i || (read_q && !read_end)) && ((odd_q != grant) || credit);
      if ((grant && !odd_q) != pop) begin
        used_q <= pop ? used_q - CreditWidth'(1) : used_q + CreditWidth'(1);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      a_signed_q  <= instr_i.a_signed;
      b_signed_q  <= instr_i.b_signed;
      m1_q        <= instr_i.m1;
      m2_q        <= instr_i.m2;
      shift_o     <= instr_i.shift;
      lo_o        <= instr_i.lo;
      hi_o        <= instr_i.hi;
      req_addr_q  <= src_addr_i[0];
      addr_q[0]   <= src_addr_i[0] + 16'd1;
      addr_q[1]   <= src_addr_i[1];
      last_x_q    <= next_last_x_q;
      read_left_q <= next_last_x_q;
      read_rows_q <= next_rows_q;
    end else begin
      if (grant) req_addr_q <= addr_q[!odd_q];
      // what the next request but one needs follows a cycle after the grant
      if (granted_q) addr_q[odd_q] <= addr_q[odd_q] + 16'd1;
      if (granted_q && !odd_q) begin
        read_left_q <= read_left_q == '0 ? last_x_q : read_left_q - 16'd1;
        if (read_left_q == '0) read_rows_q <= read_rows_q - 16'd1;
      end
    end
  end

  // Answers: a and b in turn.
  logic                   answer_odd_q;
  logic [1:0]             word_valid, unused_ready;
  logic [WordBits-1:0]    word [2];
  logic [CreditWidth-1:0] unused_level [2];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)             answer_odd_q <= 1'b0;
    else if (clear_i)        answer_odd_q <= 1'b0;
    else if (rd_rsp_valid_i) answer_odd_q <= !answer_odd_q;
  end

  for (genvar k = 0; k < 2; k++) begin : gen_operand
    hao_fifo #(
      .Width(WordBits),
      .Depth(Prefetch)
    ) i_words (
      .clk_i,
      .rst_ni,
      .clear_i,
      .in_valid_i (rd_rsp_valid_i && answer_odd_q == k),
      .in_ready_o (unused_ready[k]),
      .in_data_i  (rd_rsp_data_i),
      .out_valid_o(word_valid[k]),
      .out_ready_i(pop),
      .out_data_o (word[k]),
      .level_o    (unused_level[k])
    );
  end

  // Beats of the word in front.
  logic [1:0] phase_q;  // bit 0: operand b; bit 1: upper half
  logic       phase_last, row_end_q, last_row_q;
  logic [8*DwLanes-1:0] operand;

  assign phase_last = phase_q == (Halves == 1 ? 2'd1 : 2'd3);
  assign begin_o    = active_q && word_valid == '1 && phase_q == '0 && go_i;
  assign valid_o    = begin_o || phase_q != '0;
  assign second_o   = phase_q[0];
  assign half_o     = phase_q[1];
  assign last_o     = row_end_q && last_row_q;  // both are decided a word ahead
  assign pop        = valid_o && phase_last;
  assign active_o   = active_q;
  assign mult_o     = second_o ? m2_q : m1_q;

  if (Halves == 1) begin : gen_whole
    assign operand = word[second_o];
  end else begin : gen_half
    assign operand = half_o ? word[second_o][WordBits-1-:8*DwLanes] : word[second_o][8*DwLanes-1:0];
  end

  for (genvar l = 0; l < DwLanes; l++) begin : gen_value
    assign value_o[l] = {(second_o ? b_signed_q : a_signed_q) && operand[8*l+7], operand[8*l+:8]};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      phase_q  <= '0;
    end else if (clear_i) begin
      active_q <= 1'b0;
      phase_q  <= '0;
    end else begin
      if (start_i) active_q <= 1'b1;
      else if (pop && last_o) active_q <= 1'b0;
      if (valid_o) phase_q <= phase_last ? '0 : phase_q + 2'd1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      left_q     <= next_last_x_q;
      rows_q     <= next_rows_q;
      row_end_q  <= next_narrow_q;
      last_row_q <= next_single_q;
    end else if (pop) begin
      if (row_end_q) begin
        left_q     <= last_x_q;
        row_end_q  <= last_x_q == '0;
        rows_q     <= rows_q - 16'd1;
        last_row_q <= rows_q == 16'd2;
      end else begin
        left_q    <= left_q - 16'd1;
        row_end_q <= left_q == 16'd1;
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   credit_q == (32'(used_q) < Prefetch) &&
                   request_q == (read_q && (odd_q || credit_q)))
    else $error("hao_dw_add: %0d words of credit used", used_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   rd_rsp_valid_i |-> unused_ready[answer_odd_q])
    else $error("hao_dw_add: an answer met a full buffer");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   start_i |-> !active_q && !read_q)
    else $error("hao_dw_add: started while at work");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start_i |->
                   next_rows_q == instr_i.y1 - instr_i.y0 && next_single_q == (next_rows_q == 1) &&
                   next_narrow_q == (instr_i.out_w == 16'd1))
    else $error("hao_dw_add: started before the instruction was prepared");
`endif

endmodule
