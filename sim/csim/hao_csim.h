// The kernel's C simulation as a library: one run at a time, memories and taps to be fetched
// afterwards.
#pragma once

#include <stdint.h>

// Everything else stays hidden: kernels of several configurations live in one process, with the
// same names.
#define HAO_CSIM_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

// A result word of DENSE (unit 1), DW or ADD (unit 3), before lane masking.
typedef struct {
  uint32_t unit;
  uint32_t sequence;
  uint32_t pixel;
  uint8_t data[16];
} HaoCsimTap;

typedef struct {
  uint8_t* dram;        // all addresses are offsets into it
  uint64_t dram_bytes;  // a multiple of 16
  uint64_t program;     // first instruction
  uint64_t base[4];     // image, input, output, scratch
  uint32_t count;       // instructions
  uint32_t taps;        // whether to keep result words
  uint32_t fill;        // byte that all on-chip memories hold at the start
  uint32_t reserved;
} HaoCsimRun;

// Runs a program to its end. Returns the kernel's status, or -1 where it broke a rule of the
// instruction set (hao_csim_message says which).
HAO_CSIM_API int hao_csim_run(const HaoCsimRun* run);

HAO_CSIM_API const char* hao_csim_message(void);
HAO_CSIM_API uint64_t hao_csim_config_digest(void);
HAO_CSIM_API uint64_t hao_csim_tap_count(void);
HAO_CSIM_API const HaoCsimTap* hao_csim_taps(void);

// Copies an on-chip memory as the last run left it; returns the bytes written.
HAO_CSIM_API uint64_t hao_csim_memory(int which, uint8_t* bytes);

#ifdef __cplusplus
}
#endif
