"""Runs program images: one driver for the simulated engines and for silicon, and the comparison with the reference."""
