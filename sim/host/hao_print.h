// Included before Verilator's own sources: what the model prints is collected instead of going to the terminal, and what
// stops it raises an exception in hao_sim.cpp instead of ending the process.
#pragma once
extern "C" int hao_sim_print(const char* format, ...);
#define VL_PRINTF hao_sim_print
#define VL_USER_FINISH
#define VL_USER_STOP
#define VL_USER_FATAL
