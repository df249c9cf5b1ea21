#pragma once
int usleep(unsigned long microseconds);
