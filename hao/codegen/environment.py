"""The Jinja2 environment shared by every generator: undefined names are errors, output is plain text."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hao.codegen.tcl import word
from hao.resources import shared


def camel(name: str) -> str:
    """``READ_BEATS`` or ``read_beats`` as ``ReadBeats``, the form of SystemVerilog parameters."""
    return "".join(part[:1].upper() + part[1:].lower() for part in name.split("_"))


def digits(value: int, width: int = 3) -> str:
    """``value`` in upper-case hexadecimal, at least ``width`` digits."""
    return f"{value:0{width}X}"


@functools.cache
def environment() -> Environment:
    """The one environment: templates of ``hls_templates``, ``StrictUndefined``, block tags that leave no blank lines."""
    made = Environment(
        loader=FileSystemLoader(shared("hls_templates")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # sources, not web pages; names are checked where they enter
    )
    made.filters["camel"] = camel
    made.filters["digits"] = digits
    made.filters["tcl"] = word
    return made


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of ``template`` (a name inside ``hls_templates``) with ``values``.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.
        jinja2.TemplateNotFound: there is no such template.
    """
    return environment().get_template(template).render(values)
