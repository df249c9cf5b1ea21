// The second half of LDI: walks over the output pixels of hao_gather's rows and makes one or two
// words of each, two cycles a pixel for kernel 3, one for kernel 1.
module hao_gather_emit
  import hao_pkg::*;
#(
  parameter int unsigned PairBits = 8,
  parameter int unsigned RowBits  = 20,
  parameter int unsigned Rows     = 6,
  parameter int unsigned Buffer   = 8
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      clear_i,
  input  logic                      begin_i,  // take over the instruction
  input  logic                      run_i,
  // verilator lint_off UNUSEDSIGNAL
  input  ldi_instr_t                instr_i,  // stable while it runs
  // verilator lint_on UNUSEDSIGNAL
  input  logic signed [RowBits-1:0] first_row_i,
  input  logic [15:0]               pixel_i,  // y0 * out_w
  input  logic signed [RowBits-1:0] loaded_i, // last row that is complete
  output logic signed [RowBits-1:0] top_o,    // top row of the window that is read
  output logic                      finish_o, // pulse: the last word has left
  output logic                      read_o,
  output logic [PairBits:0]         read_addr_o [3],
  input  logic [63:0]               read_data_i [3],
  output logic                      out_valid_o,
  input  logic                      out_ready_i,
  output logic [15:0]               out_addr_o,
  output logic [127:0]              out_data_o,
  output logic                      out_last_o
);

  localparam int unsigned ColBits = 20;

  // Walk.
  logic                      walk_q;        // pixels are left
  logic [15:0]               left_q, rows_q, pixel_q;  // pixels behind this one in its row; rows
  logic                      row_last_q, last_row_q;   // none behind it; no row below it
  logic signed [ColBits-1:0] col_q;         // left column of the window
  logic signed [RowBits-1:0] top_q;
  logic [2:0]                slot_q;        // ring place of the top row
  logic                      second_q;      // second read of the pixel
  logic [3:0]                credit_q;      // words that the buffer may still be sent
  logic                      wide, two_words, rows_ready, issue, pixel_end, row_end, last, pop;
  logic signed [RowBits-1:0] bottom, height, lowest;
  logic signed [ColBits-1:0] left_edge;

  assign wide      = instr_i.kernel == 4'd3;
  assign two_words = wide && instr_i.channels > 4'd1;
  assign height    = signed'(RowBits'(instr_i.in_h));
  assign left_edge = -signed'(ColBits'(instr_i.pad));
  assign bottom    = top_q + (wide ? RowBits'(2) : '0);
  assign pixel_end = issue && (!wide || second_q);
  assign row_end   = pixel_end && row_last_q;
  assign last      = row_last_q && last_row_q;  // both are decided a pixel ahead
  assign top_o     = top_q;

  // A window's rows are there when the lowest that lies in the image is: looked up in two cycles.
  logic rows_ready_q, row_end_q, outside_q;
  logic signed [RowBits-1:0] lowest_q;
  assign lowest     = bottom < height ? bottom : height - RowBits'(1);
  assign rows_ready = outside_q || loaded_i >= lowest_q;
  assign issue      = run_i && walk_q && rows_ready_q && (second_q || credit_q >= 4'd2);

  function automatic logic [2:0] advance(logic [2:0] slot, logic [3:0] rows);
    logic [3:0] sum;
    sum = 4'(slot) + rows;
    return 3'(32'(sum) >= Rows ? sum - 4'(Rows) : sum);
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      walk_q       <= 1'b0;
      second_q     <= 1'b0;
      rows_ready_q <= 1'b0;
      row_end_q    <= 1'b0;
      credit_q     <= 4'(Buffer);
      left_q       <= '0;
      rows_q       <= '0;
      row_last_q   <= 1'b0;
      last_row_q   <= 1'b0;
      pixel_q      <= '0;
      col_q        <= '0;
      top_q        <= '0;
      slot_q       <= '0;
    end else if (clear_i) begin
      walk_q       <= 1'b0;
      second_q     <= 1'b0;
      rows_ready_q <= 1'b0;
      row_end_q    <= 1'b0;
      credit_q     <= 4'(Buffer);
    end else begin
      // a row's end changes the window: look at its rows again
      row_end_q    <= row_end || begin_i;
      rows_ready_q <= run_i && rows_ready && !row_end && !row_end_q;
      credit_q     <= credit_q - (issue && !second_q ? (two_words ? 4'd2 : 4'd1) : 4'd0) + 4'(pop);
      if (begin_i) begin
        walk_q     <= 1'b1;
        left_q     <= instr_i.out_w - 16'd1;
        row_last_q <= instr_i.out_w == 16'd1;
        rows_q     <= instr_i.y1 - instr_i.y0;
        last_row_q <= 16'(instr_i.y1 - instr_i.y0) == 16'd1;
        pixel_q    <= pixel_i;
        col_q      <= left_edge;
        top_q      <= first_row_i;
        slot_q     <= '0;
      end else if (issue) begin
        second_q <= wide && !second_q;
        if (pixel_end) begin
          pixel_q    <= pixel_q + 16'd1;
          left_q     <= row_end ? instr_i.out_w - 16'd1 : left_q - 16'd1;
          row_last_q <= row_end ? instr_i.out_w == 16'd1 : left_q == 16'd1;
          col_q      <= row_end ? left_edge : col_q + signed'(ColBits'(instr_i.stride));
        end
        if (row_end) begin
          walk_q     <= !last;
          rows_q     <= rows_q - 16'd1;
          last_row_q <= rows_q == 16'd2;
          top_q      <= top_q + signed'(RowBits'(instr_i.stride));
          slot_q     <= advance(slot_q, instr_i.stride);
        end
      end
    end
  end

  // Reads: memory m holds kernel row (m - top's memory) mod 3, in the top's half or the other one.
  logic [1:0]          first_mem;
  logic                first_half;
  logic [PairBits-1:0] pair;

  assign first_half = slot_q >= 3'd3;
  assign first_mem  = 2'(first_half ? slot_q - 3'd3 : slot_q);
  assign pair       = PairBits'(col_q >>> 1) + PairBits'(second_q);
  assign read_o     = issue;
  for (genvar m = 0; m < 3; m++) begin : gen_read
    assign read_addr_o[m] = {2'(m) < first_mem ? !first_half : first_half, pair};
  end

  // Two cycles later the entries are there: what belongs to them travels along.
  typedef struct packed {
    logic        complete;  // all reads of the pixel are done
    logic        last;
    logic        odd;       // the window begins with an entry's second pixel
    logic [1:0]  first_mem;
    logic [2:0]  row_in;    // kernel row lies in the image
    logic [2:0]  col_in;
    logic [15:0] addr0;
    logic [15:0] addr1;
  } tag_t;

  // Kernel row or column k lies in the image where the window begins before these limits.
  logic signed [RowBits-1:0] row_limit_q [3];
  logic signed [ColBits-1:0] col_limit_q [3];
  always_ff @(posedge clk_i) begin
    for (int k = 0; k < 3; k++) begin
      row_limit_q[k] <= height - RowBits'(k);
      col_limit_q[k] <= signed'(ColBits'(instr_i.in_w)) - ColBits'(k);
    end
  end

  tag_t        tag_d, tag_1_q, tag_2_q;
  logic        valid_1_q, valid_2_q;
  logic [63:0] held_q [3];  // the first read's entries

  always_comb begin
    tag_d.complete  = pixel_end;
    tag_d.last      = last;
    tag_d.odd       = col_q[0];
    tag_d.first_mem = first_mem;
    for (int k = 0; k < 3; k++) begin
      tag_d.row_in[k] = top_q >= -signed'(RowBits'(k)) && top_q < row_limit_q[k];
      tag_d.col_in[k] = col_q >= -signed'(ColBits'(k)) && col_q < col_limit_q[k];
    end
    tag_d.addr0 = instr_i.dst_base0 + pixel_q;
    tag_d.addr1 = instr_i.dst_base1 + pixel_q;
  end

  always_ff @(posedge clk_i) begin
    lowest_q  <= lowest;
    outside_q <= bottom < 0 || top_q >= height;
    if (issue) tag_1_q <= tag_d;
    if (valid_1_q) tag_2_q <= tag_1_q;
    if (valid_2_q && !tag_2_q.complete) held_q <= read_data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {valid_1_q, valid_2_q} <= '0;
    else if (clear_i) {valid_1_q, valid_2_q} <= '0;
    else {valid_1_q, valid_2_q} <= {issue, valid_1_q};
  end

  // The memory of kernel row k: first + k mod 3.
  function automatic logic [1:0] memory_of(logic [1:0] first, int k);
    case (k)
      0:       return first;
      1:       return first == 2'd2 ? 2'd0 : first + 2'd1;
      default: return first == 2'd0 ? 2'd2 : first - 2'd1;
    endcase
  endfunction

  // Window of three by three pixels, then lanes.
  logic [31:0] entry [3][4];   // pixels of both reads, by kernel row
  logic [7:0]  byte_of [27];   // row, column, channel
  logic [7:0]  fill [3];
  logic [7:0]  lane [32];

  assign fill = '{instr_i.fill0, instr_i.fill1, instr_i.fill2};

  always_comb begin
    for (int k = 0; k < 3; k++) begin
      automatic logic [1:0] m;
      m = memory_of(tag_2_q.first_mem, k);
      entry[k] = '{held_q[m][31:0], held_q[m][63:32], read_data_i[m][31:0], read_data_i[m][63:32]};
      for (int j = 0; j < 3; j++) begin
        automatic logic [1:0]  place;
        automatic logic [31:0] pixel;
        place = (wide ? 2'(j) : 2'd2) + 2'(tag_2_q.odd);
        pixel = entry[k][place];
        for (int c = 0; c < 3; c++) begin
          byte_of[9*k+3*j+c] = tag_2_q.row_in[k] && tag_2_q.col_in[j] ? pixel[8*c+:8] : fill[c];
        end
      end
    end
    for (int l = 0; l < 32; l++) begin
      lane[l] = '0;
      if (wide) begin
        if (instr_i.channels == 4'd3 && l < 27) lane[l] = byte_of[l];
        if (instr_i.channels == 4'd2 && l < 18) lane[l] = byte_of[l/2*3+l%2];
        if (instr_i.channels == 4'd1 && l < 9)  lane[l] = byte_of[3*l];
      end else if (l < 3 && 4'(l) < instr_i.channels) begin
        lane[l] = byte_of[l];
      end
    end
  end

  // Words leave one a cycle; the second of a pixel follows the first.
  logic         first_q, first_last_q, extra_q, extra_last_q;
  logic [127:0] word0_q, word1_q;
  logic [15:0]  addr0_q, addr1_q;
  logic         buffer_ready;
  logic [3:0]   level;

  always_ff @(posedge clk_i) begin
    if (valid_2_q && tag_2_q.complete) begin
      for (int l = 0; l < 16; l++) begin
        word0_q[8*l+:8] <= lane[l];
        word1_q[8*l+:8] <= lane[16+l];
      end
      addr0_q <= tag_2_q.addr0;
      addr1_q <= tag_2_q.addr1;
      first_last_q <= tag_2_q.last && !two_words;
      extra_last_q <= tag_2_q.last;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {first_q, extra_q} <= '0;
    else if (clear_i) {first_q, extra_q} <= '0;
    else {first_q, extra_q} <= {valid_2_q && tag_2_q.complete, first_q && two_words};
  end

  hao_fifo #(
    .Width(145),
    .Depth(Buffer)
  ) u_buffer (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (first_q || extra_q),
    .in_ready_o (buffer_ready),
    .in_data_i  (first_q ? {first_last_q, addr0_q, word0_q} : {extra_last_q, addr1_q, word1_q}),
    .out_valid_o,
    .out_ready_i,
    .out_data_o ({out_last_o, out_addr_o, out_data_o}),
    .level_o    (level)
  );

  assign pop      = out_valid_o && out_ready_i;
  assign finish_o = pop && out_last_o;

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   first_q || extra_q |-> buffer_ready)
    else $error("hao_gather_emit: a word found no room");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) !(first_q && extra_q))
    else $error("hao_gather_emit: two words at once");
`endif
  logic unused;
  assign unused = ^{level, buffer_ready};

endmodule
