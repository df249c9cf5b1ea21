#include "hao_sim.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vhao_tb.h"
#include "svdpi.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Waveform = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Waveform = VerilatedVcdC;
#endif

namespace {

// An AXI4-Lite access that takes longer than this has hung.
constexpr int kRegisterCycles = 100000;
constexpr int kResetCycles = 8;
constexpr size_t kMessageLimit = 8192;
constexpr int kOkay = 0, kSlaveError = 2, kDecodeError = 3;  // AXI responses

thread_local HaoSim* current = nullptr;

struct Stopped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Beats of one direction that the memory refuses although it has them.
struct Refusal {
  uint64_t after = 0, beats = 0;

  bool next() {
    if (!beats || after) {
      if (after) --after;
      return false;
    }
    --beats;
    return true;
  }
};

}  // namespace

struct HaoSim {
  VerilatedContext context;
  std::unique_ptr<Vhao_tb> top;
#if VM_TRACE || VM_TRACE_FST
  std::unique_ptr<Waveform> waveform;
#endif
  uint64_t base, bytes;
  std::vector<uint8_t> memory;
  std::vector<HaoTap> taps;
  std::vector<HaoEvent> events;
  bool tapping = false, failed = false;
  uint64_t cycle = 0;
  std::string message;
  Refusal refusals[2];
  uint64_t refused = 0, gate = 0, random = 1;

  HaoSim(uint64_t memory_base, uint64_t memory_bytes) : base(memory_base), bytes(memory_bytes), memory(memory_bytes) {
    context.threads(1);
#if VM_TRACE || VM_TRACE_FST
    context.traceEverOn(true);
#endif
    top = std::make_unique<Vhao_tb>(&context, "");
  }

  void dump() {
#if VM_TRACE || VM_TRACE_FST
    if (waveform) waveform->dump(context.time());
#endif
  }

  // Cycles that the host lets a handshake wait.
  uint64_t gap() {
    if (!gate) return 0;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random % (gate + 1);
  }

  bool refuse(bool write) {
    const bool now = refusals[write].next();
    refused += now;
    return now;
  }

  // settles combinational logic with the clock low, so that outputs answer to this cycle's inputs
  void settle() {
    top->clk_i = 0;
    top->eval();
    dump();
    context.timeInc(1);
  }

  void edge() {
    top->clk_i = 1;
    top->eval();
    dump();
    context.timeInc(1);
    ++cycle;
  }

  // Runs one step of the model; a failed assertion ends the simulation for good, with its message kept.
  template <typename Step>
  int guarded(Step step) {
    if (failed) return HAO_FAILED;
    current = this;
    try {
      return step();
    } catch (const std::exception& error) {
      failed = true;
      message += error.what();
      return HAO_FAILED;
    }
  }
};

extern "C" int hao_sim_print(const char* format, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (current && current->message.size() < kMessageLimit) current->message += text;
  return length;
}

void vl_finish(const char* file, int line, const char*) {
  throw Stopped("$finish at " + std::string(file) + ":" + std::to_string(line));
}

void vl_stop(const char* file, int line, const char* scope) {
  (void)scope;  // the message printed before names it
  throw Stopped("(" + std::string(file) + ":" + std::to_string(line) + ")");
}

void vl_fatal(const char* file, int line, const char* scope, const char* text) {
  throw Stopped("fatal at " + std::string(file) + ":" + std::to_string(line) + " in " + scope + ": " + text);
}

// ------------------------------------------------------------------------------------------------------------- DPI-C

extern "C" int hao_memory_read(unsigned long long address, svBitVecVal* data) {
  const uint64_t offset = address - current->base;
  const bool outside = address < current->base || offset + 16 > current->bytes;
  if (outside || current->refuse(false)) {
    memset(data, 0xEE, 16);
    return outside ? kDecodeError : kSlaveError;
  }
  memcpy(data, current->memory.data() + offset, 16);
  return kOkay;
}

extern "C" int hao_memory_write(unsigned long long address, const svBitVecVal* data, const svBitVecVal* strobe) {
  const uint64_t offset = address - current->base;
  if (address < current->base || offset + 16 > current->bytes) return kDecodeError;
  if (current->refuse(true)) return kSlaveError;
  uint8_t* target = current->memory.data() + offset;
  const uint8_t* source = reinterpret_cast<const uint8_t*>(data);
  if ((strobe[0] & 0xFFFF) == 0xFFFF) {
    memcpy(target, source, 16);
    return kOkay;
  }
  for (int i = 0; i < 16; ++i)
    if (strobe[0] >> i & 1) target[i] = source[i];
  return kOkay;
}

extern "C" void hao_tap(int unit, int sequence, int pixel, const svBitVecVal* data) {
  if (!current || !current->tapping) return;
  HaoTap tap{uint32_t(unit), uint32_t(sequence), uint32_t(pixel), uint32_t(current->cycle), {}};
  memcpy(tap.data, data, 16);
  current->taps.push_back(tap);
}

extern "C" void hao_event(int unit, int done) {
  if (!current || !current->tapping) return;
  current->events.push_back(HaoEvent{uint32_t(unit), uint32_t(done), uint32_t(current->cycle)});
}

// ------------------------------------------------------------------------------------------------------- C interface

HaoSim* hao_sim_new(uint64_t memory_base, uint64_t memory_bytes) {
  try {
    return new HaoSim(memory_base, memory_bytes);
  } catch (const std::exception&) {
    return nullptr;
  }
}

void hao_sim_delete(HaoSim* sim) {
  current = sim;
#if VM_TRACE || VM_TRACE_FST
  if (sim->waveform) sim->waveform->close();
#endif
  delete sim;
  current = nullptr;
}

uint8_t* hao_sim_memory(HaoSim* sim) { return sim->memory.data(); }
uint64_t hao_sim_cycle(const HaoSim* sim) { return sim->cycle; }
const char* hao_sim_message(const HaoSim* sim) { return sim->message.c_str(); }
uint64_t hao_sim_refused(const HaoSim* sim) { return sim->refused; }
uint64_t hao_sim_tap_count(const HaoSim* sim) { return sim->taps.size(); }
const HaoTap* hao_sim_taps(const HaoSim* sim) { return sim->taps.data(); }
uint64_t hao_sim_event_count(const HaoSim* sim) { return sim->events.size(); }
const HaoEvent* hao_sim_events(const HaoSim* sim) { return sim->events.data(); }

void hao_sim_tap_enable(HaoSim* sim, int enable) {
  sim->tapping = enable != 0;
  sim->taps.clear();
  sim->events.clear();
}

void hao_sim_refuse(HaoSim* sim, int write, uint64_t after, uint64_t beats) { sim->refusals[write != 0] = {beats ? after : 0, beats}; }

void hao_sim_gate(HaoSim* sim, uint32_t cycles, uint64_t seed) {
  sim->gate = cycles;
  sim->random = seed ? seed : 1;
}

int hao_sim_reset(HaoSim* sim, const HaoTiming* timing) {
  return sim->guarded([&] {
    Vhao_tb& top = *sim->top;
    top.cfg_read_latency_i = timing->read_latency;
    top.cfg_write_latency_i = timing->write_latency;
    top.cfg_turnaround_i = timing->turnaround;
    top.cfg_refresh_interval_i = timing->refresh_interval;
    top.cfg_refresh_i = timing->refresh;
    top.cfg_peak_rate_i = timing->peak_rate;
    top.cfg_sustained_rate_i = timing->sustained_rate;
    top.cfg_sustained_depth_i = timing->sustained_depth;
    top.cfg_outstanding_reads_i = timing->outstanding_reads;
    top.cfg_outstanding_writes_i = timing->outstanding_writes;
    top.cfg_stall_i = timing->stall;
    top.cfg_seed_i = timing->seed;
    top.s_axil_awvalid_i = top.s_axil_wvalid_i = top.s_axil_bready_i = 0;
    top.s_axil_arvalid_i = top.s_axil_rready_i = 0;
    // a falling edge of the asynchronous reset, then a few clocks under it
    top.rst_ni = 1;
    sim->settle();
    top.rst_ni = 0;
    for (int i = 0; i < kResetCycles; ++i) {
      sim->settle();
      sim->edge();
    }
    top.rst_ni = 1;
    sim->settle();
    sim->edge();
    sim->message.clear();
    return HAO_OK;
  });
}

int hao_sim_write(HaoSim* sim, uint32_t offset, uint32_t value, uint32_t* response) {
  return sim->guarded([&] {
    Vhao_tb& top = *sim->top;
    top.s_axil_awaddr_i = offset;
    top.s_axil_wdata_i = value;
    top.s_axil_wstrb_i = 0xF;
    const uint64_t address_from = sim->gap(), data_from = sim->gap(), answer_from = sim->gap();
    bool address_sent = false, data_sent = false;
    for (uint64_t i = 0; i < kRegisterCycles + 2 * sim->gate; ++i) {
      top.s_axil_awvalid_i = !address_sent && i >= address_from;
      top.s_axil_wvalid_i = !data_sent && i >= data_from;
      top.s_axil_bready_i = i >= answer_from;
      sim->settle();
      address_sent |= top.s_axil_awvalid_i && top.s_axil_awready_o;
      data_sent |= top.s_axil_wvalid_i && top.s_axil_wready_o;
      const bool answered = top.s_axil_bvalid_o && top.s_axil_bready_i;
      const uint32_t answer = top.s_axil_bresp_o;
      sim->edge();
      if (answered) {
        top.s_axil_awvalid_i = top.s_axil_wvalid_i = 0;
        top.s_axil_bready_i = 0;
        *response = answer;
        return HAO_OK;
      }
    }
    return HAO_TIMEOUT;
  });
}

int hao_sim_read(HaoSim* sim, uint32_t offset, uint32_t* value, uint32_t* response) {
  return sim->guarded([&] {
    Vhao_tb& top = *sim->top;
    top.s_axil_araddr_i = offset;
    const uint64_t address_from = sim->gap(), answer_from = sim->gap();
    bool sent = false;
    for (uint64_t i = 0; i < kRegisterCycles + 2 * sim->gate; ++i) {
      top.s_axil_arvalid_i = !sent && i >= address_from;
      top.s_axil_rready_i = i >= answer_from;
      sim->settle();
      sent |= top.s_axil_arvalid_i && top.s_axil_arready_o;
      const bool answered = top.s_axil_rvalid_o && top.s_axil_rready_i;
      *value = top.s_axil_rdata_o;
      *response = top.s_axil_rresp_o;
      sim->edge();
      if (answered) {
        top.s_axil_arvalid_i = 0;
        top.s_axil_rready_i = 0;
        return HAO_OK;
      }
    }
    return HAO_TIMEOUT;
  });
}

int hao_sim_wait(HaoSim* sim, uint64_t max_cycles) {
  return sim->guarded([&] {
    for (uint64_t i = 0; i < max_cycles; ++i) {
      sim->settle();
      if (sim->top->irq_o) return HAO_OK;
      sim->edge();
    }
    return HAO_TIMEOUT;
  });
}

int hao_sim_trace(HaoSim* sim, const char* path) {
#if VM_TRACE || VM_TRACE_FST
  return sim->guarded([&] {
    sim->waveform = std::make_unique<Waveform>();
    sim->top->trace(sim->waveform.get(), 99);
    sim->waveform->open(path);
    return sim->waveform->isOpen() ? HAO_OK : HAO_FAILED;
  });
#else
  (void)sim;
  (void)path;
  return HAO_FAILED;
#endif
}
