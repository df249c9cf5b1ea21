// Requantization lanes (docs/isa.md): data = clip(((acc + bias) * mult + 2^(s-1)) >> s, lo, hi), s
// = 16 + 4 * shift, stored modulo 2^8. One multiply-add of 27 x 18 bits a lane in the register
// structure of a DSP48E2 (A and D, AD, two B, C, M and P registers), then shift, comparison and
// saturation. One beat a cycle, Latency cycles from beat to result.
//
// Two operands on one multiplier (residual add): the first beat has last_i = 0 and leaves its
// rounded product in P, the second has accumulate_i = 1 and last_i = 1 and adds its own; it alone
// produces a result, with its own shift, bounds and tag. Shift must be the same in both beats (the
// first one's gives the rounding constant). Idle cycles may lie between. A plain beat has
// accumulate_i = 0 and last_i = 1.
//
// Back-pressure: all stages stand still while a result waits (valid_o && !ready_i); ready_o falls
// with it.
module hao_requant #(
  parameter int unsigned NumLanes = 16,
  parameter int unsigned TagWidth = 1   // carried from beat to result
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                clear_i,
  input  logic                valid_i,
  output logic                ready_o,
  input  logic                accumulate_i,         // adds to the product of the beat before
  input  logic                last_i,               // produces a result
  input  logic signed [26:0]  acc_i  [NumLanes],
  input  logic signed [26:0]  bias_i [NumLanes],    // acc + bias must fit 27 bits
  input  logic        [16:0]  mult_i [NumLanes],
  input  logic         [2:0]  shift_i[NumLanes],
  input  logic signed [15:0]  lo_i,
  input  logic signed [15:0]  hi_i,
  input  logic [TagWidth-1:0] tag_i,
  output logic                valid_o,
  input  logic                ready_i,
  output logic          [7:0] data_o [NumLanes],
  output logic [TagWidth-1:0] tag_o
);

  localparam int unsigned Latency = 7;

  if (NumLanes == 0 || TagWidth == 0) begin : gen_check
    $error("hao_requant: NumLanes and TagWidth must be at least 1");
  end

  // Control of the beat in every stage; stage k holds what k + 1 clock edges have moved.
  logic                advance;
  logic [Latency-1:0]  valid_q;
  logic [Latency-1:0]  step;       // stage k takes a beat at this edge
  logic                accumulate_q [3];
  logic                last_q       [Latency-1];
  logic [TagWidth-1:0] tag_q        [Latency];
  logic signed [15:0]  lo_q         [Latency-1];
  logic signed [15:0]  hi_q         [Latency-1];

  assign advance = ready_i || !valid_q[Latency-1];
  assign ready_o = advance;
  assign valid_o = valid_q[Latency-1];
  assign tag_o   = tag_q[Latency-1];

  always_comb begin
    step    = {valid_q[Latency-2:0], valid_i} & {Latency{advance}};
    // beats without a result end in P
    step[4] = step[4] && last_q[3];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
    end else if (clear_i) begin
      valid_q <= '0;
    end else if (advance) begin
      valid_q <= step;
    end
  end

  always_ff @(posedge clk_i) begin
    if (step[0]) begin
      accumulate_q[0] <= accumulate_i;
      last_q[0]       <= last_i;
      tag_q[0]        <= tag_i;
      lo_q[0]         <= lo_i;
      hi_q[0]         <= hi_i;
    end
    for (int unsigned k = 1; k < 3; k++) begin
      if (step[k]) accumulate_q[k] <= accumulate_q[k-1];
    end
    for (int unsigned k = 1; k < Latency - 1; k++) begin
      if (step[k]) begin
        last_q[k] <= last_q[k-1];
        lo_q[k]   <= lo_q[k-1];
        hi_q[k]   <= hi_q[k-1];
      end
    end
    for (int unsigned k = 1; k < Latency; k++) begin
      if (step[k]) tag_q[k] <= tag_q[k-1];
    end
  end

  for (genvar l = 0; l < NumLanes; l++) begin : gen_lane
    logic signed [47:0] p, round;
    logic signed [31:0] whole, value_q;  // whole: P without its 16 lowest bits
    logic         [2:0] shift_q [4];
    logic         [7:0] byte_q, data_q;
    logic               under_q, over_q;

    // 2^(s-1): bit 15, 19, ... 43
    always_comb begin
      round = '0;
      for (int unsigned code = 0; code < 8; code++) begin
        round[15 + 4*code] = (shift_q[1] == 3'(code));
      end
    end

    hao_requant_dsp i_multiplier (
      .clk_i,
      .step_i      (step[3:0]),
      .a_i         (acc_i[l]),
      .d_i         (bias_i[l]),
      .b_i         ({1'b0, mult_i[l]}),  // 17 bits unsigned on the 18-bit signed port
      .c_i         (round),
      .accumulate_i(accumulate_q[2]),
      .p_o         (p)
    );

    assign whole = p[47:16];

    logic unused_p;
    assign unused_p = ^p[15:0];

    always_ff @(posedge clk_i) begin
      if (step[0]) shift_q[0] <= shift_i[l];
      for (int unsigned k = 1; k < 4; k++) begin
        if (step[k]) shift_q[k] <= shift_q[k-1];
      end
      if (step[4]) value_q <= whole >>> {shift_q[3], 2'b00};
      if (step[5]) begin
        byte_q  <= value_q[7:0];
        under_q <= value_q < 32'(lo_q[4]);
        over_q  <= value_q > 32'(hi_q[4]);
      end
      if (step[6]) begin
        data_q <= over_q ? hi_q[5][7:0] : under_q ? lo_q[5][7:0] : byte_q;
      end
    end

    assign data_o[l] = data_q;

`ifndef SYNTHESIS
    // Immediate, not concurrent: sampling every lane would cost more than the lanes.
    always_ff @(posedge clk_i) begin
      if (rst_ni && step[0]) begin
        assert (28'(acc_i[l]) + 28'(bias_i[l]) == 28'(signed'(acc_i[l] + bias_i[l])))
          else $error("hao_requant: lane %0d: acc + bias needs more than 27 bits", l);
      end
    end
`endif
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) valid_i |-> lo_i <= hi_i)
    else $error("hao_requant: lo %0d is above hi %0d", lo_i, hi_i);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_i && !ready_o |=> valid_i && $stable(tag_i))
    else $error("hao_requant: a waiting beat was withdrawn");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_o && !ready_i |=> valid_o && $stable(tag_o))
    else $error("hao_requant: a waiting result was lost");
`endif

endmodule
