"""Area by synthesis: Yosys maps every block of the RTL to UltraScale+ cells, and a path estimate runs over the netlists."""
