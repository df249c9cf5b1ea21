// LDI: gathers the pixels under a kernel into words. Rows of the image wait in a ring of six row
// buffers, so that the next rows arrive while words are made of the current ones; rows that no
// window touches are not read.
//
// Row r, counted from the first window's top, lies in memory r mod 3, half (r / 3) mod 2, two
// pixels an entry: the three rows of a window are in different memories, and two reads of each
// cover its three columns.
module hao_gather
  import hao_pkg::*;
#(
  parameter int unsigned RowBytes = 2048  // longest image row
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic                 start_valid_i,
  output logic                 start_ready_o,
  input  logic [InstrBits-1:0] instr_i,        // at least one output pixel
  input  logic [39:0]          image_addr_i,   // of pixel (0, 0)
  output logic                 requesting_o,   // rows are still to be requested
  output logic                 req_valid_o,
  input  logic                 req_ready_i,
  output logic [39:0]          req_addr_o,
  output logic [15:0]          req_words_o,
  input  logic                 data_valid_i,
  output logic                 data_ready_o,
  input  logic [127:0]         data_i,
  output logic                 out_valid_o,
  input  logic                 out_ready_i,
  output logic [15:0]          out_addr_o,
  output logic [127:0]         out_data_o,
  output logic                 out_last_o
);

  localparam int unsigned RowPairs = RowBytes / 8;
  localparam int unsigned PairBits = $clog2(RowPairs);
  localparam int unsigned Rows     = 6;   // of the ring
  localparam int unsigned Buffer   = 8;   // words waiting at the output
  localparam int unsigned Memories = 3;
  localparam int unsigned RowBits  = 20;  // signed row number: 2^16 rows, stride 4, padding

  // Start: fields, and the products y0 * stride * row_bytes and y0 * out_w by shifting and adding.
  typedef enum logic [1:0] {
    Idle,
    Multiply,
    Begin,
    Run
  } state_e;

  state_e                     state_q;
  // verilator lint_off UNUSEDSIGNAL
  // The instruction carries more than is kept.
  ldi_instr_t                 instr, instr_q;
  // verilator lint_on UNUSEDSIGNAL
  logic [RowBits-1:0]         top_bits_q;    // y0 * stride, shifting out
  logic [15:0]                y0_bits_q;     // y0, shifting out
  logic [39:0]                row_shift_q, row_addr_q;
  logic [15:0]                width_shift_q, pixel_q;
  logic signed [RowBits-1:0]  first_row_q, last_row_q;
  logic                       finish;

  function automatic logic [RowBits-1:0] times(logic [15:0] value, logic [2:0] stride);
    logic [RowBits-1:0] wide;
    wide = RowBits'(value);
    return (stride[0] ? wide : '0) + (stride[1] ? wide << 1 : '0) + (stride[2] ? wide << 2 : '0);
  endfunction

  assign instr         = ldi_instr_t'(instr_i);
  assign start_ready_o = state_q == Idle;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
    end else if (clear_i) begin
      state_q <= Idle;
    end else begin
      unique case (state_q)
        Idle:     if (start_valid_i) state_q <= Multiply;
        Multiply: if (top_bits_q == '0 && y0_bits_q == '0) state_q <= Begin;
        Begin:    state_q <= Run;
        default:  if (finish) state_q <= Idle;
      endcase
    end
  end

  // Requests: one row after another; a row waits until the window has passed the row six above it.
  logic signed [RowBits-1:0]  req_row_q, top_q;  // row to request; top row of the current window
  logic [2:0]                 req_slot_q;
  logic [3:0]                 req_phase_q;       // row number modulo the stride
  logic                       req_done_q, row_wanted, row_room, order_ready, step;
  logic                       looked_q, wanted_q, room_q;  // the comparisons, one cycle later
  logic [15:0]                words_q, last_word_q;        // words of a row, and less 1

  assign row_wanted   = req_row_q >= 0 && req_row_q < RowBits'(instr_q.in_h) &&
                        req_phase_q < instr_q.kernel;
  assign row_room     = req_row_q < top_q + signed'(RowBits'(Rows));
  assign req_valid_o  = looked_q && wanted_q && room_q && order_ready;
  assign req_addr_o   = row_addr_q;
  assign req_words_o  = words_q;
  assign step         = looked_q && (!wanted_q || (req_valid_o && req_ready_i));
  assign requesting_o = state_q == Multiply || state_q == Begin || (state_q == Run && !req_done_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      looked_q <= 1'b0;
    else if (clear_i) looked_q <= 1'b0;
    else              looked_q <= state_q == Run && !req_done_q && !step;
  end

  always_ff @(posedge clk_i) begin
    wanted_q    <= row_wanted;
    room_q      <= row_room;
    words_q     <= 16'((17'(instr_q.in_w) + 17'd3) >> 2);  // known before a row is asked for
    last_word_q <= words_q - 16'd1;
    unique case (state_q)
      Idle: if (start_valid_i) begin
        instr_q       <= ldi_instr_t'(instr_i);
        row_addr_q    <= image_addr_i;
        row_shift_q   <= 40'(instr.row_bytes);
        width_shift_q <= instr.out_w;
        pixel_q       <= '0;
        top_bits_q    <= times(instr.y0, instr.stride[2:0]);
        y0_bits_q     <= instr.y0;
        first_row_q   <= signed'(times(instr.y0, instr.stride[2:0])) - signed'(RowBits'(instr.pad));
        last_row_q    <= signed'(times(instr.y1 - 16'd1, instr.stride[2:0]))
                       - signed'(RowBits'(instr.pad)) + signed'(RowBits'(instr.kernel))
                       - RowBits'(1);
      end
      Multiply: begin
        if (top_bits_q[0]) row_addr_q <= row_addr_q + row_shift_q;
        if (y0_bits_q[0])  pixel_q <= pixel_q + width_shift_q;
        row_shift_q   <= row_shift_q << 1;
        width_shift_q <= width_shift_q << 1;
        top_bits_q    <= top_bits_q >> 1;
        y0_bits_q     <= y0_bits_q >> 1;
      end
      Begin: begin
        if (instr_q.pad != '0) row_addr_q <= row_addr_q - 40'(instr_q.row_bytes);
        req_row_q   <= first_row_q;
        req_slot_q  <= '0;
        req_phase_q <= '0;
        req_done_q  <= 1'b0;
      end
      default: begin
        if (step) begin
          row_addr_q  <= row_addr_q + 40'(instr_q.row_bytes);
          req_row_q   <= req_row_q + RowBits'(1);
          req_slot_q  <= 32'(req_slot_q) == Rows - 1 ? '0 : req_slot_q + 3'd1;
          req_phase_q <= req_phase_q + 4'd1 == instr_q.stride ? '0 : req_phase_q + 4'd1;
          req_done_q  <= req_row_q == last_row_q;
        end
      end
    endcase
  end

  // Rows on their way: number and place.
  logic                       row_valid, row_end;
  logic [2:0]                 row_slot;
  logic signed [RowBits-1:0]  row_number;
  logic [3:0]                 row_level;

  hao_fifo #(
    .Width(RowBits + 3),
    .Depth(8)
  ) u_rows (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (req_valid_o && req_ready_i),
    .in_ready_o (order_ready),
    .in_data_i  ({req_row_q, req_slot_q}),
    .out_valid_o(row_valid),
    .out_ready_i(row_end),
    .out_data_o ({row_number, row_slot}),
    .level_o    (row_level)
  );

  // Arrival: four pixels a word, written as two entries in two cycles.
  logic                       upper_q;  // the word's second entry
  logic [15:0]                word_q;
  logic signed [RowBits-1:0]  loaded_q; // the last complete row
  logic                       fill;

  assign fill         = row_valid && data_valid_i;
  assign data_ready_o = row_valid && upper_q;
  assign row_end      = fill && upper_q && word_q == last_word_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      upper_q  <= 1'b0;
      word_q   <= '0;
      loaded_q <= '0;
    end else if (clear_i || state_q == Begin) begin
      upper_q  <= 1'b0;
      word_q   <= '0;
      loaded_q <= -RowBits'(1);
    end else if (fill) begin
      upper_q <= !upper_q;
      if (upper_q) word_q <= row_end ? '0 : word_q + 16'd1;
      if (row_end) loaded_q <= row_number;
    end
  end

  logic [Memories-1:0]        mem_write;
  logic [PairBits:0]          mem_write_addr;
  logic                       read;
  logic [PairBits:0]          mem_read_addr [Memories];
  logic [63:0]                mem_data [Memories];

  assign mem_write_addr = {row_slot >= 3'd3, word_q[PairBits-2:0], upper_q};

  for (genvar m = 0; m < int'(Memories); m++) begin : gen_memory
    assign mem_write[m] = fill && (32'(row_slot) == m || 32'(row_slot) == m + Memories);
    hao_ram #(
      .Width  (64),
      .Depth  (2 << PairBits),
      .Latency(2)
    ) u_ram (
      .clk_i,
      .wr_en_i  (mem_write[m]),
      .wr_addr_i(mem_write_addr),
      .wr_data_i(upper_q ? data_i[127:64] : data_i[63:0]),
      .rd_en_i  (read),
      .rd_addr_i(mem_read_addr[m]),
      .rd_data_o(mem_data[m])
    );
  end

  hao_gather_emit #(
    .PairBits(PairBits),
    .RowBits (RowBits),
    .Rows    (Rows),
    .Buffer  (Buffer)
  ) u_emit (
    .clk_i,
    .rst_ni,
    .clear_i,
    .begin_i    (state_q == Begin),
    .run_i      (state_q == Run),
    .instr_i    (instr_q),
    .first_row_i(first_row_q),
    .pixel_i    (pixel_q),
    .loaded_i   (loaded_q),
    .top_o      (top_q),
    .finish_o   (finish),
    .read_o     (read),
    .read_addr_o(mem_read_addr),
    .read_data_i(mem_data),
    .out_valid_o,
    .out_ready_i,
    .out_addr_o,
    .out_data_o,
    .out_last_o
  );

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   start_valid_i && start_ready_o |->
                   (instr.kernel == 4'd1 || instr.kernel == 4'd3) && instr.stride >= 4'd1 &&
                   instr.stride <= 4'd4 && instr.pad <= 4'd1 && instr.channels >= 4'd1 &&
                   instr.channels <= 4'd3 && instr.y1 > instr.y0 && instr.out_w != '0)
    else $error("hao_gather: a field is out of range");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   start_valid_i && start_ready_o |-> (32'(instr.in_w) + 3) / 4 * 16 <= RowBytes)
    else $error("hao_gather: a row of %0d pixels is too long", instr.in_w);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   finish |-> req_done_q && !row_valid)
    else $error("hao_gather: finished before its rows");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   req_valid_o && !req_ready_i |=> req_valid_o && $stable(req_addr_o))
    else $error("hao_gather: a request changed while it waited");
`endif
  logic unused;
  assign unused = ^row_level;

endmodule
