/* Decodes given results without an engine:  decode_main NETWORK.flat OUTPUT.raw TOP_K LEAST REPEAT
 * The first line says what that takes, and what placing a picture takes, in microseconds of processor time. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hao_decode.h"

static uint8_t flat[1 << 22];

static uint32_t port_read(void *context, uint32_t offset) {
  const uint32_t at = offset == HAO_REG_CONFIG_HI ? 32 : 36;
  (void)context;
  if (offset == HAO_REG_MAGIC) return HAO_MAGIC;
  if (offset == HAO_REG_ISA_VERSION) return HAO_ISA_VERSION;
  return (uint32_t)flat[at] << 24 | (uint32_t)flat[at + 1] << 16 | (uint32_t)flat[at + 2] << 8 | flat[at + 3];
}
static void port_write(void *context, uint32_t offset, uint32_t value) { (void)context, (void)offset, (void)value; }
static int port_allocate(void *context, size_t bytes, struct hao_buffer *buffer) {
  (void)context;
  buffer->host = calloc(1, bytes);
  buffer->address = 64;
  buffer->bytes = bytes;
  return !buffer->host;
}
static void port_release(void *context, struct hao_buffer *buffer) { (void)context, free(buffer->host); }
static void port_sync(void *context, const struct hao_buffer *buffer) { (void)context, (void)buffer; }
static void port_pause(void *context, uint64_t us) { (void)context, (void)us; }
static uint64_t port_now(void *context) { return (void)context, 0; }

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  static const struct hao_port port = {NULL, port_read, port_write, port_allocate, port_release, port_sync, port_sync, NULL, port_pause, port_now};
  static struct hao_network network;
  static struct hao_box boxes[4096];
  struct hao_engine engine;
  uint8_t *picture;
  size_t strides[3];
  double decoding, placing;
  enum hao_status status = HAO_OK;
  size_t bytes, found = 0, i, repeat;
  FILE *file;
  if (argc != 6 || !(file = fopen(argv[1], "rb"))) return 2;
  bytes = fread(flat, 1, sizeof flat, file);
  fclose(file);
  status = hao_open(&engine, &port);
  if (status == HAO_OK) status = hao_load(&engine, &network, flat, bytes, 1);
  if (status != HAO_OK) return fprintf(stderr, "%s\n", hao_message(status)), 1;
  if (!(file = fopen(argv[2], "rb"))) return 2;
  bytes = fread(network.slots[0].output.host, 1, network.output_bytes, file);
  fclose(file);
  repeat = strtoul(argv[5], NULL, 10);
  decoding = microseconds();
  for (i = 0; i < repeat; ++i) found = hao_decode(&network, 0, atof(argv[4]), boxes, strtoul(argv[3], NULL, 10));
  decoding = microseconds() - decoding;
  strides[0] = (size_t)network.input_height * network.input_width;
  strides[1] = network.input_width;
  strides[2] = 1;
  picture = calloc(network.input_channels, strides[0]);
  if (!picture) return 2;
  placing = microseconds();
  for (i = 0; i < repeat; ++i) hao_place(&engine, &network, 0, picture, strides);
  placing = microseconds() - placing;
  free(picture);
  printf("%.3f %.3f\n", decoding / (double)repeat, placing / (double)repeat);
  for (i = 0; i < found; ++i)
    printf("%ld %a %a %a %a %a\n", (long)boxes[i].label, boxes[i].score, boxes[i].x0, boxes[i].y0, boxes[i].x1, boxes[i].y1);
  hao_unload(&engine, &network);
  return bytes != network.output_bytes;
}
