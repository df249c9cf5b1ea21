// C interface of a Verilated engine on the simulated board; called from Python by ctypes (hao/runtime/rtl.py).
// Addresses are the board's; times are cycles of the engine's clock. Only memory and clock are modelled here.
#pragma once
#include <cstdint>

extern "C" {

struct HaoSim;

// Timing of the DRAM model; rates are bytes per cycle in 1/256, stall is a probability of 256.
struct HaoTiming {
  uint32_t read_latency, write_latency, turnaround, refresh_interval, refresh;
  uint32_t peak_rate, sustained_rate, sustained_depth, outstanding_reads, outstanding_writes, stall;
  uint32_t reserved;
  uint64_t seed;
};

// One result word of a compute unit, as docs/isa.md "Taps" defines it, with the cycle at which it left the unit.
struct HaoTap {
  uint32_t unit, sequence, pixel, cycle;
  uint8_t data[16];
};

// A unit took an instruction (done = 0) or completed one (1).
struct HaoEvent {
  uint32_t unit, done, cycle;
};

enum HaoStatus { HAO_OK = 0, HAO_TIMEOUT = 1, HAO_FAILED = 2 };

HaoSim* hao_sim_new(uint64_t memory_base, uint64_t memory_bytes);
void hao_sim_delete(HaoSim* sim);
uint8_t* hao_sim_memory(HaoSim* sim);
int hao_sim_reset(HaoSim* sim, const HaoTiming* timing);
int hao_sim_read(HaoSim* sim, uint32_t offset, uint32_t* value, uint32_t* response);
int hao_sim_write(HaoSim* sim, uint32_t offset, uint32_t value, uint32_t* response);
// Once `after` more beats of a direction have been served, the memory refuses the next `beats` ones: they answer SLVERR, reads with
// noise, and writes change nothing. Replaces what was asked for before; 0 beats: none.
void hao_sim_refuse(HaoSim* sim, int write, uint64_t after, uint64_t beats);
// Beats refused so far, of both directions.
uint64_t hao_sim_refused(const HaoSim* sim);
// From now on the host lets every handshake of AXI4-Lite wait for 0 to `cycles` cycles at random, each on its own.
void hao_sim_gate(HaoSim* sim, uint32_t cycles, uint64_t seed);
// Runs until the interrupt is high or max_cycles have passed.
int hao_sim_wait(HaoSim* sim, uint64_t max_cycles);
uint64_t hao_sim_cycle(const HaoSim* sim);
const char* hao_sim_message(const HaoSim* sim);
// Result words are kept from now on, or dropped.
void hao_sim_tap_enable(HaoSim* sim, int enable);
uint64_t hao_sim_tap_count(const HaoSim* sim);
const HaoTap* hao_sim_taps(const HaoSim* sim);
// What units took and completed, kept and dropped together with the result words.
uint64_t hao_sim_event_count(const HaoSim* sim);
const HaoEvent* hao_sim_events(const HaoSim* sim);
// Waveform of everything from now on; returns nonzero when the model was built without tracing.
int hao_sim_trace(HaoSim* sim, const char* path);
}
