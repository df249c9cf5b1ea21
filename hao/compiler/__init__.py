"""From the integer graph to a program image, and the instruction-level executor that gives the image its meaning."""
