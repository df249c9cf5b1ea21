// The run of a program: start, end, stop on a fault, soft reset. However a run ends, the bus is
// drained of what it owes, then clear_o empties every module; only after that is the engine idle
// again. What goes to every module comes from flip-flops of its own.
module hao_control
  import hao_pkg::*;
(
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                start_i,       // pulses, from the registers
  input  logic                soft_reset_i,
  input  logic                end_i,         // END completed
  input  logic                read_fault_i,  // pulses
  input  logic                write_fault_i,
  input  logic                illegal_i,
  input  logic [NumUnits-1:0] active_i,      // units with an instruction in progress
  input  logic                dma_idle_i,
  output logic                begin_o,       // pulse: a program begins
  output logic                halt_o,        // start no instruction more: a fault, or drain_o
  output logic                drain_o,
  output logic                clear_o,
  output logic                busy_o,
  output logic                done_o,        // pulse: the program has completed
  output logic                fault_o,       // pulse with the code beside it
  output fault_e              fault_code_o
);

  localparam int unsigned ClearCycles = 8;  // longer than any pipeline that has no reset

  typedef enum logic [2:0] {
    Idle,
    Run,
    Halt,
    Drain,
    Clear
  } state_e;

  state_e     state_q, state;  // state: the next one
  logic       complete_q;      // the run ended by END
  logic [2:0] clear_cnt_q;
  logic       bus_fault, running;

  assign bus_fault = read_fault_i || write_fault_i;
  assign running   = state_q == Run || state_q == Halt;
  assign begin_o   = (state_q == Idle) && start_i && !soft_reset_i;
  assign busy_o    = (state_q != Idle);
  assign done_o    = (state_q == Clear) && (clear_cnt_q == '0) && complete_q && !soft_reset_i;

  always_comb begin
    fault_code_o = FaultNone;
    if (running && read_fault_i)           fault_code_o = FaultReadResponse;
    else if (running && write_fault_i)     fault_code_o = FaultWriteResponse;
    else if (state_q == Run && illegal_i)  fault_code_o = FaultIllegalOpcode;
    else if (state_q != Idle && start_i)   fault_code_o = FaultStartWhileBusy;
  end
  assign fault_o = fault_code_o != FaultNone;

  always_comb begin
    state = state_q;
    unique case (state_q)
      Idle:  if (start_i) state = Run;
      Run: begin
        if (bus_fault || illegal_i) state = Halt;
        else if (end_i)             state = Drain;
      end
      Halt:  if (active_i == '0) state = Drain;
      Drain: if (dma_idle_i) state = Clear;
      Clear: if (clear_cnt_q == '0) state = Idle;
      default: state = Idle;
    endcase
    if (soft_reset_i && state_q != Clear) state = Drain;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= Idle;
      complete_q  <= 1'b0;
      clear_cnt_q <= '0;
      {halt_o, drain_o, clear_o} <= '0;
    end else begin
      state_q     <= state;
      halt_o      <= state == Halt || state == Drain || state == Clear;
      drain_o     <= state == Drain || state == Clear;
      clear_o     <= state == Clear;
      clear_cnt_q <= state_q == Clear ? clear_cnt_q - 3'd1 : 3'(ClearCycles - 1);
      if (soft_reset_i)                            complete_q <= 1'b0;
      else if (state_q == Run && state == Drain)   complete_q <= 1'b1;
      else if (state_q == Clear && state == Idle)  complete_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni) clear_o |-> dma_idle_i)
    else $error("hao_control: cleared while the bus owes an answer");
  assert property (@(posedge clk_i) disable iff (!rst_ni) end_i |-> active_i == '0)
    else $error("hao_control: END completed before the units");
`endif

endmodule
