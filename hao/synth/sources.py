"""The RTL as synthesis reads it: which file holds a module, what it instantiates, where blocks are cut.

The engine is cut into *blocks*: modules synthesized alone and flattened, with the blocks inside them left as black boxes. Small
cells that only make sense inside their surroundings (`DISSOLVED`) are flattened into the block around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from hao.codegen.rtl import PACKAGE_FILE, render_package, rtl_sources
from hao.errors import SynthesisError
from hao.resources import shared

DISSOLVED = frozenset(
    {
        "hao_fifo", "hao_fifo_pair", "hao_fifo_ram", "hao_ram", "hao_mul_add", "hao_lut_multiplier", "hao_dsp_quad", "hao_requant_dsp",
        "hao_dw_pair_tap", "hao_burst", "hao_window_writer", "hao_dense_lane",
    }
)  # fmt: skip
"""Modules that are a block of their own in no report."""
PRIMITIVE = "DSP48E2"
PRIMITIVE_FILE = "dsp48e2.sv"
_MODULE = re.compile(r"^module\s+(\w+)", re.MULTILINE)
_PARAMETER = re.compile(r"\bparameter\s+[\w\s]*?\b(\w+)\s*(?:\[[^\]]*\]\s*)?=")
_HEADER_END = re.compile(r"^\);", re.MULTILINE)


def as_synthesized(text: str) -> str:
    """``text`` without comments, blank lines and what ``ifndef SYNTHESIS`` hides: what simulation alone sees changes no synthesis.

    Raises:
        SynthesisError: a directive other than those around ``SYNTHESIS``, or one without its end.
    """
    kept, seen = [], [True]  # seen: whether the lines of each open condition are read
    for line in text.splitlines():
        words = line.split("//")[0].rstrip()
        directive = words.split()[:2] if words.lstrip().startswith("`") else []
        if directive in (["`ifdef", "SYNTHESIS"], ["`ifndef", "SYNTHESIS"]):
            seen.append(directive[0] == "`ifdef")
        elif directive == ["`else"] and len(seen) > 1:
            seen[-1] = not seen[-1]
        elif directive == ["`endif"] and len(seen) > 1:
            seen.pop()
        elif directive:
            raise SynthesisError(f"a directive that synthesis does not know: {words.strip()}", "use `ifdef SYNTHESIS and parameters")
        elif words and all(seen):
            kept.append(words)
    if len(seen) > 1:
        raise SynthesisError("an `ifdef without its `endif", "close it in the same file")
    return "\n".join(kept) + "\n"


@dataclass(frozen=True)
class Sources:
    """Every file of the engine by name, as synthesis sees it: the hand-written modules, the generated package, the primitive's ports.

    Attributes:
        files: text by file name.
        dissolved: modules that are never a block of their own.
    """

    files: dict[str, str]
    dissolved: frozenset[str] = DISSOLVED

    @classmethod
    def load(cls) -> Sources:
        """Read the installation's RTL.

        Raises:
            MissingTool: the installation carries no RTL.
        """
        files = {path.name: path.read_text(encoding="utf-8") for path in rtl_sources()}
        stub = shared("accel") / "synth" / PRIMITIVE_FILE
        texts = {PACKAGE_FILE: render_package(), PRIMITIVE_FILE: stub.read_text(encoding="utf-8"), **files}
        return cls({name: as_synthesized(text) for name, text in texts.items()})

    def in_one_block(self) -> Sources:
        """The same files cut nowhere: whatever is synthesized is one block with all that is below it."""
        return replace(self, dissolved=frozenset(self.modules) - {PRIMITIVE})

    @cached_property
    def modules(self) -> dict[str, str]:
        """Module name to file name."""
        found = {}
        for name, text in self.files.items():
            for match in _MODULE.finditer(text):
                found[match.group(1)] = name
        return found

    @cached_property
    def blocks(self) -> frozenset[str]:
        """Modules that are synthesized on their own."""
        return frozenset(self.modules) - self.dissolved - {PRIMITIVE}

    def text(self, module: str) -> str:
        """The file of ``module``.

        Raises:
            SynthesisError: there is no such module.
        """
        if module not in self.modules:
            raise SynthesisError(f"there is no module {module!r}", f"modules: {', '.join(sorted(self.blocks))}")
        return self.files[self.modules[module]]

    def header(self, module: str) -> str:
        """The file of ``module`` with an empty body: a black box."""
        text = self.text(module)
        end = _HEADER_END.search(text)
        if end is None:
            raise SynthesisError(f"module {module} has no port list that ends in a line of its own", "write ); at the start of a line")
        return text[: end.end()] + "\n\nendmodule\n"

    def parameters(self, module: str) -> tuple[str, ...]:
        """Names of the parameters in the header of ``module``."""
        return tuple(_PARAMETER.findall(self.header(module)))

    def instantiated(self, module: str) -> frozenset[str]:
        """Modules that ``module`` names."""
        return frozenset(re.findall(r"\b[A-Za-z]\w*\b", self.text(module))) & frozenset(self.modules) - {module}

    def closure(self, top: str) -> tuple[dict[str, str], frozenset[str]]:
        """What synthesizing block ``top`` reads: files by name (package first), and the modules that stay black boxes."""
        whole: set[str] = set()
        boxes: set[str] = set()
        waiting = [top]
        while waiting:
            module = waiting.pop()
            whole.add(module)
            for inner in self.instantiated(module):
                if inner in self.dissolved:
                    waiting += [] if inner in whole else [inner]
                else:
                    boxes.add(inner)
        files = {PACKAGE_FILE: self.files[PACKAGE_FILE]}
        for module in sorted(whole | boxes):
            files[self.modules[module]] = self.text(module) if module in whole or module == PRIMITIVE else self.header(module)
        return files, frozenset(boxes)
