// Parameters of DW: its copy of the parameter buffer and the sets in use.
//
// load_i names the parameters of the next instruction; they are read into a waiting set once the
// instruction before has moved its taps into use (take_taps_i), so loading overlaps streaming.
// loaded_o holds until start_i; from then on the waiting set belongs to the stream, whose first
// word moves the taps (take_taps_i) and later the requantization (take_requant_i) into use.
module hao_dw_params #(
  parameter int unsigned PbWords = 1024
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                clear_i,
  // verilator lint_off UNUSEDSIGNAL
  // LOAD's broadcast; the buffer is a ring
  input  logic                buf_wr_valid_i,
  input  logic [1:0]          buf_wr_target_i,
  input  logic [15:0]         buf_wr_addr_i,
  input  logic [127:0]        buf_wr_data_i,
  // Control
  input  logic                load_i,
  input  hao_pkg::dw_instr_t  instr_i,
  // verilator lint_on UNUSEDSIGNAL
  output logic                loaded_o,
  input  logic                start_i,
  input  logic                take_taps_i,
  input  logic                take_requant_i,
  // Taps in use
  output hao_pkg::dw_mode_e   mode_o,
  output logic                x_signed_o,
  output logic signed [7:0]   weight_o [hao_pkg::Lanes][hao_pkg::Taps],
  // Requantization in use
  output logic signed [15:0]  lo_o,
  output logic signed [15:0]  hi_o,
  output logic signed [26:0]  bias_o   [hao_pkg::Lanes],
  output logic [16:0]         mult_o   [hao_pkg::Lanes],
  output logic [2:0]          shift_o  [hao_pkg::Lanes]
);

  import hao_pkg::*;

  localparam int unsigned AddrWidth  = $clog2(PbWords);
  localparam int unsigned Latency    = 2;
  localparam int unsigned CountWidth = $clog2(DwParamWords + 1);

  if (PbWords < 64 || (PbWords & (PbWords - 1)) != 0) begin : gen_check
    $error("hao_dw_params: PbWords must be a power of two of at least 64, not %0d", PbWords);
  end

  typedef struct packed {
    logic [2:0]         shift;
    logic [16:0]        mult;
    logic signed [26:0] bias;
  } requant_t;

  // Reading: nine words of taps, then eight of requantization.
  logic                  pending_q, reading_q, held_q, held_requant_q, loaded_q, begin_read;
  logic                  taps_read, ask;
  logic [CountWidth-1:0] asked_q, stored_q;
  logic [AddrWidth-1:0]  param_addr_q, rd_addr_q;
  logic [Latency-1:0]    answer_q;
  logic [WordBits-1:0]   word;
  dw_mode_e              next_mode_q, wait_mode_q;
  logic                  next_signed_q, wait_signed_q;
  logic signed [15:0]    next_lo_q, next_hi_q, wait_lo_q, wait_hi_q;

  assign begin_read = pending_q && !held_q;
  assign taps_read  = 32'(asked_q) == Taps - 1;
  assign loaded_o   = loaded_q;
  assign ask        = reading_q && (32'(asked_q) < Taps || !held_requant_q);

  hao_ram #(
    .Width  (WordBits),
    .Depth  (PbWords),
    .Latency(Latency)
  ) i_buffer (
    .clk_i,
    .wr_en_i  (buf_wr_valid_i && buf_wr_target_i == TargetParam),
    .wr_addr_i(AddrWidth'(buf_wr_addr_i)),
    .wr_data_i(buf_wr_data_i),
    .rd_en_i  (ask),
    .rd_addr_i(rd_addr_q),
    .rd_data_o(word)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pending_q      <= 1'b0;
      reading_q      <= 1'b0;
      held_q         <= 1'b0;
      held_requant_q <= 1'b0;
      loaded_q       <= 1'b0;
      answer_q       <= '0;
      asked_q        <= '0;
      stored_q       <= '0;
    end else if (clear_i) begin
      pending_q      <= 1'b0;
      reading_q      <= 1'b0;
      held_q         <= 1'b0;
      held_requant_q <= 1'b0;
      loaded_q       <= 1'b0;
      answer_q       <= '0;
      asked_q        <= '0;
      stored_q       <= '0;
    end else begin
      if (load_i) pending_q <= 1'b1;
      else if (begin_read) pending_q <= 1'b0;
      if (begin_read) begin
        reading_q <= 1'b1;
        asked_q   <= '0;
        stored_q  <= '0;
      end else begin
        if (ask) begin
          asked_q <= asked_q + CountWidth'(1);
          if (32'(asked_q) == DwParamWords - 1) reading_q <= 1'b0;
        end
        if (answer_q[Latency-1]) stored_q <= stored_q + CountWidth'(1);
      end
      answer_q <= {answer_q[Latency-2:0], ask};
      if (start_i) loaded_q <= 1'b0;
      else if (answer_q[Latency-1] && 32'(stored_q) == DwParamWords - 1) loaded_q <= 1'b1;
      if (start_i) held_q <= 1'b1;
      else if (take_taps_i) held_q <= 1'b0;
      if (start_i) held_requant_q <= 1'b1;
      else if (take_requant_i) held_requant_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_i) begin
      param_addr_q  <= AddrWidth'(instr_i.p_addr);
      next_mode_q   <= dw_mode_e'(instr_i.mode);
      next_signed_q <= instr_i.x_signed;
      next_lo_q     <= instr_i.lo;
      next_hi_q     <= instr_i.hi;
    end
    if (begin_read) rd_addr_q <= param_addr_q + AddrWidth'(RequantWords);
    else if (ask) rd_addr_q <= taps_read ? param_addr_q : rd_addr_q + AddrWidth'(1);
  end

  // The waiting set. Its two halves are overwritten at different times, as they are taken.
  logic [WordBits-1:0] tap_q [Taps];
  requant_t            requant_q [Lanes];

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    always_ff @(posedge clk_i) begin
      if (answer_q[Latency-1] && 32'(stored_q) == t) tap_q[t] <= word;
    end
  end
  for (genvar l = 0; l < Lanes; l++) begin : gen_requant
    always_ff @(posedge clk_i) begin
      if (answer_q[Latency-1] && 32'(stored_q) == Taps + l / 2) begin
        requant_q[l] <= '{shift: word[64*(l%2)+49+:3], mult: word[64*(l%2)+32+:17],
                          bias: word[64*(l%2)+:27]};
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (begin_read) begin
      wait_mode_q   <= next_mode_q;
      wait_signed_q <= next_signed_q;
    end
    if (answer_q[Latency-1] && 32'(stored_q) == Taps) begin
      wait_lo_q <= next_lo_q;
      wait_hi_q <= next_hi_q;
    end
  end

  // The sets in use.
  always_ff @(posedge clk_i) begin
    if (take_taps_i) begin
      mode_o     <= wait_mode_q;
      x_signed_o <= wait_signed_q;
    end
    if (take_requant_i) begin
      lo_o <= wait_lo_q;
      hi_o <= wait_hi_q;
    end
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_use
    for (genvar t = 0; t < Taps; t++) begin : gen_weight
      always_ff @(posedge clk_i) begin
        if (take_taps_i) weight_o[l][t] <= tap_q[t][8*l+:8];
      end
    end
    always_ff @(posedge clk_i) begin
      if (take_requant_i) begin
        bias_o[l]  <= requant_q[l].bias;
        mult_o[l]  <= requant_q[l].mult;
        shift_o[l] <= requant_q[l].shift;
      end
    end
  end

`ifndef SYNTHESIS
  for (genvar l = 0; l < 2; l++) begin : gen_assert_bias
    assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                     answer_q[Latency-1] && 32'(stored_q) >= Taps |->
                     word[64*l+26+:6] == {6{word[64*l+31]}})
      else $error("hao_dw_params: a bias needs more than 27 bits");
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) start_i |-> loaded_q)
    else $error("hao_dw_params: started before the parameters were there");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) load_i |-> !pending_q)
    else $error("hao_dw_params: a second load while one waits");
`endif

endmodule
