"""Generated sources: the Jinja2 environment, the SystemVerilog package and the list of RTL files."""

from hao.codegen.environment import render
from hao.codegen.rtl import parameter_values, render_package, rtl_sources, write_package, write_text

__all__ = ["parameter_values", "render", "render_package", "rtl_sources", "write_package", "write_text"]
