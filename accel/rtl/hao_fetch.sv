// Reads the program ahead of need, puts four words together to an instruction and pushes it to its
// unit's queue, in program order. END waits until every queue is empty and every unit has
// completed what it took.
module hao_fetch
  import hao_pkg::*;
(
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic                 begin_i,   // pulse: read the program at addr_i
  input  logic                 halt_i,    // neither END nor faults count any more
  input  logic [39:0]          addr_i,    // a multiple of 64
  input  logic [31:0]          count_i,   // instructions
  output logic                 end_o,     // pulse: END completed
  output logic                 illegal_o, // pulse: an unknown opcode, or no END

  output logic                 req_valid_o,
  input  logic                 req_ready_i,
  output logic [39:0]          req_addr_o,
  output logic [15:0]          req_words_o,
  input  logic                 data_valid_i,
  output logic                 data_ready_o,
  input  logic [127:0]         data_i,

  output logic [NumUnits-1:0]  instr_valid_o,
  input  logic [NumUnits-1:0]  instr_ready_i,
  output logic [InstrBits-1:0] instr_o,
  input  logic                 units_idle_i  // all queues empty, no unit active
);

  localparam int unsigned ChunkBits   = 10;
  localparam int unsigned ChunkInstrs = 1 << ChunkBits;  // instructions a request

  // Requests, far ahead; the DMA paces them by its buffer.
  logic [31:0] request_left_q;
  logic [39:0] request_addr_q;
  logic [31:0] chunk, request_left;
  logic        short;  // less than a whole request is left

  assign short        = request_left_q[31:ChunkBits] == '0;
  assign chunk        = short ? 32'(request_left_q[ChunkBits-1:0]) : 32'(ChunkInstrs);
  assign request_left = short ? '0 : {request_left_q[31:ChunkBits] - (32-ChunkBits)'(1),
                                      request_left_q[ChunkBits-1:0]};
  assign req_valid_o = request_left_q != '0;
  assign req_addr_o  = request_addr_q;
  assign req_words_o = 16'(chunk * InstrWords);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      request_left_q <= '0;
      request_addr_q <= '0;
    end else if (clear_i) begin
      request_left_q <= '0;
    end else if (begin_i) begin
      request_left_q <= count_i;
      request_addr_q <= {addr_i[39:6], 6'b0};
    end else if (req_valid_o && req_ready_i) begin
      request_left_q <= request_left;
      request_addr_q <= request_addr_q + 40'(ChunkInstrs * InstrBits / 8);
    end
  end

  // Assembly: words shift in from the top, so that the first ends up lowest.
  logic [InstrBits-1:0] instr_q;
  logic [2:0]           words_q;  // words gathered
  logic                 running_q;
  logic [31:0]          left_q;   // instructions not yet dispatched
  logic                 spent_q;  // none is left
  logic                 complete, dispatch, known;
  logic [NumUnits-1:0]  unit;
  logic [7:0]           opcode;

  assign opcode       = instr_q[7:0];
  assign complete     = running_q && 32'(words_q) == InstrWords;
  assign data_ready_o = running_q && !complete;

  always_comb begin
    unit  = '0;
    known = 1'b1;
    unique case (opcode)
      OpLoad, OpLdi: unit[UnitLoad] = 1'b1;
      OpDense:       unit[UnitDense] = 1'b1;
      OpFill:        unit[UnitFill] = 1'b1;
      OpDw, OpAdd:   unit[UnitDw] = 1'b1;
      OpStore:       unit[UnitStore] = 1'b1;
      OpEnd:         unit = '0;
      default:       known = 1'b0;
    endcase
  end

  assign instr_valid_o = complete ? unit : '0;
  assign instr_o       = instr_q;
  assign dispatch      = |(instr_valid_o & instr_ready_i);
  assign end_o         = complete && !halt_i && opcode == OpEnd && units_idle_i;
  assign illegal_o     = (complete && !halt_i && !known) || (running_q && !halt_i && spent_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      instr_q   <= '0;
      words_q   <= '0;
      running_q <= 1'b0;
      left_q    <= '0;
      spent_q   <= 1'b1;
    end else if (clear_i) begin
      words_q   <= '0;
      running_q <= 1'b0;
    end else if (begin_i) begin
      words_q   <= '0;
      running_q <= 1'b1;
      left_q    <= count_i;
      spent_q   <= count_i == '0;
    end else begin
      if (data_valid_i && data_ready_o) begin
        instr_q <= {data_i, instr_q[InstrBits-1:128]};
        words_q <= words_q + 3'd1;
      end
      if (dispatch) begin
        words_q <= '0;
        left_q  <= left_q - 32'd1;
        spent_q <= left_q == 32'd1;
      end
      if (end_o || illegal_o) running_q <= 1'b0;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) $onehot0(instr_valid_o))
    else $error("hao_fetch: an instruction for two units");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) spent_q == (left_q == '0))
    else $error("hao_fetch: %0d instructions miscounted", left_q);
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) begin_i |-> !running_q)
    else $error("hao_fetch: begun while a program runs");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   instr_valid_o != '0 && !dispatch |=> $stable(instr_valid_o) && $stable(instr_o))
    else $error("hao_fetch: an instruction changed while it waited");
`endif
  logic unused;
  assign unused = ^addr_i[5:0];

endmodule
