// Partial sums of a chunk of 32 pixel groups, and the finished sums on their way out.
//
// A pass adds the products of one weight tile to every group of the chunk; the first pass starts
// from zero, the last one sends the sums to the drain buffer instead of keeping them. So the next
// chunk starts while this one drains. Both are LUTRAM of 32 entries. Whoever starts a group of a
// last pass must own one of the drain buffer's 32 entries; drained_o gives one back. A group may be
// revisited from two cycles after it.
module hao_accumulator #(
  parameter int unsigned PO = 16,
  parameter int unsigned PX = 2
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // One cycle ahead of the sums: what to read
  input  logic               ahead_valid_i,
  input  logic               ahead_first_i,
  input  logic         [4:0] ahead_group_i,
  // Sums
  input  logic               valid_i,
  input  logic               last_i,       // last pass
  input  logic         [4:0] group_i,
  input  logic               pair_i,       // the group has two pixels (else only the first)
  input  logic         [2:0] mark_i,       // travels with the group
  input  logic signed [19:0] sum_i [PX][PO],
  // Finished sums, one pixel at a time
  output logic               acc_valid_o,
  input  logic               acc_ready_i,
  output logic signed [26:0] acc_o [PO],
  output logic               acc_end_o,    // last pixel of its group
  output logic         [2:0] acc_mark_o,
  output logic               drained_o
);

  localparam int unsigned Depth = 32;

  logic       keep, finish, pop, slot_q, valid_q;  // valid: level_q != 0
  logic [4:0] wr_ptr_q, rd_ptr_q;
  logic [5:0] level_q;
  logic [3:0] mark_mem_q [Depth];

  assign keep   = valid_i && !last_i;
  assign finish = valid_i && last_i;

  for (genvar o = 0; o < PO; o++) begin : gen_output
    logic signed [26:0] head [PX];
    for (genvar s = 0; s < PX; s++) begin : gen_pixel
      (* ram_style = "distributed" *) logic signed [26:0] sum_mem_q   [Depth];
      (* ram_style = "distributed" *) logic signed [26:0] drain_mem_q [Depth];
      logic signed [26:0] old_q, total;

      assign total   = old_q + 27'(sum_i[s][o]);
      assign head[s] = drain_mem_q[rd_ptr_q];

      always_ff @(posedge clk_i) begin
        if (ahead_valid_i) old_q <= ahead_first_i ? '0 : sum_mem_q[ahead_group_i];
        if (keep) sum_mem_q[group_i] <= total;
        if (finish) drain_mem_q[wr_ptr_q] <= total;
      end
    end
    assign acc_o[o] = (PX == 2 && slot_q) ? head[PX-1] : head[0];
  end

  always_ff @(posedge clk_i) begin
    if (finish) mark_mem_q[wr_ptr_q] <= {pair_i, mark_i};
  end

  // The mark of the oldest entry waits in registers, and whether its next pixel is its last: they
  // decide about ends. Both come from the memory, or, where the entry becomes the oldest as it is
  // written, past it.
  logic       end_q;
  logic [4:0] next_ptr_q;  // rd_ptr_q + 1
  logic [2:0] head_mark_q;

  always_ff @(posedge clk_i) begin
    if (finish && (!valid_q || (pop && level_q == 6'd1))) begin
      {end_q, head_mark_q} <= {!pair_i, mark_i};
    end else if (pop) begin
      {end_q, head_mark_q} <= {!mark_mem_q[next_ptr_q][3], mark_mem_q[next_ptr_q][2:0]};
    end else if (acc_ready_i) begin
      end_q <= 1'b1;
    end
  end

  assign acc_mark_o  = head_mark_q;
  assign acc_valid_o = valid_q;
  assign acc_end_o   = PX == 1 || end_q;
  assign pop         = acc_valid_o && acc_ready_i && acc_end_o;
  assign drained_o   = pop;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_ptr_q   <= '0;
      rd_ptr_q   <= '0;
      next_ptr_q <= 5'd1;
      level_q    <= '0;
      slot_q     <= 1'b0;
      valid_q    <= 1'b0;
    end else if (clear_i) begin
      wr_ptr_q   <= '0;
      rd_ptr_q   <= '0;
      next_ptr_q <= 5'd1;
      level_q    <= '0;
      slot_q     <= 1'b0;
      valid_q    <= 1'b0;
    end else begin
      if (finish) wr_ptr_q <= wr_ptr_q + 5'd1;
      if (pop) begin
        rd_ptr_q   <= next_ptr_q;
        next_ptr_q <= next_ptr_q + 5'd1;
      end
      valid_q <= finish || (valid_q && !(pop && level_q == 6'd1));
      if (finish != pop) level_q <= finish ? level_q + 6'd1 : level_q - 6'd1;
      if (acc_valid_o && acc_ready_i) slot_q <= !acc_end_o;
    end
  end

`ifndef SYNTHESIS
  logic       check_valid_q;
  logic [4:0] check_group_q;
  always_ff @(posedge clk_i) begin
    check_valid_q <= ahead_valid_i;
    check_group_q <= ahead_group_i;
  end
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_i |-> check_valid_q && check_group_q == group_i)
    else $error("hao_accumulator: the sum that was read belongs to another group");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   keep && ahead_valid_i && !ahead_first_i |-> ahead_group_i != group_i)
    else $error("hao_accumulator: group %0d is revisited too soon", group_i);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   valid_q == (level_q != '0) && next_ptr_q == rd_ptr_q + 5'd1 &&
                   (!valid_q || head_mark_q == mark_mem_q[rd_ptr_q][2:0]) &&
                   (!valid_q || end_q == (slot_q || !mark_mem_q[rd_ptr_q][3])))
    else $error("hao_accumulator: the oldest of %0d entries has a wrong mark", level_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   finish |-> level_q != 6'(Depth))
    else $error("hao_accumulator: the drain buffer overflowed");
  // Immediate, not concurrent: sampling every lane would cost more than the lanes.
  for (genvar o = 0; o < PO; o++) begin : gen_check_output
    for (genvar s = 0; s < PX; s++) begin : gen_check_pixel
      logic old_sign, sign;
      assign old_sign = gen_output[o].gen_pixel[s].old_q[26];
      assign sign     = gen_output[o].gen_pixel[s].total[26];
      always_ff @(posedge clk_i) begin
        if (rst_ni && valid_i && (s == 0 || pair_i)) begin
          assert (!(old_sign == sum_i[s][o][19] && sign != old_sign))
            else $error("hao_accumulator: output %0d leaves 27 bits", o);
        end
      end
    end
  end
`endif

endmodule
