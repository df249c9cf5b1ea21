// PI x PO x PX multiply-accumulates a cycle: operands of PX pixels against one weight tile.
//
// Input lanes l, l+1, l+2, l+3 (l a multiple of 4) form a chain of four multipliers; lane l + k
// works k cycles after lane l, so operands, weights and weight loads are delayed by k cycles there.
// Behind the chains an adder tree of two registered levels; sum_o belongs to the operands that were
// complete (x_valid_i) Latency = 9 cycles before.
//
// Weights: words of the tile come in any rhythm (w_valid_i) into a shadow tile; x_swap_i, with
// x_valid_i, moves the shadow (with PI = 8 its half x_upper_i) to the multipliers for these
// operands and all that follow. A word takes part in that if it came no later than the cycle of
// x_swap_i; the next tile's words may come in the following cycle.
module hao_mac_array #(
  parameter int unsigned PI = 16,
  parameter int unsigned PO = 16,
  parameter int unsigned PX = 2
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // Weight tile: 16 input lanes by PO outputs
  input  logic               w_valid_i,
  input  logic               w8_i,        // a word is one output of bytes, else two of nibbles
  input  logic         [3:0] w_index_i,   // number of the word
  input  logic       [127:0] w_data_i,
  // Operands
  input  logic [PX-1:0]      x_load_i,    // which pixels' operands this is
  input  logic [PX-1:0]      x_en_i,      // the pixel lies inside the map (else zero)
  input  logic               x_signed_i,
  input  logic       [127:0] x_data_i [PX],
  input  logic               x_valid_i,   // all pixels' operands are complete
  input  logic               x_swap_i,
  input  logic               x_upper_i,   // PI = 8: lanes 8 to 15
  output logic signed [19:0] sum_o [PX][PO]
);

  localparam int unsigned Chain  = 4;
  localparam int unsigned Chains = PI / Chain;
  localparam int unsigned AWidth = PX == 2 ? 27 : 9;
  localparam int unsigned PWidth = PX == 2 ? 36 : 20;
  localparam int unsigned Stages = 8;  // stages that follow the operand registers

  if ((PI != 8 && PI != 16) || (PO != 8 && PO != 16) || (PX != 1 && PX != 2)) begin : gen_check
    $error("hao_mac_array: PI %0d, PO %0d, PX %0d: out of range", PI, PO, PX);
  end

  // Stage n works where valid_q[n] is high.
  logic [Stages-1:0] valid_q;
  logic [Chain-1:0]  swap_q, upper_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      swap_q  <= '0;
    end else if (clear_i) begin
      valid_q <= '0;
      swap_q  <= '0;
    end else begin
      valid_q <= {valid_q[Stages-2:0], x_valid_i};
      swap_q  <= {swap_q[Chain-2:0], x_valid_i && x_swap_i};
    end
  end

  always_ff @(posedge clk_i) begin
    upper_q <= {upper_q[Chain-2:0], x_upper_i};
  end

  // Operands, 9 bits signed.
  logic signed [8:0] x_q [PX][16];

  always_ff @(posedge clk_i) begin
    for (int unsigned s = 0; s < PX; s++) begin
      if (x_load_i[s]) begin
        for (int unsigned l = 0; l < 16; l++) begin
          x_q[s][l] <= x_en_i[s] ? {x_signed_i && x_data_i[s][8*l+7], x_data_i[s][8*l+:8]} : '0;
        end
      end
    end
  end

  // Words of the next tile, delayed for the later lanes of a chain.
  logic         wk_valid [Chain];
  logic         wk_w8    [Chain];
  logic   [3:0] wk_index [Chain];
  logic [127:0] wk_data  [Chain];

  assign wk_valid[0] = w_valid_i;
  assign wk_w8[0]    = w8_i;
  assign wk_index[0] = w_index_i;
  assign wk_data[0]  = w_data_i;

  for (genvar k = 1; k < Chain; k++) begin : gen_word
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni)      wk_valid[k] <= 1'b0;
      else if (clear_i) wk_valid[k] <= 1'b0;
      else              wk_valid[k] <= wk_valid[k-1];
    end
    always_ff @(posedge clk_i) begin
      if (wk_valid[k-1]) begin
        wk_w8[k]    <= wk_w8[k-1];
        wk_index[k] <= wk_index[k-1];
        wk_data[k]  <= wk_data[k-1];
      end
    end
  end

  function automatic logic signed [7:0] nibble(logic [127:0] word, int unsigned number);
    return 8'(signed'(word[4*number+:4]));
  endfunction

  // Registers one by one: indexed writes would cost a multiplexer a bit.
  logic signed [7:0] shadow_q [16][PO];

  for (genvar l = 0; l < 16; l++) begin : gen_shadow
    localparam int unsigned K = l % Chain;
    always_ff @(posedge clk_i) begin
      if (wk_valid[K]) begin
        for (int unsigned o = 0; o < PO; o++) begin
          if (32'(wk_index[K]) == (wk_w8[K] ? o : o / 2)) begin
            shadow_q[l][o] <= wk_w8[K] ? wk_data[K][8*l+:8]
                                       : nibble(wk_data[K], 16 * (o % 2) + l);
          end
        end
      end
    end
  end

  logic signed [PWidth-1:0] p [PI][PO];
  logic signed       [47:0] cascade [PI+1][PO];

  for (genvar o = 0; o < PO; o++) begin : gen_start
    assign cascade[0][o] = '0;
  end

  // Lane K of a chain sees operands and weights K cycles later; the last register of either lies
  // inside the multipliers.
  for (genvar l = 0; l < PI; l++) begin : gen_lane
    localparam int unsigned K = l % Chain;
    logic signed [AWidth-1:0] a [K+1];
    logic signed        [7:0] weight [PO];
    logic signed        [8:0] x [PX];

    for (genvar s = 0; s < PX; s++) begin : gen_slot
      assign x[s] = (PI == 8 && upper_q[0]) ? x_q[s][(l+8)%16] : x_q[s][l];
    end

    if (PX == 2) begin : gen_pack
      assign a[0] = {x[0], 18'b0} + AWidth'(x[1]);
    end else begin : gen_plain
      assign a[0] = x[0];
    end

    for (genvar k = 0; k < K; k++) begin : gen_delay
      always_ff @(posedge clk_i) begin
        if (valid_q[k]) a[k+1] <= a[k];
      end
    end

    for (genvar o = 0; o < PO; o++) begin : gen_weight
      assign weight[o] = (PI == 8 && upper_q[K]) ? shadow_q[(l+8)%16][o] : shadow_q[l][o];
    end

    hao_dsp_row #(
      .PO    (PO),
      .AWidth(AWidth),
      .PWidth(PWidth),
      .Head  (K == 0)
    ) i_row (
      .clk_i,
      .a_en_i   (valid_q[K]),
      .b_en_i   (swap_q[K]),
      .m_en_i   (valid_q[K+1]),
      .p_en_i   (valid_q[K+2]),
      .a_i      (a[K]),
      .b_i      (weight),
      .cascade_i(cascade[l]),
      .cascade_o(cascade[l+1]),
      .p_o      (p[l])
    );
  end

  // Adder tree; here the lanes of two pixels part.
  for (genvar o = 0; o < PO; o++) begin : gen_tree
    for (genvar s = 0; s < PX; s++) begin : gen_pixel
      logic signed [19:0] part [Chains];
      logic signed [19:0] half_q [Chains/2];
      logic signed [19:0] sum_q;

      for (genvar c = 0; c < Chains; c++) begin : gen_chain
        localparam int unsigned Tail = Chain * c + Chain - 1;
        if (PX == 1) begin : gen_whole
          assign part[c] = p[Tail][o];
        end else if (s == 0) begin : gen_upper
          assign part[c] = 20'(signed'(p[Tail][o][35:18]));
        end else begin : gen_lower
          assign part[c] = 20'(signed'({!p[Tail][o][17], p[Tail][o][16:0]}));
        end
      end

      always_ff @(posedge clk_i) begin
        if (valid_q[6]) begin
          for (int unsigned c = 0; c < Chains / 2; c++) half_q[c] <= part[2*c] + part[2*c+1];
        end
        if (valid_q[7]) sum_q <= Chains == 4 ? half_q[0] + half_q[Chains/2-1] : half_q[0];
      end

      assign sum_o[s][o] = sum_q;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) w_valid_i |->
                   32'(w_index_i) < (w8_i ? PO : PO / 2))
    else $error("hao_mac_array: weight word %0d is outside the tile", w_index_i);
`endif

endmodule
