// Requantization of unit DW: beats of the depthwise core or of ADD enter the lanes, words of 16
// bytes leave. The two sources never send at once. With DwLanes = 8 two results make a word.
module hao_dw_requant #(
  parameter int unsigned DwLanes = 16
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // Beats of the core and the parameters in use
  input  logic               core_valid_i,
  input  logic               core_half_i,
  input  logic               core_last_i,
  input  logic signed [26:0] core_acc_i [DwLanes],
  input  logic signed [15:0] lo_i,
  input  logic signed [15:0] hi_i,
  input  logic signed [26:0] bias_i     [hao_pkg::Lanes],
  input  logic [16:0]        mult_i     [hao_pkg::Lanes],
  input  logic [2:0]         shift_i    [hao_pkg::Lanes],
  // Beats of ADD
  input  logic               add_valid_i,
  input  logic               add_second_i,
  input  logic               add_half_i,
  input  logic               add_last_i,
  input  logic signed [8:0]  add_value_i [DwLanes],
  input  logic [16:0]        add_mult_i,
  input  logic [2:0]         add_shift_i,
  input  logic signed [15:0] add_lo_i,
  input  logic signed [15:0] add_hi_i,
  // Words
  output logic               word_valid_o,
  output logic               word_last_o,
  output logic [127:0]       word_o
);

  import hao_pkg::*;

  localparam int unsigned Halves = Lanes / DwLanes;

  logic signed [26:0] acc [DwLanes], bias [DwLanes];
  logic [16:0]        mult [DwLanes];
  logic [2:0]         shift [DwLanes];
  logic               valid, half, last, result_valid, result_half, unused_ready;
  logic [7:0]         data [DwLanes];
  logic [8*DwLanes-1:0] result;

  assign valid = core_valid_i || add_valid_i;
  assign half  = add_valid_i ? add_half_i : core_half_i;
  assign last  = add_valid_i ? add_last_i : core_last_i;

  for (genvar l = 0; l < DwLanes; l++) begin : gen_lane
    logic signed [26:0] core_bias;
    logic [16:0]        core_mult;
    logic [2:0]         core_shift;
    if (Halves == 1) begin : gen_whole
      assign core_bias  = bias_i[l];
      assign core_mult  = mult_i[l];
      assign core_shift = shift_i[l];
    end else begin : gen_half
      assign core_bias  = core_half_i ? bias_i[DwLanes+l] : bias_i[l];
      assign core_mult  = core_half_i ? mult_i[DwLanes+l] : mult_i[l];
      assign core_shift = core_half_i ? shift_i[DwLanes+l] : shift_i[l];
    end
    assign acc[l]   = add_valid_i ? 27'(add_value_i[l]) : core_acc_i[l];
    assign bias[l]  = add_valid_i ? '0 : core_bias;
    assign mult[l]  = add_valid_i ? add_mult_i : core_mult;
    assign shift[l] = add_valid_i ? add_shift_i : core_shift;
    assign result[8*l+:8] = data[l];
  end

  // The buffer behind always has room, so the lanes never wait.
  hao_requant #(
    .NumLanes(DwLanes),
    .TagWidth(2)
  ) i_lanes (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i     (valid),
    .ready_o     (unused_ready),
    .accumulate_i(add_valid_i && add_second_i),
    .last_i      (!add_valid_i || add_second_i),
    .acc_i       (acc),
    .bias_i      (bias),
    .mult_i      (mult),
    .shift_i     (shift),
    .lo_i        (add_valid_i ? add_lo_i : lo_i),
    .hi_i        (add_valid_i ? add_hi_i : hi_i),
    .tag_i       ({half, last}),
    .valid_o     (result_valid),
    .ready_i     (1'b1),
    .data_o      (data),
    .tag_o       ({result_half, word_last_o})
  );

  if (Halves == 1) begin : gen_word
    logic unused_half;
    assign unused_half  = result_half;
    assign word_valid_o = result_valid;
    assign word_o       = result;
  end else begin : gen_gather
    logic [8*DwLanes-1:0] low_q;
    always_ff @(posedge clk_i) begin
      if (result_valid && !result_half) low_q <= result;
    end
    assign word_valid_o = result_valid && result_half;
    assign word_o       = {result, low_q};
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   !(core_valid_i && add_valid_i))
    else $error("hao_dw_requant: core and ADD send at once");
`endif

endmodule
