// Window addresses of DW: for one output pixel a cycle, bank, address and liveness of nine taps.
//
// From the centre (hao_dw_walk) the displacement d, |d| <= 8, moves rows and columns by at most one
// wrap each, so that nothing is divided and nothing larger than |d| * pitch is multiplied. Six
// cycles from fire_o to rd_valid_o.
//
// Instructions may follow without a gap: each stage takes its part of the geometry along with
// the first pixel. start_i must wait until the first pixel of the instruction before has
// left the stages.
module hao_dw_addr #(
  parameter int unsigned DispEntries = 4096,
  parameter int unsigned Pace        = 1,  // cycles a pixel
  parameter bit          Pairs       = 1'b0
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic                     clear_i,
  // Displacements from DENSE
  input  logic                     disp_wr_valid_i,
  input  logic [15:0]              disp_wr_addr_i,
  input  logic [7:0]               disp_wr_data_i,
  // Instruction, see hao_dw_walk
  input  logic                     start_i,
  // verilator lint_off UNUSEDSIGNAL
  input  hao_pkg::dw_instr_t       instr_i,
  // verilator lint_on UNUSEDSIGNAL
  input  logic [11:0]              row_addr_i,
  input  logic [11:0]              span_i,
  input  logic [15:0]              disp_addr_i,
  output logic                     active_o,
  // Stream
  input  logic                     go_i,
  output logic                     fire_o,
  output logic                     fire_last_o,
  output logic                     fire_result_o,
  output logic                     rd_valid_o,
  output logic                     rd_first_o,
  output logic                     rd_last_o,
  output logic [hao_pkg::Taps-1:0] rd_en_o,
  output logic [3:0]               rd_bank_o [hao_pkg::Taps],
  output logic [11:0]              rd_addr_o [hao_pkg::Taps]
);

  import hao_pkg::*;

  localparam int unsigned DispWidth = $clog2(DispEntries);

  typedef struct packed {
    logic        first;
    logic        last;
    logic [16:0] y;
    logic [16:0] x;
    logic [3:0]  phase;
    logic [11:0] column;
    logic [3:0]  row_bank;
    logic [7:0]  slot;
    logic [11:0] row_addr;
  } centre_t;

  function automatic logic [3:0] add_mod(logic [3:0] a, logic [3:0] b);
    logic [4:0] sum;
    sum = 5'(a) + 5'(b);
    return sum >= 5'd11 ? 4'(sum - 5'd11) : 4'(sum);
  endfunction

  function automatic logic [3:0] triple(logic [3:0] size);  // 3 * size mod 11, size <= 8
    case (size)
      4'd1:    return 4'd3;
      4'd2:    return 4'd6;
      4'd3:    return 4'd9;
      4'd4:    return 4'd1;
      4'd5:    return 4'd4;
      4'd6:    return 4'd7;
      4'd7:    return 4'd10;
      4'd8:    return 4'd2;
      default: return 4'd0;
    endcase
  endfunction

  // Geometry of the instruction that started last.
  logic [15:0] in_w_q, in_h_q;
  logic [7:0]  dilation_q, ring_q, pitch_q;
  logic [8:0]  mask_q;
  logic [11:0] span_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      in_w_q     <= instr_i.in_w;
      in_h_q     <= instr_i.in_h;
      dilation_q <= instr_i.dilation;
      ring_q     <= instr_i.win_rows;
      pitch_q    <= instr_i.win_pitch;
      mask_q     <= instr_i.mode == DwSum ? instr_i.tap_mask & 9'h010 : instr_i.tap_mask;
      span_q     <= span_i;
    end
  end

  // Stages 1 and 2: the centre waits for its displacement.
  logic [5:0]  valid_q;  // bit k: stage k + 1
  // verilator lint_off UNUSEDSIGNAL
  centre_t     centre, s1_q, s2_q, s3_q, s4_q;
  // verilator lint_on UNUSEDSIGNAL
  logic        deform, first, s1_deform_q, s2_deform_q;
  logic [15:0] disp_addr;
  logic [7:0]  disp, s2_dilation_q, d;

  hao_dw_walk #(
    .Pace (Pace),
    .Pairs(Pairs)
  ) i_walk (
    .clk_i, .rst_ni, .clear_i,
    .start_i,
    .instr_i,
    .row_addr_i,
    .span_i,
    .disp_addr_i,
    .go_i, .active_o, .fire_o,
    .first_o    (first),
    .last_o     (fire_last_o),
    .result_o   (fire_result_o),
    .deform_o   (deform),
    .disp_addr_o(disp_addr),
    .y_o        (centre.y),
    .x_o        (centre.x),
    .phase_o    (centre.phase),
    .column_o   (centre.column),
    .row_bank_o (centre.row_bank),
    .slot_o     (centre.slot),
    .row_addr_o (centre.row_addr)
  );

  assign centre.first = first;
  assign centre.last  = fire_last_o;

  hao_ram #(
    .Width  (8),
    .Depth  (DispEntries),
    .Latency(2)
  ) i_disp (
    .clk_i,
    .wr_en_i  (disp_wr_valid_i),
    .wr_addr_i(DispWidth'(disp_wr_addr_i)),
    .wr_data_i(disp_wr_data_i),
    .rd_en_i  (fire_o && deform),
    .rd_addr_i(DispWidth'(disp_addr)),
    .rd_data_o(disp)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)      valid_q <= '0;
    else if (clear_i) valid_q <= '0;
    else              valid_q <= {valid_q[4:0], fire_o};
  end

  always_ff @(posedge clk_i) begin
    if (fire_o) begin
      s1_q        <= centre;
      s1_deform_q <= deform;
    end
    if (valid_q[0]) begin
      s2_q        <= s1_q;
      s2_deform_q <= s1_deform_q;
      if (s1_q.first) s2_dilation_q <= dilation_q;
    end
  end

  // Stage 3: sign and size of d.
  logic       s3_negative_q, s4_negative_q;
  logic [3:0] s3_size_q, s4_size_q;
  logic [7:0] s3_ring_q, s3_pitch_q;

  assign d = s2_deform_q ? disp : s2_dilation_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[1]) begin
      s3_q          <= s2_q;
      s3_negative_q <= d[7];
      s3_size_q     <= d[7] ? 4'(8'd0 - d) : d[3:0];
      if (s2_q.first) begin
        s3_ring_q  <= ring_q;
        s3_pitch_q <= pitch_q;
      end
    end
  end

  // Stage 4: how far rows and columns move, and whether they wrap.
  logic        s4_slot_low_q, s4_slot_high_q, s4_phase_low_q, s4_phase_high_q;
  logic [3:0]  s4_triple_q;
  logic [11:0] s4_shift_q, s4_span_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[2]) begin
      s4_q            <= s3_q;
      s4_negative_q   <= s3_negative_q;
      s4_size_q       <= s3_size_q;
      s4_triple_q     <= triple(s3_size_q);
      s4_slot_low_q   <= s3_q.slot < 8'(s3_size_q);
      s4_slot_high_q  <= 9'(s3_q.slot) + 9'(s3_size_q) >= 9'(s3_ring_q);
      s4_phase_low_q  <= s3_q.phase < s3_size_q;
      s4_phase_high_q <= 5'(s3_q.phase) + 5'(s3_size_q) >= 5'd11;
      s4_shift_q      <= ((s3_size_q[0] ? 12'(s3_pitch_q) : 12'd0) +
                          (s3_size_q[1] ? {3'b0, s3_pitch_q, 1'b0} : 12'd0)) +
                         ((s3_size_q[2] ? {2'b0, s3_pitch_q, 2'b0} : 12'd0) +
                          (s3_size_q[3] ? {1'b0, s3_pitch_q, 3'b0} : 12'd0));
      if (s3_q.first) s4_span_q <= span_q;
    end
  end

  // Stage 5: three rows and three columns, in the order of the taps.
  logic [11:0]        row_low, row_high, s5_row_q [3], s5_column_q [3];
  logic [3:0]         bank_low, bank_high, phase_low, phase_high, s5_bank_q [3], s5_phase_q [3];
  logic signed [18:0] y_low, y_high, x_low, x_high, s5_y_q [3], s5_x_q [3];
  logic [11:0]        column_low, column_high;
  logic               s5_first_q, s5_last_q;
  logic [15:0]        s5_in_w_q, s5_in_h_q;
  logic [8:0]         s5_mask_q;

  assign row_low     = s4_q.row_addr - s4_shift_q + (s4_slot_low_q ? s4_span_q : 12'd0);
  assign row_high    = s4_q.row_addr + s4_shift_q - (s4_slot_high_q ? s4_span_q : 12'd0);
  assign bank_low    = add_mod(s4_q.row_bank, s4_triple_q == '0 ? 4'd0 : 4'd11 - s4_triple_q);
  assign bank_high   = add_mod(s4_q.row_bank, s4_triple_q);
  assign phase_low   = s4_q.phase - s4_size_q + (s4_phase_low_q ? 4'd11 : 4'd0);
  assign phase_high  = s4_q.phase + s4_size_q - (s4_phase_high_q ? 4'd11 : 4'd0);
  assign column_low  = s4_q.column - 12'(s4_phase_low_q);
  assign column_high = s4_q.column + 12'(s4_phase_high_q);
  assign y_low       = $signed({2'b0, s4_q.y}) - $signed({15'b0, s4_size_q});
  assign y_high      = $signed({2'b0, s4_q.y}) + $signed({15'b0, s4_size_q});
  assign x_low       = $signed({2'b0, s4_q.x}) - $signed({15'b0, s4_size_q});
  assign x_high      = $signed({2'b0, s4_q.x}) + $signed({15'b0, s4_size_q});

  always_ff @(posedge clk_i) begin
    if (valid_q[3]) begin
      s5_first_q  <= s4_q.first;
      s5_last_q   <= s4_q.last;
      s5_row_q    <= '{s4_negative_q ? row_high : row_low, s4_q.row_addr,
                       s4_negative_q ? row_low : row_high};
      s5_bank_q   <= '{s4_negative_q ? bank_high : bank_low, s4_q.row_bank,
                       s4_negative_q ? bank_low : bank_high};
      s5_y_q      <= '{s4_negative_q ? y_high : y_low, 19'(s4_q.y),
                       s4_negative_q ? y_low : y_high};
      s5_column_q <= '{s4_negative_q ? column_high : column_low, s4_q.column,
                       s4_negative_q ? column_low : column_high};
      s5_phase_q  <= '{s4_negative_q ? phase_high : phase_low, s4_q.phase,
                       s4_negative_q ? phase_low : phase_high};
      s5_x_q      <= '{s4_negative_q ? x_high : x_low, 19'(s4_q.x),
                       s4_negative_q ? x_low : x_high};
      if (s4_q.first) begin
        s5_in_w_q <= in_w_q;
        s5_in_h_q <= in_h_q;
        s5_mask_q <= mask_q;
      end
    end
  end

  // Stage 6: nine places.
  logic [2:0] row_live, column_live;

  for (genvar i = 0; i < 3; i++) begin : gen_live
    assign row_live[i]    = s5_y_q[i] >= 0 && s5_y_q[i] < $signed({3'b0, s5_in_h_q});
    assign column_live[i] = s5_x_q[i] >= 0 && s5_x_q[i] < $signed({3'b0, s5_in_w_q});
  end

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    always_ff @(posedge clk_i) begin
      if (valid_q[4]) begin
        rd_en_o[t]   <= s5_mask_q[t] && row_live[t/3] && column_live[t%3];
        rd_bank_o[t] <= add_mod(s5_bank_q[t/3], s5_phase_q[t%3]);
        rd_addr_o[t] <= s5_row_q[t/3] + s5_column_q[t%3];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_q[4]) begin
      rd_first_o <= s5_first_q;
      rd_last_o  <= s5_last_q;
    end
  end

  assign rd_valid_o = valid_q[5];

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start_i |->
                   !(valid_q[0] && s1_q.first) && !(valid_q[1] && s2_q.first) &&
                   !(valid_q[2] && s3_q.first) && !(valid_q[3] && s4_q.first))
    else $error("hao_dw_addr: started while the first pixel of the instruction before is in work");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   disp_wr_valid_i |-> 32'(disp_wr_addr_i) < DispEntries)
    else $error("hao_dw_addr: displacement entry %0d does not exist", disp_wr_addr_i);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   fire_o && deform |-> 32'(disp_addr) < DispEntries)
    else $error("hao_dw_addr: displacement entry %0d does not exist", disp_addr);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_q[1] |-> $signed(d) >= -8'sd8 && $signed(d) <= 8'sd8)
    else $error("hao_dw_addr: displacement %0d is outside -8 to 8", $signed(d));
`endif

endmodule
