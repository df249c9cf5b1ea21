// LOAD and LDI: requests words of DRAM and spreads them over weight, parameter, list and feature
// memory. Requests run ahead of the data: instructions whose words are on their way wait in a
// short list, so that latency overlaps.
module hao_load
  import hao_pkg::*;
#(
  parameter int unsigned RowBytes = 2048
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic [39:0]          base_i [4],
  input  logic                 instr_valid_i,
  output logic                 instr_ready_o,
  input  logic [InstrBits-1:0] instr_i,
  output logic                 done_o,
  output logic                 stall_o,

  output logic                 dma_valid_o,
  input  logic                 dma_ready_i,
  output logic [39:0]          dma_addr_o,
  output logic [15:0]          dma_words_o,
  input  logic                 data_valid_i,
  output logic                 data_ready_o,
  input  logic [127:0]         data_i,

  output logic                 buf_wr_valid_o,   // weight, parameter, list buffers: always accepted
  output logic [1:0]           buf_wr_target_o,  // load_target_e
  output logic [15:0]          buf_wr_addr_o,
  output logic [127:0]         buf_wr_data_o,
  output logic                 fm_wr_valid_o,
  input  logic                 fm_wr_ready_i,
  output logic [15:0]          fm_wr_addr_o,
  output logic [127:0]         fm_wr_data_o
);

  localparam int unsigned Pending = 4;  // instructions whose words are on their way

  typedef enum logic [1:0] {
    Copy,
    Gather,
    Nothing
  } kind_e;

  typedef struct packed {
    kind_e        kind;
    load_target_e target;
    logic [15:0]  addr;
    logic [15:0]  left;
  } pending_t;

  // Front: one instruction after another asks for its words.
  typedef enum logic [1:0] {
    Idle,
    Request,
    Start,
    Rows
  } state_e;

  state_e               state_q;
  logic [InstrBits-1:0] instr_q;
  logic [39:0]          addr_q;
  pending_t             entry_q, entry, head;
  // verilator lint_off UNUSEDSIGNAL
  load_instr_t          load;
  ldi_instr_t           ldi;
  // verilator lint_on UNUSEDSIGNAL
  logic                 take, empty_q, list_in_valid, list_valid, list_pop, requested;
  logic                 started, gather_ready, gather_requesting, gather_req_valid;
  logic [39:0]          gather_req_addr;
  logic [15:0]          gather_req_words;
  logic [2:0]           list_level;
  logic                 list_free, list_ready_q;  // a cycle late: only the front fills the list

  assign load          = load_instr_t'(instr_i);
  assign ldi           = ldi_instr_t'(instr_i);
  assign instr_ready_o = state_q == Idle;
  assign take          = instr_valid_i && instr_ready_o;
  assign requested     = state_q == Request && list_ready_q &&
                         (dma_ready_i || entry_q.kind == Nothing);
  assign started       = state_q == Start && list_ready_q && (empty_q || gather_ready);
  assign list_in_valid = requested || started;

  assign dma_valid_o = (state_q == Request && list_ready_q && entry_q.kind == Copy) ||
                       (state_q == Rows && gather_req_valid);
  assign dma_addr_o  = state_q == Rows ? gather_req_addr : addr_q;
  assign dma_words_o = state_q == Rows ? gather_req_words : entry_q.left;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= Idle;
      list_ready_q <= 1'b1;
    end else if (clear_i) begin
      state_q      <= Idle;
      list_ready_q <= 1'b1;
    end else begin
      list_ready_q <= list_free;
      unique case (state_q)
        Idle:    if (take) state_q <= load.opcode == OpLdi ? Start : Request;
        Request: if (requested) state_q <= Idle;
        Start:   if (started) state_q <= empty_q ? Idle : Rows;
        default: if (!gather_requesting) state_q <= Idle;
      endcase
    end
  end

  always_comb begin
    entry = entry_q;
    if (state_q == Start && empty_q) entry.kind = Nothing;
  end

  always_ff @(posedge clk_i) begin
    if (take) begin
      instr_q <= instr_i;
      empty_q <= ldi.y1 <= ldi.y0 || ldi.out_w == '0;  // looked at where it is an LDI
      addr_q  <= base_i[load.base_sel[1:0]] + 40'(load.dram_offset);
      if (load.opcode == OpLdi) begin
        entry_q <= '{kind: Gather, target: TargetFeature, addr: '0, left: '0};
      end else begin
        entry_q <= '{kind: load.length == '0 ? Nothing : Copy,
                     target: load_target_e'(load.target[1:0]),
                     addr: load.dst_addr, left: load.length};
      end
    end
  end

  hao_fifo #(
    .Width($bits(pending_t)),
    .Depth(Pending)
  ) u_list (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (list_in_valid),
    .in_ready_o (list_free),
    .in_data_i  (entry),
    .out_valid_o(list_valid),
    .out_ready_i(list_pop),
    .out_data_o (head),
    .level_o    (list_level)
  );

  // Back: the oldest instruction takes the words as they come.
  pending_t     current_q;
  logic         active_q, copying_q, gathering_q;  // at work, on which kind
  logic         gather_data, gather_ready_data, moved, free, last;
  logic         gather_valid, gather_last, gather_take;
  logic [15:0]  gather_addr;
  logic [127:0] gather_word;

  assign list_pop     = list_valid && !active_q;
  assign gather_data  = gathering_q && data_valid_i;
  assign gather_take  = gathering_q && free;
  assign data_ready_o = (copying_q && free) || (gathering_q && gather_ready_data);
  assign moved        = free && active_q &&
                        (copying_q ? data_valid_i : !gathering_q || gather_valid);

  hao_gather #(
    .RowBytes(RowBytes)
  ) u_gather (
    .clk_i,
    .rst_ni,
    .clear_i,
    .start_valid_i(state_q == Start && list_ready_q && !empty_q),
    .start_ready_o(gather_ready),
    .instr_i      (instr_q),
    .image_addr_i (addr_q),
    .requesting_o (gather_requesting),
    .req_valid_o  (gather_req_valid),
    .req_ready_i  (dma_ready_i && state_q == Rows),
    .req_addr_o   (gather_req_addr),
    .req_words_o  (gather_req_words),
    .data_valid_i (gather_data),
    .data_ready_o (gather_ready_data),
    .data_i,
    .out_valid_o  (gather_valid),
    .out_ready_i  (gather_take),
    .out_addr_o   (gather_addr),
    .out_data_o   (gather_word),
    .out_last_o   (gather_last)
  );

  // Words on their way into a memory. An instruction is done when its last word is in.
  typedef struct packed {
    logic         last;
    load_target_e target;
    logic [15:0]  addr;
    logic [127:0] data;
    logic         to_feature;  // zero without a word
    logic         to_buffer;   // neither: an instruction without a word
  } word_t;

  word_t word_in, word;
  logic  word_valid, word_ready;

  assign word_in = '{to_feature: current_q.kind != Nothing && current_q.target == TargetFeature,
                     to_buffer: current_q.kind != Nothing && current_q.target != TargetFeature,
                     last: last,
                     target: current_q.target,
                     addr: gathering_q ? gather_addr : current_q.addr,
                     data: gathering_q ? gather_word : data_i};

  hao_fifo_pair #(
    .Width($bits(word_t)),
    .Flags(2)
  ) u_words (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (moved),
    .in_ready_o (free),
    .in_data_i  (word_in),
    .out_valid_o(word_valid),
    .out_ready_i(word_ready),
    .out_data_o (word)
  );

  assign word_ready      = !word.to_feature || fm_wr_ready_i;
  assign fm_wr_valid_o   = word.to_feature;
  assign fm_wr_addr_o    = word.addr;
  assign fm_wr_data_o    = word.data;
  assign buf_wr_valid_o  = word.to_buffer;
  assign buf_wr_target_o = word.target;
  assign buf_wr_addr_o   = word.addr;
  assign buf_wr_data_o   = word.data;
  assign done_o          = word_valid && word.last && word_ready;
  assign stall_o         = !moved && active_q;

  always_comb begin
    unique case (current_q.kind)
      Copy:    last = current_q.left == 16'd1;
      Gather:  last = gather_last;
      default: last = 1'b1;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                 {active_q, copying_q, gathering_q} <= '0;
    else if (clear_i)            {active_q, copying_q, gathering_q} <= '0;
    else if (list_pop)           {active_q, copying_q, gathering_q} <=
                                   {1'b1, head.kind == Copy, head.kind == Gather};
    else if (moved && last)      {active_q, copying_q, gathering_q} <= '0;
  end

  always_ff @(posedge clk_i) begin
    if (list_pop) begin
      current_q <= head;
    end else if (moved) begin
      current_q.addr <= current_q.addr + 16'd1;
      current_q.left <= current_q.left - 16'd1;
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   copying_q == (active_q && current_q.kind == Copy) &&
                   gathering_q == (active_q && current_q.kind == Gather))
    else $error("hao_load: works on another kind than its instruction's");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) list_in_valid |-> list_free)
    else $error("hao_load: an instruction found no place in the list");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   take |-> load.base_sel[3:2] == '0 && load.dram_offset[3:0] == '0 &&
                   (load.opcode == OpLdi || load.target[3:2] == '0))
    else $error("hao_load: a DRAM address or a target that is not one");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   fm_wr_valid_o && !fm_wr_ready_i |=> fm_wr_valid_o && $stable(fm_wr_addr_o))
    else $error("hao_load: a word changed while it waited");
`endif
  logic unused;
  assign unused = ^list_level;

endmodule
