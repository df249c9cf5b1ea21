// Walks the weight tiles of DENSE instructions in the order in which they are used and brings each
// to the multipliers one tile ahead: chunk of pixels > output half (PO = 8) > kernel row > kernel
// column > input plane. Owns the weight buffer and the list memory.
//
// tile_valid_o offers the next tile when its words will be in place in time, that is when a beat
// granted three cycles after tile_ready_i or later finds them; release_i says that the tile taken
// last is no longer needed in the shadow registers, and loading of the following one starts. With
// WbReadLatency = 2 a tile of W words thus lasts W cycles at least. The offered tile waits in
// registers while the walk is at the next one.
module hao_weight_tile #(
  parameter int unsigned PO        = 16,
  parameter int unsigned WbWords   = 4096,
  parameter int unsigned LmEntries = 2048
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         clear_i,
  // Instructions; buffer addresses are taken modulo the buffers' sizes
  // verilator lint_off UNUSEDSIGNAL
  input  logic         cmd_valid_i,
  output logic         cmd_ready_o,
  input  logic  [15:0] cmd_w_addr_i,
  input  logic         cmd_w8_i,
  input  logic  [15:0] cmd_list_addr_i,
  input  logic  [15:0] cmd_n_in_i,
  input  logic   [3:0] cmd_kernel_i,
  input  logic  [15:0] cmd_in_w_i,
  input  logic  [31:0] cmd_chunks_i,   // chunks less 1
  // LOAD
  input  logic         buf_wr_valid_i,
  input  logic   [1:0] buf_wr_target_i,
  input  logic  [15:0] buf_wr_addr_i,
  input  logic [127:0] buf_wr_data_i,
  // verilator lint_on UNUSEDSIGNAL
  // Tiles
  output logic         tile_valid_o,
  input  logic         tile_ready_i,
  output logic  [15:0] tile_base_o,    // address of the input plane, moved by the tap
  output logic   [3:0] tile_ky_o,
  output logic   [3:0] tile_kx_o,
  output logic         tile_first_o,   // first tile of its outputs
  output logic         tile_last_o,    // last tile of its outputs
  output logic         tile_half_o,    // outputs 8 to 15
  output logic         tile_final_o,   // in the last chunk of the instruction
  input  logic         release_i,
  // Words to the multipliers
  output logic         w_valid_o,
  output logic         w8_o,
  output logic   [3:0] w_index_o,
  output logic [127:0] w_data_o
);

  import hao_pkg::*;

  localparam int unsigned WbWidth = $clog2(WbWords);
  localparam int unsigned LmWidth = $clog2(LmEntries);
  localparam int unsigned Early   = 6;  // words to be read a cycle before a tile is offered

  if (PO != 8 && PO != 16) begin : gen_check
    $error("hao_weight_tile: PO must be 8 or 16, not %0d", PO);
  end
  if ((WbWords & (WbWords - 1)) != 0 || (LmEntries & (LmEntries - 1)) != 0) begin : gen_check_ring
    $error("hao_weight_tile: WbWords and LmEntries must be powers of two");
  end

  // The tile to be loaded.
  logic               active_q, w8_q, half_q, chunk_last_q, first_q;
  logic [15:0]        last_plane_q, next_row_q, plane_q, tap_q;  // next_row: step of the place
  logic [3:0]         last_tap_q, ky_q, kx_q;
  logic [31:0]        chunks_q;
  logic [WbWidth-1:0] w_addr_q, w_ptr_q;
  logic [LmWidth-1:0] list_addr_q, list_ptr_q;
  logic               plane_end_q, kx_end_q, ky_end_q, set_end_q, chunk_end, instr_end, take, start;
  logic               base_valid_q;  // its input plane's address is known
  logic               loading_q;     // its words are being read or have been
  logic               load, short;   // reading them starts
  logic [4:0]         left_q;        // words still to be read

  // Where a tile ends something is known two cycles after it has changed; it lasts longer.
  always_ff @(posedge clk_i) begin
    plane_end_q <= plane_q == last_plane_q;
    kx_end_q    <= kx_q == last_tap_q;
    ky_end_q    <= ky_q == last_tap_q;
    set_end_q   <= plane_end_q && kx_end_q && ky_end_q;
  end
  assign chunk_end   = set_end_q && (PO == 16 || half_q);
  assign instr_end   = chunk_end && chunk_last_q;
  // A tile of no more words than may be missing is offered as its loading starts.
  assign short       = PO == 8 && !w8_q;
  assign take        = base_valid_q && !tile_valid_o &&
                       ((loading_q && 32'(left_q) <= Early) || (load && short));
  assign start       = cmd_valid_i && (!active_q || (take && instr_end));
  assign cmd_ready_o = !active_q || (take && instr_end);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                active_q <= 1'b0;
    else if (clear_i)           active_q <= 1'b0;
    else if (start)             active_q <= 1'b1;
    else if (take && instr_end) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      w8_q         <= cmd_w8_i;
      last_plane_q <= cmd_n_in_i - 16'd1;
      last_tap_q   <= cmd_kernel_i - 4'd1;
      next_row_q   <= cmd_in_w_i - 16'(cmd_kernel_i) + 16'd1;
      w_addr_q     <= cmd_w_addr_i[WbWidth-1:0];
      list_addr_q  <= cmd_list_addr_i[LmWidth-1:0];
    end
    if (start) begin
      half_q       <= 1'b0;
      chunks_q     <= cmd_chunks_i;
      chunk_last_q <= cmd_chunks_i == '0;
    end else if (take && set_end_q) begin
      half_q <= PO == 8 && !half_q;
      if (chunk_end) begin
        chunks_q     <= chunks_q - 32'd1;
        chunk_last_q <= chunks_q == 32'd1;
      end
    end
    if (start || (take && set_end_q)) begin
      first_q    <= 1'b1;
      plane_q    <= '0;
      kx_q       <= '0;
      ky_q       <= '0;
      tap_q      <= '0;
      w_ptr_q    <= start ? cmd_w_addr_i[WbWidth-1:0] : w_addr_q;
      list_ptr_q <= start ? cmd_list_addr_i[LmWidth-1:0] : list_addr_q;
    end else if (take) begin
      first_q <= 1'b0;
      w_ptr_q <= w_ptr_q + WbWidth'(w8_q ? TileWordsW8 : TileWordsW4);
      if (plane_end_q) begin
        plane_q    <= '0;
        list_ptr_q <= list_addr_q;
        tap_q      <= tap_q + (kx_end_q ? next_row_q : 16'd1);
        kx_q       <= kx_end_q ? '0 : kx_q + 4'd1;
        if (kx_end_q) ky_q <= ky_q + 4'd1;
      end else begin
        plane_q    <= plane_q + 16'd1;
        list_ptr_q <= list_ptr_q + LmWidth'(1);
      end
    end
  end

  // Its input plane: read a list word, pick the entry, move by the tap.
  logic [2:0]   look_q;         // bit k: k + 1 cycles after the tile changed
  logic [127:0] list_word;
  logic [15:0]  base_q;

  hao_ram #(
    .Width  (128),
    .Depth  (LmEntries / ListEntries),
    .Latency(2)
  ) i_list (
    .clk_i,
    .wr_en_i  (buf_wr_valid_i && buf_wr_target_i == TargetList),
    .wr_addr_i(buf_wr_addr_i[LmWidth-4:0]),
    .wr_data_i(buf_wr_data_i),
    .rd_en_i  (look_q[0]),
    .rd_addr_i(list_ptr_q[LmWidth-1:3]),
    .rd_data_o(list_word)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      look_q       <= '0;
      base_valid_q <= 1'b0;
    end else if (clear_i) begin
      look_q       <= '0;
      base_valid_q <= 1'b0;
    end else begin
      look_q <= {look_q[1:0], start || (take && !instr_end)};
      if (start || take)  base_valid_q <= 1'b0;
      else if (look_q[2]) base_valid_q <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (look_q[2]) base_q <= list_word[16*list_ptr_q[2:0]+:16] + tap_q;
  end

  // Its words.
  logic               free_q;  // the shadow registers may be overwritten
  logic [4:0]         count;
  logic [WbWidth-1:0] rd_ptr_q;
  logic [3:0]         index_q [3];
  logic [2:0]         read_q;     // bit k: k cycles after the read
  logic               load_w8_q [3];

  assign load  = active_q && !loading_q && free_q;
  assign count = 5'((w8_q ? TileWordsW8 : TileWordsW4) * PO / 16);

  assign read_q[0] = left_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      loading_q   <= 1'b0;
      free_q      <= 1'b1;
      left_q      <= '0;
      read_q[2:1] <= '0;
    end else if (clear_i) begin
      loading_q   <= 1'b0;
      free_q      <= 1'b1;
      left_q      <= '0;
      read_q[2:1] <= '0;
    end else begin
      if (take)      loading_q <= 1'b0;
      else if (load) loading_q <= 1'b1;
      if (release_i) free_q <= 1'b1;
      else if (load) free_q <= 1'b0;
      if (load)           left_q <= count;
      else if (read_q[0]) left_q <= left_q - 5'd1;
      read_q[2:1] <= read_q[1:0];
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) begin
      rd_ptr_q     <= w_ptr_q + (half_q ? WbWidth'(count) : '0);
      index_q[0]   <= '0;
      load_w8_q[0] <= w8_q;
    end else if (read_q[0]) begin
      rd_ptr_q   <= rd_ptr_q + WbWidth'(1);
      index_q[0] <= index_q[0] + 4'd1;
    end
    for (int unsigned k = 1; k < 3; k++) begin
      if (read_q[k-1]) begin
        index_q[k]   <= index_q[k-1];
        load_w8_q[k] <= load_w8_q[k-1];
      end
    end
  end

  hao_ram #(
    .Width  (128),
    .Depth  (WbWords),
    .Latency(2)
  ) i_weights (
    .clk_i,
    .wr_en_i  (buf_wr_valid_i && buf_wr_target_i == TargetWeight),
    .wr_addr_i(buf_wr_addr_i[WbWidth-1:0]),
    .wr_data_i(buf_wr_data_i),
    .rd_en_i  (read_q[0]),
    .rd_addr_i(rd_ptr_q),
    .rd_data_o(w_data_o)
  );

  assign w_valid_o = read_q[2];
  assign w_index_o = index_q[2];
  assign w8_o      = load_w8_q[2];

  // The offered tile. It is the only one whose words wait, so its place is free for the next.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      tile_valid_o <= 1'b0;
    else if (clear_i) tile_valid_o <= 1'b0;
    else              tile_valid_o <= take || (tile_valid_o && !tile_ready_i);
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      tile_base_o  <= base_q;
      tile_ky_o    <= ky_q;
      tile_kx_o    <= kx_q;
      tile_first_o <= first_q;
      tile_last_o  <= set_end_q;
      tile_half_o  <= half_q;
      tile_final_o <= chunk_last_q;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) take |->
                   plane_end_q == (plane_q == last_plane_q) && kx_end_q == (kx_q == last_tap_q) &&
                   set_end_q == (plane_q == last_plane_q && kx_q == last_tap_q &&
                                 ky_q == last_tap_q))
    else $error("hao_weight_tile: a tile was taken before its ends were known");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start |->
                   cmd_n_in_i != '0 && cmd_kernel_i != '0)
    else $error("hao_weight_tile: %0d planes, kernel %0d", cmd_n_in_i, cmd_kernel_i);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) release_i |-> !free_q)
    else $error("hao_weight_tile: a tile was released twice");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) load |-> left_q <= 5'd1)
    else $error("hao_weight_tile: a tile was loaded over another");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   tile_valid_o && !tile_ready_i |=> tile_valid_o && $stable(tile_base_o))
    else $error("hao_weight_tile: an offered tile was withdrawn");
`endif

endmodule
