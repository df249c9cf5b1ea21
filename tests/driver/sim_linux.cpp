// Stands for hao_linux.c: the same calls, with the Verilated engine behind them. TIMING is eleven numbers (hao_sim.h).
#include "hao_linux.h"
#include "hao_port_sim.h"

static hao_port_sim board_of_all;

extern "C" hao_status hao_linux_open(hao_linux *board, const hao_linux_paths *paths, unsigned long) {
  static const uint32_t timing[11] = {TIMING};
  if (hao_port_sim_open(&board_of_all, 0xFFFC000000u, 1u << 26, timing, paths->interrupt != nullptr)) return HAO_PLATFORM;
  board->port = board_of_all.port;
  return HAO_OK;
}

extern "C" void hao_linux_close(hao_linux *) { hao_port_sim_close(&board_of_all); }
