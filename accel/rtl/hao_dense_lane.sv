// Follows every PX-th output pixel of a DENSE instruction from pixel K on: row, column and place iy
// * in_w + ix of its input pixel, moved by a kernel tap on the way out (one cycle). The state at
// the last mark can be gone back to.
module hao_dense_lane #(
  parameter int unsigned PX = 2,
  parameter int unsigned K  = 0
) (
  input  logic               clk_i,
  // First pixel of an instruction, prepared by hao_dense_setup
  input  logic               start_i,
  input  logic        [15:0] cmd_out_w_i,
  input  logic         [3:0] cmd_stride_i,
  input  logic         [3:0] cmd_pad_i,
  input  logic        [15:0] cmd_place_i,
  input  logic signed [19:0] cmd_iy_i,
  input  logic        [15:0] cmd_row_place_i,
  input  logic               cmd_wrap_two_i,
  // Steps
  input  logic               step_i,        // to the next pixel
  input  logic               mark_i,        // ... and remember it (with step_i)
  input  logic               back_i,        // to the remembered one instead
  input  logic         [3:0] stride_i,
  input  logic        [15:0] out_w_i,
  input  logic        [15:0] wrap_place_i,
  input  logic signed [19:0] wrap_ix_i,
  input  logic               wrap_two_i,
  // Input pixel at a tap, in the cycle after step_i
  input  logic        [15:0] base_i,
  input  logic         [3:0] ky_i,
  input  logic         [3:0] kx_i,
  output logic        [15:0] addr_o,
  output logic signed [19:0] iy_o,
  output logic signed [19:0] ix_o
);

  typedef struct packed {
    logic        [15:0] left;  // pixels to the end of the row
    logic signed [19:0] iy;
    logic signed [19:0] ix;
    logic        [15:0] place;
  } state_t;

  state_t state_q, mark_q, first, next;

  // Lane 1 starts one pixel further: in the same row, or in the next where rows have one pixel.
  always_comb begin
    first = '{left: cmd_out_w_i, iy: cmd_iy_i, ix: -20'(cmd_pad_i), place: cmd_place_i};
    if (K == 1 && cmd_wrap_two_i) begin
      first.iy    = cmd_iy_i + 20'(cmd_stride_i);
      first.place = cmd_place_i + cmd_row_place_i;
    end else if (K == 1) begin
      first.left  = cmd_out_w_i - 16'd1;
      first.ix    = 20'(cmd_stride_i) - 20'(cmd_pad_i);
      first.place = cmd_place_i + 16'(cmd_stride_i);
    end
  end

  always_comb begin
    next       = state_q;
    next.left  = state_q.left - 16'(PX);
    next.ix    = state_q.ix + 20'(32'(stride_i) * PX);
    next.place = state_q.place + 16'(32'(stride_i) * PX);
    if (state_q.left <= 16'(PX)) begin
      next.left  = state_q.left - 16'(PX) + (wrap_two_i ? out_w_i << 1 : out_w_i);
      next.iy    = state_q.iy + (wrap_two_i ? 20'({stride_i, 1'b0}) : 20'(stride_i));
      next.ix    = state_q.ix + wrap_ix_i;
      next.place = state_q.place + wrap_place_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      state_q <= first;
      mark_q  <= first;
    end else if (step_i) begin
      state_q <= back_i ? mark_q : next;
      if (mark_i) mark_q <= next;
    end
    if (step_i) begin
      addr_o <= state_q.place + base_i;
      iy_o   <= state_q.iy + 20'(ky_i);
      ix_o   <= state_q.ix + 20'(kx_i);
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) mark_i || back_i |-> step_i && mark_i != back_i)
    else $error("hao_dense_lane: a state was remembered or gone back to without a step");
  assert property (@(posedge clk_i)
                   step_i |-> state_q.left != '0 && state_q.left <= out_w_i)
    else $error("hao_dense_lane: %0d pixels left in a row of %0d", state_q.left, out_w_i);
`endif

endmodule
