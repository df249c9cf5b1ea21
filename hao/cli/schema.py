"""``hao schema``: the JSON schemas of what the commands write."""

from __future__ import annotations

import json

from pydantic import BaseModel

from hao.errors import UsageError
from hao.report.bench import Bench
from hao.report.estimate import EstimateReport
from hao.report.nas import NasReport
from hao.report.quantize import QuantizeReport
from hao.report.schema import Report
from hao.report.search import BuildReport, SearchReport
from hao.report.verification import Verification
from hao.vendor.reports import Implementation

SCHEMAS: dict[str, type[BaseModel]] = {
    "report": Report,
    "bench": Bench,
    "verify": Verification,
    "estimate": EstimateReport,
    "implementation": Implementation,
    "search": SearchReport,
    "build": BuildReport,
    "quantize": QuantizeReport,
    "nas": NasReport,
}


def print_schema(name: str) -> None:
    """Print the schema called ``name``.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in SCHEMAS:
        raise UsageError(f"there is no schema called {name!r}", f"schemas: {', '.join(SCHEMAS)}")
    print(json.dumps(SCHEMAS[name].model_json_schema(), indent=2))
