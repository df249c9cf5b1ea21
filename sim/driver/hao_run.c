/* Runs the C driver on the Verilated engine:
 *   hao_run NETWORK.flat PICTURES.raw RESULTS.raw TIMING interrupt|poll STEP...
 * TIMING is eleven numbers separated by commas (hao_sim.h). Steps: `run` and `stream` run all pictures, one after another or double-
 * buffered; the others cause an error by the name of its status and then run the first picture: `timeout`, `bus`, `fault`, `reset`,
 * `config`, `image`, `memory`; `read` and `write` let input and results begin a few words before the end of the memory, so that the
 * error comes in the middle of a transfer. RESULTS gets every frame's outputs as int32. One line is printed for every frame and
 * every error. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hao_decode.h"
#include "hao_port_sim.h"

#define TOP_K 100
#define PATIENCE 4000000u /* microseconds of simulated time */
#define MEMORY_BASE 0x0840000000u
#define MEMORY_BYTES ((uint64_t)1 << 26)
#define MEMORY_END (uint32_t)(MEMORY_BASE + MEMORY_BYTES) /* its last 32 bits; the first eight are those of every buffer */

struct run {
  struct hao_port_sim board;
  struct hao_engine engine;
  struct hao_network network;
  uint8_t *flat, *pictures;
  size_t flat_bytes, frames, frame_bytes;
  FILE *results;
};

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint8_t *read_file(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = NULL;
  long length;
  if (!file) return NULL;
  if (!fseek(file, 0, SEEK_END) && (length = ftell(file)) > 0 && !fseek(file, 0, SEEK_SET) && (data = malloc((size_t)length)))
    *bytes = fread(data, 1, (size_t)length, file);
  fclose(file);
  return data;
}

static int report(struct run *run, const char *what, enum hao_status status) {
  printf("%s %d %s\n", what, (int)status, hao_message(status));
  if (*hao_port_sim_message(&run->board)) printf("simulation %s\n", hao_port_sim_message(&run->board));
  return status == HAO_OK;
}

/* Writes a frame's results and prints its cycles and boxes, with the time that decoding takes. */
static void keep(struct run *run, uint32_t slot, uint32_t cycles) {
  static struct hao_box boxes[TOP_K];
  size_t found, i;
  uint32_t output;
  double begin = seconds();
  found = hao_decode(&run->network, slot, 0, boxes, TOP_K);
  begin = seconds() - begin;
  printf("frame cycles %lu decode_us %.1f boxes %lu\n", (unsigned long)cycles, 1e6 * begin, (unsigned long)found);
  for (i = 0; i < found; ++i)
    printf("box %ld %a %a %a %a %a\n", (long)boxes[i].label, boxes[i].score, boxes[i].x0, boxes[i].y0, boxes[i].x1, boxes[i].y1);
  for (output = 0; output < run->network.output_count; ++output) {
    const struct hao_output *from = &run->network.outputs[output];
    const size_t count = (size_t)from->channels * from->height * from->width;
    int32_t *values = malloc(count * sizeof *values);
    if (!values) abort();
    hao_unpack(&run->network, slot, output, values);
    if (fwrite(values, sizeof *values, count, run->results) != count) abort();
    free(values);
  }
}

static int one(struct run *run, size_t frame) {
  const enum hao_status status = hao_run(&run->engine, &run->network, run->pictures + frame * run->frame_bytes, PATIENCE);
  struct hao_counters counters;
  hao_read_counters(&run->engine, &counters);
  if (status == HAO_OK) keep(run, 0, counters.cycles);
  return status == HAO_OK || report(run, "run", status);
}

/* The engine works on one frame while the host fills the next and reads the last. */
static int stream(struct run *run) {
  const size_t strides[3] = {(size_t)run->network.input_height * run->network.input_width, run->network.input_width, 1};
  enum hao_status status = HAO_OK;
  struct hao_counters counters;
  size_t frame;
  for (frame = 0; frame <= run->frames && status == HAO_OK; ++frame) {
    const uint32_t slot = (uint32_t)(frame % 2);
    if (frame < run->frames)
      status = hao_place(&run->engine, &run->network, slot, run->pictures + frame * run->frame_bytes, strides);
    if (status == HAO_OK && frame > 0) status = hao_wait(&run->engine, PATIENCE);
    hao_read_counters(&run->engine, &counters); /* before the next frame begins to count */
    if (status == HAO_OK && frame < run->frames) status = hao_start(&run->engine, &run->network, slot);
    if (status == HAO_OK && frame > 0) {
      status = hao_collect(&run->engine, &run->network, 1 - slot);
      if (status == HAO_OK) keep(run, 1 - slot, counters.cycles);
    }
  }
  return status == HAO_OK || report(run, "stream", status);
}

static void overlay(struct run *run, uint32_t offset, uint32_t value) {
  run->board.overlay_offset = offset;
  run->board.overlay_value = value;
  run->board.overlay = 1;
}

/* Loading the image with byte `at` changed; its checksum is made right again unless `damaged`. */
static enum hao_status load_changed(struct run *run, size_t at, int damaged) {
  static struct hao_network other;
  uint8_t *copy = malloc(run->flat_bytes);
  enum hao_status status;
  uint32_t crc = 0xFFFFFFFFu;
  size_t i;
  int bit;
  if (!copy) abort();
  memcpy(copy, run->flat, run->flat_bytes);
  copy[at] ^= 1;
  for (i = 16; i < run->flat_bytes && !damaged; ++i)
    for (crc ^= copy[i], bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1u ? 0xEDB88320u : 0u);
  for (i = 0; i < 4 && !damaged; ++i) copy[12 + i] = (uint8_t)(~crc >> (8 * i));
  status = hao_load(&run->engine, &other, copy, run->flat_bytes, 1);
  free(copy);
  return status;
}

static enum hao_status fill_memory(struct run *run) {
  static struct hao_network others[4096];
  enum hao_status status = HAO_OK;
  size_t i;
  for (i = 0; i < 4096 && status == HAO_OK; ++i) status = hao_load(&run->engine, &others[i], run->flat, run->flat_bytes, 4);
  return status;
}

static int step(struct run *run, const char *name) {
  enum hao_status status = HAO_BAD_ARGUMENT;
  size_t frame;
  if (!strcmp(name, "stream")) return stream(run);
  if (!strcmp(name, "run")) {
    for (frame = 0; frame < run->frames; ++frame)
      if (!one(run, frame)) return 0;
    return 1;
  }
  if (!strcmp(name, "read")) overlay(run, HAO_REG_INPUT_LO, MEMORY_END - 3 * 64u);
  if (!strcmp(name, "write")) overlay(run, HAO_REG_OUTPUT_LO, MEMORY_END - (run->network.output_bytes > 64u ? 64u : 0u));
  if (!strcmp(name, "refused-read")) hao_port_sim_refuse(&run->board, 0, 77);
  if (!strcmp(name, "refused-write")) hao_port_sim_refuse(&run->board, 1, 0);
  if (!strcmp(name, "bus")) overlay(run, HAO_REG_INPUT_HI, 0xFFu);
  if (!strcmp(name, "fault")) overlay(run, HAO_REG_PROGRAM_COUNT, run->network.program_count - 1);
  if (!strcmp(name, "reset")) run->board.reset_after = 500;
  if (!strcmp(name, "config")) {
    status = load_changed(run, 32, 0);
  } else if (!strcmp(name, "image")) {
    status = load_changed(run, run->flat_bytes - 9, 1);
  } else if (!strcmp(name, "memory")) {
    status = fill_memory(run);
  } else {
    status = hao_run(&run->engine, &run->network, run->pictures, strcmp(name, "timeout") ? PATIENCE : 2);
  }
  run->board.overlay = 0;
  report(run, name, status);
  return status != HAO_OK && one(run, 0);
}

int main(int argc, char **argv) {
  static struct run run;
  uint32_t timing[11];
  size_t bytes = 0, i;
  char *at;
  int next;
  if (argc < 7) return fprintf(stderr, "hao_run NETWORK PICTURES RESULTS TIMING interrupt|poll STEP...\n"), 2;
  run.flat = read_file(argv[1], &run.flat_bytes);
  run.pictures = read_file(argv[2], &bytes);
  run.results = fopen(argv[3], "wb");
  for (i = 0, at = argv[4]; i < 11; ++i, at += *at == ',') timing[i] = (uint32_t)strtoul(at, &at, 10);
  if (!run.flat || !run.pictures || !run.results) return fprintf(stderr, "a file cannot be opened\n"), 2;
  if (hao_port_sim_open(&run.board, MEMORY_BASE, MEMORY_BYTES, timing, strcmp(argv[5], "poll"))) return fprintf(stderr, "no simulation\n"), 2;
  if (!report(&run, "open", hao_open(&run.engine, &run.board.port))) return 1;
  if (!report(&run, "load", hao_load(&run.engine, &run.network, run.flat, run.flat_bytes, 2))) return 1;
  run.frame_bytes = (size_t)run.network.input_channels * run.network.input_height * run.network.input_width;
  run.frames = bytes / run.frame_bytes;
  for (next = 6; next < argc; ++next)
    if (!step(&run, argv[next])) return 1;
  hao_unload(&run.engine, &run.network);
  hao_port_sim_close(&run.board);
  return fclose(run.results) ? 1 : 0;
}
