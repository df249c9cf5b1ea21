"""Cost models: what an engine costs in area and a program in cycles, without synthesis or simulation."""
