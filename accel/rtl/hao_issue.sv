// Queue of one unit: holds its instructions in program order and presents the oldest when every
// unit has completed as many instructions as it names (modulo 2^16, compared as a signed
// difference). Counts only grow, so what was met stays.
module hao_issue
  import hao_pkg::*;
#(
  parameter int unsigned QueueDepth = 16
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic                 halt_i,  // present no instruction more
  input  logic                 in_valid_i,
  output logic                 in_ready_o,
  input  logic [InstrBits-1:0] in_instr_i,
  input  logic [DepBits-1:0]   done_count_i [NumUnits],
  output logic                 out_valid_o,
  input  logic                 out_ready_i,
  output logic [InstrBits-1:0] out_instr_o,
  input  logic                 done_i,      // the unit completed one instruction
  output logic                 empty_o,     // nothing waits
  output logic                 active_o,    // the unit holds instructions
  output logic                 wait_dep_o   // the oldest waits for others
);

  localparam int unsigned FlightBits = 5;

  logic                              head_valid, take, met, met_q;
  logic [$clog2(QueueDepth+1)-1:0]   level;
  logic [FlightBits-1:0]             flight_q;
  // verilator lint_off UNUSEDSIGNAL
  // Only the dependency counts of the header matter here.
  header_t                           header;
  // verilator lint_on UNUSEDSIGNAL

  hao_fifo #(
    .Width(InstrBits),
    .Depth(QueueDepth)
  ) u_queue (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i,
    .in_ready_o,
    .in_data_i  (in_instr_i),
    .out_valid_o(head_valid),
    .out_ready_i(take),
    .out_data_o (out_instr_o),
    .level_o    (level)
  );

  function automatic logic reached(logic [DepBits-1:0] count, logic [DepBits-1:0] needed);
    logic [DepBits-1:0] difference;
    difference = count - needed;
    return !difference[DepBits-1];
  endfunction

  assign header = header_t'(out_instr_o);
  assign met    = reached(done_count_i[UnitLoad], header.dep_load) &&
                  reached(done_count_i[UnitDense], header.dep_dense) &&
                  reached(done_count_i[UnitFill], header.dep_fill) &&
                  reached(done_count_i[UnitDw], header.dep_dw) &&
                  reached(done_count_i[UnitStore], header.dep_store);

  assign out_valid_o = met_q;
  assign take        = met_q && out_ready_i;
  assign empty_o     = level == '0;
  assign active_o    = flight_q != '0;
  assign wait_dep_o  = head_valid && !met_q && !met;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      met_q    <= 1'b0;
      flight_q <= '0;
    end else if (clear_i) begin
      met_q    <= 1'b0;
      flight_q <= '0;
    end else begin
      if (met_q) met_q <= !out_ready_i;
      else       met_q <= head_valid && met && !halt_i;
      if (take != done_i) flight_q <= take ? flight_q + 1'b1 : flight_q - 1'b1;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) out_valid_o |-> head_valid)
    else $error("hao_issue: an instruction presented from an empty queue");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) done_i |-> flight_q != '0)
    else $error("hao_issue: the unit completed an instruction that it never took");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   take && !done_i |-> flight_q != '1)
    else $error("hao_issue: the unit took more instructions than can be counted");
`else
  logic unused;
  assign unused = ^level;
`endif

endmodule
