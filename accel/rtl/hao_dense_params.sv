// Requantization parameters of DENSE: its copy of the parameter buffer, the parameters in use, and
// those of the next instruction, loaded meanwhile.
module hao_dense_params #(
  parameter int unsigned PbWords = 1024
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               clear_i,
  // LOAD
  // verilator lint_off UNUSEDSIGNAL
  input  logic               buf_wr_valid_i,
  input  logic         [1:0] buf_wr_target_i,
  input  logic        [15:0] buf_wr_addr_i,
  input  logic       [127:0] buf_wr_data_i,
  // Next instruction: its parameters' address, once; loaded_o when they are there
  input  logic               load_i,
  input  logic        [15:0] p_addr_i,
  // verilator lint_on UNUSEDSIGNAL
  output logic               loaded_o,
  // Take them into use from the next cycle on
  input  logic               use_i,
  output logic signed [26:0] bias_o  [16],
  output logic        [16:0] mult_o  [16],
  output logic         [2:0] shift_o [16]
);

  import hao_pkg::*;

  localparam int unsigned PbWidth = $clog2(PbWords);

  if (PbWords < 16 || (PbWords & (PbWords - 1)) != 0) begin : gen_check
    $error("hao_dense_params: PbWords must be a power of two");
  end

  // One channel in the parameter buffer.
  typedef struct packed {
    logic        [11:0] zero;
    logic         [2:0] shift;
    logic        [16:0] mult;
    logic signed [31:0] bias;
  } channel_t;

  logic [3:0]         left_q;       // words to read
  logic [2:0]         read_q;       // bit k: k cycles after the read
  logic [2:0]         index_q [3];
  logic [PbWidth-1:0] addr_q;
  logic [127:0]       word;
  // verilator lint_off UNUSEDSIGNAL
  channel_t           channel [2];
  // verilator lint_on UNUSEDSIGNAL
  logic signed [26:0] next_bias_q  [16];
  logic        [16:0] next_mult_q  [16];
  logic         [2:0] next_shift_q [16];

  assign read_q[0] = left_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q      <= '0;
      read_q[2:1] <= '0;
      loaded_o    <= 1'b0;
    end else if (clear_i) begin
      left_q      <= '0;
      read_q[2:1] <= '0;
      loaded_o    <= 1'b0;
    end else begin
      if (load_i)         left_q <= 4'(RequantWords);
      else if (read_q[0]) left_q <= left_q - 4'd1;
      read_q[2:1] <= read_q[1:0];
      if (use_i) loaded_o <= 1'b0;
      else if (read_q[2] && 32'(index_q[2]) == RequantWords - 1) loaded_o <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load_i) begin
      addr_q     <= p_addr_i[PbWidth-1:0];
      index_q[0] <= '0;
    end else if (read_q[0]) begin
      addr_q     <= addr_q + PbWidth'(1);
      index_q[0] <= index_q[0] + 3'd1;
    end
    if (read_q[0]) index_q[1] <= index_q[0];
    if (read_q[1]) index_q[2] <= index_q[1];
  end

  hao_ram #(
    .Width  (128),
    .Depth  (PbWords),
    .Latency(2)
  ) i_buffer (
    .clk_i,
    .wr_en_i  (buf_wr_valid_i && buf_wr_target_i == TargetParam),
    .wr_addr_i(buf_wr_addr_i[PbWidth-1:0]),
    .wr_data_i(buf_wr_data_i),
    .rd_en_i  (read_q[0]),
    .rd_addr_i(addr_q),
    .rd_data_o(word)
  );

  assign channel[0] = word[63:0];
  assign channel[1] = word[127:64];

  for (genvar l = 0; l < 16; l++) begin : gen_lane
    always_ff @(posedge clk_i) begin
      if (read_q[2] && 32'(index_q[2]) == l / 2) begin
        next_bias_q[l]  <= channel[l%2].bias[26:0];
        next_mult_q[l]  <= channel[l%2].mult;
        next_shift_q[l] <= channel[l%2].shift;
      end
      if (use_i) begin
        bias_o[l]  <= next_bias_q[l];
        mult_o[l]  <= next_mult_q[l];
        shift_o[l] <= next_shift_q[l];
      end
    end
  end

`ifndef SYNTHESIS
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i) use_i |-> loaded_o)
    else $error("hao_dense_params: parameters were used before they were loaded");
  assert property (@(posedge clk_i) disable iff (!rst_ni || clear_i)
                   load_i |-> left_q == '0 && !loaded_o)
    else $error("hao_dense_params: parameters were loaded over others");
`endif

endmodule
