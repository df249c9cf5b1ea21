/* The C driver's port for the Verilated engine: memory behind a cache that is not coherent, time in simulated cycles. */
#ifndef HAO_PORT_SIM_H
#define HAO_PORT_SIM_H

#include "hao_driver.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAO_SIM_CYCLES_PER_MICROSECOND 250u

struct hao_port_sim {
  struct hao_port port; /* give this to hao_open */
  void *sim;
  uint64_t base, bytes, used;
  uint8_t *memory;
  /* faults to inject: bits that every write to a register is overlaid with, and a reset after so many cycles of the next wait */
  uint32_t overlay_offset, overlay_value, overlay;
  uint64_t reset_after;
};

/* A board with `bytes` of memory at `base`, awaited by interrupt or polled; `timing` are the first eleven numbers of HaoTiming
 * (hao_sim.h). Returns 0, or else the simulation cannot be created. */
int hao_port_sim_open(struct hao_port_sim *board, uint64_t base, uint64_t bytes, const uint32_t timing[11], int interrupt);
/* The memory refuses (SLVERR) one beat, read or written, once `after` more of its direction have been served. */
void hao_port_sim_refuse(struct hao_port_sim *board, int write, uint64_t after);
void hao_port_sim_close(struct hao_port_sim *board);
/* What stopped the simulation, or an empty text. */
const char *hao_port_sim_message(const struct hao_port_sim *board);

#ifdef __cplusplus
}
#endif
#endif
