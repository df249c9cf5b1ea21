#include "hao_port_sim.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "hao_driver.h"

// both headers name their states: those of the simulation get another name here
#define HAO_OK HAO_SIM_OK
#define HAO_TIMEOUT HAO_SIM_TIMEOUT
#define HAO_FAILED HAO_SIM_FAILED
#include "hao_sim.h"
#undef HAO_OK
#undef HAO_TIMEOUT
#undef HAO_FAILED

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kLine = 64;
bool stopped = false;

// The processor's cache: a buffer's host view, the DRAM behind it, and what the cache holds of lines that are not dirty.
struct Cached {
  uint8_t *dram;
  std::vector<uint8_t> clean;
};
std::map<uint8_t *, Cached> cache;

// Writes back every dirty line, as a cache may at any moment; done when the engine has worked, which is the worst one: too late for
// what it has read, and over what it has written.
void evict() {
  for (auto &[host, cached] : cache)
    for (size_t at = 0; at < cached.clean.size(); at += kLine) {
      const size_t bytes = cached.clean.size() - at < kLine ? cached.clean.size() - at : kLine;
      if (!memcmp(host + at, cached.clean.data() + at, bytes)) continue;
      memcpy(cached.dram + at, host + at, bytes);
      memcpy(cached.clean.data() + at, host + at, bytes);
    }
}

hao_port_sim *self(void *context) { return static_cast<hao_port_sim *>(context); }
HaoSim *model(void *context) { return static_cast<HaoSim *>(self(context)->sim); }

uint32_t port_read(void *context, uint32_t offset) {
  uint32_t value = 0, response = 0;
  if (hao_sim_read(model(context), offset, &value, &response) != HAO_SIM_OK) stopped = true;
  return value;
}

void port_write(void *context, uint32_t offset, uint32_t value) {
  uint32_t response = 0;
  const hao_port_sim *board = self(context);
  if (board->overlay && board->overlay_offset == offset) value = board->overlay_value;
  if (hao_sim_write(model(context), offset, value, &response) != HAO_SIM_OK) stopped = true;
}

uint8_t *dram(void *context, const hao_buffer *buffer) { return self(context)->memory + (buffer->address - self(context)->base); }

int port_allocate(void *context, size_t bytes, hao_buffer *buffer) {
  hao_port_sim *board = self(context);
  const uint64_t rounded = (bytes + kPage - 1) / kPage * kPage + kPage;
  if (rounded > board->bytes - board->used) return 1;
  buffer->host = static_cast<uint8_t *>(malloc(bytes));
  if (!buffer->host) return 1;
  buffer->address = board->base + board->used;
  buffer->bytes = bytes;
  buffer->platform = nullptr;
  board->used += rounded;
  // the host's view and the memory hold different noise, and every line is dirty: somebody had the memory before
  Cached &cached = cache[buffer->host];
  cached = {dram(context, buffer), std::vector<uint8_t>(bytes)};
  for (size_t i = 0; i < bytes; ++i) {
    buffer->host[i] = static_cast<uint8_t>(i * 37 + 11);
    cached.clean[i] = static_cast<uint8_t>(~buffer->host[i]);
    cached.dram[i] = static_cast<uint8_t>(i * 59 + 5);
  }
  return 0;
}

void port_release(void *, hao_buffer *buffer) {
  cache.erase(buffer->host);
  free(buffer->host);
}

void port_flush(void *, const hao_buffer *buffer) {
  Cached &cached = cache.at(buffer->host);
  memcpy(cached.dram, buffer->host, buffer->bytes);
  memcpy(cached.clean.data(), buffer->host, buffer->bytes);
}

void port_invalidate(void *, const hao_buffer *buffer) {
  Cached &cached = cache.at(buffer->host);
  memcpy(buffer->host, cached.dram, buffer->bytes);
  memcpy(cached.clean.data(), cached.dram, buffer->bytes);
}

uint64_t port_now(void *context) { return hao_sim_cycle(model(context)) / HAO_SIM_CYCLES_PER_MICROSECOND; }

int port_wait(void *context, uint64_t microseconds) {
  hao_port_sim *board = self(context);
  uint64_t cycles = microseconds * HAO_SIM_CYCLES_PER_MICROSECOND;
  if (board->reset_after) {
    hao_sim_wait(model(context), board->reset_after);
    board->reset_after = 0;
    port_write(context, HAO_REG_CONTROL, HAO_CONTROL_RESET);
    cycles = 2000;
  }
  const int status = hao_sim_wait(model(context), cycles ? cycles : 1);
  evict();
  if (status == HAO_SIM_FAILED) stopped = true;
  return status == HAO_SIM_OK;
}

void port_pause(void *context, uint64_t microseconds) { port_wait(context, microseconds); }

}  // namespace

int hao_port_sim_open(hao_port_sim *board, uint64_t base, uint64_t bytes, const uint32_t t[11], int interrupt) {
  const HaoTiming timing = {t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], 0, 1};
  memset(board, 0, sizeof *board);
  board->sim = hao_sim_new(base, bytes);
  if (!board->sim) return 1;
  board->base = base;
  board->bytes = bytes;
  board->memory = hao_sim_memory(static_cast<HaoSim *>(board->sim));
  board->port = {board,         port_read, port_write, port_allocate, port_release, port_flush,
                 port_invalidate, interrupt ? port_wait : nullptr, port_pause, port_now};
  return hao_sim_reset(static_cast<HaoSim *>(board->sim), &timing) != 0;
}

void hao_port_sim_refuse(hao_port_sim *board, int write, uint64_t after) {
  hao_sim_refuse(static_cast<HaoSim *>(board->sim), write, after, 1);
}

void hao_port_sim_close(hao_port_sim *board) { hao_sim_delete(static_cast<HaoSim *>(board->sim)); }

const char *hao_port_sim_message(const hao_port_sim *board) {
  const char *text = hao_sim_message(static_cast<const HaoSim *>(board->sim));
  return *text || !stopped ? text : "a register access failed";
}
