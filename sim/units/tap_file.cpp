// Appends the result words that a unit reports to the file taps.bin of the working folder (hao/engine/taps.py).
#include <cstdint>
#include <cstdio>

#include "svdpi.h"

extern "C" void hao_tap(int unit, int sequence, int pixel, const svBitVecVal* data) {
  static FILE* file = fopen("taps.bin", "wb");
  if (!file) return;
  const uint32_t head[3] = {uint32_t(unit), uint32_t(sequence), uint32_t(pixel)};
  fwrite(head, sizeof head, 1, file);
  fwrite(data, 16, 1, file);
  fflush(file);
}
