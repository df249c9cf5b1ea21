#pragma once
#include <stdint.h>
typedef intptr_t INTPTR;
void Xil_DCacheFlushRange(INTPTR address, INTPTR length);
void Xil_DCacheInvalidateRange(INTPTR address, INTPTR length);
