/* Declarations as in AMD's standalone library (UG643), over an array, so that the bare-metal port compiles and runs here. */
#pragma once
#include <stdint.h>
typedef uint32_t u32;
typedef uintptr_t UINTPTR;
u32 Xil_In32(UINTPTR address);
void Xil_Out32(UINTPTR address, u32 value);
