/* The bare-metal port over a make-believe board support package: an engine that answers after 50 microseconds, or never. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sleep.h>
#include <xil_cache.h>
#include <xil_io.h>
#include <xtime_l.h>

#include "hao_baremetal.h"

#define REGISTERS 0xA0000000u

static uint32_t engine_registers[1024], ports[4];
static uint8_t flat[1 << 22];
static uint8_t arena[1 << 22] __attribute__((aligned(64)));
static uint64_t ticks, done_at;
static size_t flushed, invalidated;
static int hangs, stuck, owes;
static struct hao_baremetal board;

static uint32_t *cell(UINTPTR address) {
  if (address >= REGISTERS && address < REGISTERS + 4096) return &engine_registers[(address - REGISTERS) / 4];
  return &ports[address == 0xFD380000u ? 0 : address == 0xFD380014u ? 1 : address == 0xFD615000u ? 2 : 3];
}
u32 Xil_In32(UINTPTR address) {
  ticks += 20;
  if (done_at && ticks >= done_at) {
    done_at = 0;
    engine_registers[HAO_REG_STATUS / 4] = HAO_STATUS_DONE;
    engine_registers[HAO_REG_IRQ_STATUS / 4] = 1;
  }
  return *cell(address);
}
/* Whether the interrupt controller sees the line high. */
static int line_is_high(void) {
  (void)Xil_In32(REGISTERS + HAO_REG_STATUS);
  return (engine_registers[HAO_REG_IRQ_STATUS / 4] & engine_registers[HAO_REG_IRQ_ENABLE / 4]) != 0;
}
void Xil_Out32(UINTPTR address, u32 value) {
  if (address == REGISTERS + HAO_REG_IRQ_STATUS) {
    engine_registers[HAO_REG_IRQ_STATUS / 4] &= ~value;
    return;
  }
  if (address < REGISTERS + 4096 || !stuck) *cell(address) = value;
  if (address == REGISTERS + HAO_REG_CONTROL && value == HAO_CONTROL_START) {
    engine_registers[HAO_REG_STATUS / 4] = HAO_STATUS_BUSY;
    done_at = hangs ? 0 : ticks + 5000;
  }
  if (address == REGISTERS + HAO_REG_CONTROL && value == HAO_CONTROL_RESET && !owes) engine_registers[HAO_REG_STATUS / 4] = 0;
}
void Xil_DCacheFlushRange(intptr_t address, intptr_t length) { (void)address, flushed += (size_t)length; }
void Xil_DCacheInvalidateRange(intptr_t address, intptr_t length) { (void)address, invalidated += (size_t)length; }
void XTime_GetTime(XTime *now) {
  ticks += 20;
  if (line_is_high()) {
    hao_baremetal_interrupt(&board);
    if (line_is_high()) exit(3); /* the handler would be called again and again, and nothing else would ever run */
  }
  *now = ticks;
}
int usleep(unsigned long microseconds) { return ticks += 100 * (uint64_t)microseconds, 0; }

int main(int argc, char **argv) {
  static const uint8_t picture[1 << 16] = {7};
  static struct hao_network network;
  struct hao_engine engine;
  enum hao_status status;
  size_t bytes, i;
  FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
  if (!file) return 2;
  bytes = fread(flat, 1, sizeof flat, file);
  fclose(file);
  hangs = strstr(argv[2], "hang") != NULL;
  stuck = strstr(argv[2], "stuck") != NULL;
  owes = strstr(argv[2], "owes") != NULL;
  ports[0] = ports[1] = 0x3001u;
  ports[2] = 0x3A00u;
  engine_registers[HAO_REG_MAGIC / 4] = HAO_MAGIC;
  engine_registers[HAO_REG_ISA_VERSION / 4] = HAO_ISA_VERSION;
  for (i = 0; i < 4; ++i) {
    engine_registers[HAO_REG_CONFIG_HI / 4] |= (uint32_t)flat[32 + i] << (24 - 8 * i);
    engine_registers[HAO_REG_CONFIG_LO / 4] |= (uint32_t)flat[36 + i] << (24 - 8 * i);
  }
  status = hao_baremetal_open(&board, REGISTERS, arena, sizeof arena, !strstr(argv[2], "poll"));
  if (status == HAO_OK) status = hao_open(&engine, &board.port);
  if (status == HAO_OK) status = hao_load(&engine, &network, flat, bytes, 1);
  flushed = 0;
  if (status == HAO_OK) status = hao_run(&engine, &network, picture, 200);
  printf("%d %x %x %x %lu %lu %lu %lu\n", (int)status, (unsigned)ports[0], (unsigned)ports[1], (unsigned)ports[2],
         (unsigned long)flushed, (unsigned long)invalidated, (unsigned long)network.input_height * network.input_row_bytes,
         (unsigned long)network.output_bytes);
  return 0;
}
