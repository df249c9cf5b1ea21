// Wrapper of hao_requant for cocotb: lanes in flat vectors, so that a beat is one assignment.
module hao_requant_bench #(
  parameter int unsigned NumLanes = 16,
  parameter int unsigned TagWidth = 16
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   clear_i,
  input  logic                   valid_i,
  output logic                   ready_o,
  input  logic                   accumulate_i,
  input  logic                   last_i,
  input  logic [27*NumLanes-1:0] acc_i,
  input  logic [27*NumLanes-1:0] bias_i,
  input  logic [17*NumLanes-1:0] mult_i,
  input  logic  [3*NumLanes-1:0] shift_i,
  input  logic            [15:0] lo_i,
  input  logic            [15:0] hi_i,
  input  logic    [TagWidth-1:0] tag_i,
  output logic                   valid_o,
  input  logic                   ready_i,
  output logic  [8*NumLanes-1:0] data_o,
  output logic    [TagWidth-1:0] tag_o
);

  logic signed [26:0] acc [NumLanes], bias [NumLanes];
  logic        [16:0] mult [NumLanes];
  logic         [2:0] shift [NumLanes];
  logic         [7:0] data [NumLanes];

  for (genvar l = 0; l < NumLanes; l++) begin : gen_lane
    assign acc[l]           = acc_i[27*l+:27];
    assign bias[l]          = bias_i[27*l+:27];
    assign mult[l]          = mult_i[17*l+:17];
    assign shift[l]         = shift_i[3*l+:3];
    assign data_o[8*l+:8]   = data[l];
  end

  hao_requant #(
    .NumLanes(NumLanes),
    .TagWidth(TagWidth)
  ) i_requant (
    .clk_i,
    .rst_ni,
    .clear_i,
    .valid_i,
    .ready_o,
    .accumulate_i,
    .last_i,
    .acc_i  (acc),
    .bias_i (bias),
    .mult_i (mult),
    .shift_i(shift),
    .lo_i,
    .hi_i,
    .tag_i,
    .valid_o,
    .ready_i,
    .data_o (data),
    .tag_o
  );

endmodule
