#include "hao_csim.h"

#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "hao_debug.h"
#include "hao_hooks.h"
#include "hao_kernel.h"

namespace {

constexpr uint64_t kWordBytes = 16;

struct Stopped : std::exception {};

std::vector<HaoCsimTap> taps;
std::string message;
uint64_t config_digest = 0;

void keep_tap(int unit, int sequence, int pixel, const unsigned char* bytes) {
  HaoCsimTap tap = {uint32_t(unit), uint32_t(sequence), uint32_t(pixel), {}};
  std::memcpy(tap.data, bytes, sizeof(tap.data));
  taps.push_back(tap);
}

// The first fault is the cause; what follows from it is not kept.
void keep_fault(const char* what, const char* where, long value, bool stop) {
  if (message.empty())
    message = std::string(where) + ": " + what + " (" + std::to_string(value) + ")";
  if (stop) throw Stopped();
}

uint64_t load64(const uint8_t* bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

void store64(uint64_t value, uint8_t* bytes) {
  for (int i = 0; i < 8; ++i) bytes[i] = uint8_t(value >> 8 * i);
}

std::vector<hao::BusWord> to_bus(const uint8_t* bytes, uint64_t words) {
  std::vector<hao::BusWord> bus(words);
  for (uint64_t i = 0; i < words; ++i) {
    bus[i] = hao::join_bus(load64(bytes + kWordBytes * i + 8), load64(bytes + kWordBytes * i));
  }
  return bus;
}

void from_bus(const std::vector<hao::BusWord>& bus, uint8_t* bytes) {
  for (const hao::BusWord& word : bus) {
    store64(uint64_t(hao::bus_half(word, 0)), bytes);
    store64(uint64_t(hao::bus_half(word, 1)), bytes + 8);
    bytes += kWordBytes;
  }
}

int run_kernel(const HaoCsimRun& run, std::vector<hao::BusWord>& bus) {
  hao::uint_t<32> status = 0;
  hao::uint_t<64> digest = 0;
  hao::uint_t<32> version = 0;
  hao_kernel(bus.data(), bus.data(), run.program, run.count, run.base[0], run.base[1], run.base[2],
             run.base[3], &status, &digest, &version);
  config_digest = uint64_t(digest);
  return int(status);
}

}  // namespace

int hao_csim_run(const HaoCsimRun* run) {
  taps.clear();
  message.clear();
  int status = -1;
  try {
    std::vector<hao::BusWord> bus = to_bus(run->dram, run->dram_bytes / kWordBytes);
    hao::hooks().tap = run->taps != 0 ? keep_tap : nullptr;
    hao::hooks().fault = keep_fault;
    hao::hooks().dram_words = long(bus.size());
    hao::clear_memories((unsigned char)(run->fill));
    status = run_kernel(*run, bus);
    from_bus(bus, run->dram);
  } catch (const std::exception& error) {
    if (message.empty()) message = error.what();
  }
  return message.empty() ? status : -1;
}

const char* hao_csim_message(void) { return message.c_str(); }

uint64_t hao_csim_config_digest(void) { return config_digest; }

uint64_t hao_csim_tap_count(void) { return taps.size(); }

const HaoCsimTap* hao_csim_taps(void) { return taps.data(); }

uint64_t hao_csim_memory(int which, uint8_t* bytes) {
  return uint64_t(hao::dump_memory(static_cast<hao::Memory>(which), bytes));
}
