"""Formal proof of the control logic of the RTL: checkers of ``accel/formal``, Yosys, and the PDR engine of ABC inside it."""
