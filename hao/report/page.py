"""The report as one HTML page that needs nothing beside it: pictures are inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from hao.report.schema import Report

TEMPLATE = "report.html.j2"


def render_page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The page of ``report``.

    Args:
        report: what was measured.
        pictures: PNG files by their caption, in order.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hao.report", "templates"), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    embedded = {caption: "data:image/png;base64," + base64.b64encode(data).decode("ascii") for caption, data in pictures.items()}
    longest = max((layer.cycles for layer in report.layers), default=0)
    return environment.get_template(TEMPLATE).render(report=report, pictures=embedded, longest=max(longest, 1))
