/* Drives the Linux port over plain files:  linux_main MEMORY BUFFER BUFFER_CLASS INTERRUPT|- REGISTERS NETWORK.flat */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hao_linux.h"

int main(int argc, char **argv) {
  static uint8_t flat[1 << 22];
  static const uint8_t picture[1 << 16] = {7};
  static struct hao_network network;
  struct hao_linux_paths paths;
  struct hao_linux board;
  struct hao_engine engine;
  enum hao_status status;
  size_t bytes;
  FILE *file;
  if (argc != 7 || !(file = fopen(argv[6], "rb"))) return 2;
  bytes = fread(flat, 1, sizeof flat, file);
  fclose(file);
  paths.memory = argv[1];
  paths.buffer = argv[2];
  paths.buffer_class = argv[3];
  paths.interrupt = strcmp(argv[4], "-") ? argv[4] : NULL;
  status = hao_linux_open(&board, &paths, strtoul(argv[5], NULL, 0));
  if (status == HAO_OK) status = hao_open(&engine, &board.port);
  if (status == HAO_OK) status = hao_load(&engine, &network, flat, bytes, 1);
  if (status == HAO_OK) status = hao_run(&engine, &network, picture, 20000);
  printf("%d %s\n", (int)status, hao_message(status));
  return 0;
}
