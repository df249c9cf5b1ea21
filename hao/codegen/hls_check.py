"""Refuses C++ that Vitis HLS could not synthesize, or not into the pipeline that the source promises.

It holds generated sources against the rules that the kernel is written by (``docs/hls.md``). It is no substitute for the
tool: it finds what would surely fail, and what would quietly cost the initiation interval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hao.codegen.hls_dataflow import dataflow_faults
from hao.codegen.hls_loops import CONSTANT, loop_faults, of_unknown_length
from hao.codegen.hls_pragmas import pragma_faults, pragmas
from hao.codegen.hls_source import Function, functions, reached_from, synthesized

TOP = "hao_kernel"
_INCLUDES = {"ap_int.h", "hls_stream.h"}
_FORBIDDEN = (
    ("dynamic memory", re.compile(r"\b(new|delete|malloc|calloc|realloc|free|alloca)\b")),
    ("standard library", re.compile(r"\bstd\s*::\s*\w+|\busing\s+namespace\s+std\b|\b(cout|cerr|cin|endl)\b")),
    ("exception or run-time type", re.compile(r"\b(throw|try|catch|virtual|dynamic_cast|typeid)\b")),
    ("jump", re.compile(r"\b(goto|setjmp|longjmp)\b")),
    ("floating point", re.compile(
        r"\b(float|double)\b|\bhalf\s+\w+\s*[=;({,)]|(?<![\w.])(\d+\.\d*|\.\d+|\d+(?=[eE][-+]?\d))([eE][-+]?\d+)?[fFlL]?\b"
    )),
    ("function pointer", re.compile(r"\(\s*\*\s*\w+\s*\)\s*\(")),
    ("unreadable conditional", re.compile(r"#unreadable.*")),
    ("inline assembly", re.compile(r"\b(asm|__asm__)\b")),
    ("system call", re.compile(r"\b(printf|fprintf|puts|fopen|fwrite|exit|abort|rand|time|sleep|getenv|system|assert)\s*\(")),
    ("unsupported type", re.compile(r"\b(long\s+double|wchar_t|__int128|_Complex|thread_local)\b|\bunion\b|\bvoid\s*\*")),
    ("variable of another file", re.compile(r"^\s*extern\b(?!\s*\"\")")),
    ("member pointer", re.compile(r"\w\s*::\s*\*|->\*|\.\*")),
    ("pointer to pointer", re.compile(r"\w\s*\*\s*(const\s*)?\*\s*\w+|\w+\s*\*\s*\w+\s*\[[^\]]*\]\s*[;={]")),
    ("pointer cast", re.compile(
        r"\breinterpret_cast\b|_cast\s*<[^<>]*(<[^<>]*>)?[^<>]*\*\s*>|\(\s*(const\s+)?[A-Za-z_][\w:]*(\s*<[^<>]*>)?\s*\*+\s*\)\s*[\w(&]"
    )),
    ("variadic function", re.compile(r"\.\.\.\s*\)")),
    ("compiler built-in", re.compile(r"\b__(builtin|sync|atomic)_\w+")),
)  # fmt: skip
_ARRAY = re.compile(r"(?:^|[;{}])\s*((?:static\s+|const\s+)*[A-Za-z_][\w:]*(?:<[^;{}]*>)?\s+\w+\[([^\]]*)\](?:\[[^\]]*\])*\s*[;=])")
_GLOBAL = re.compile(r"^(?:static |const |inline |constexpr )*[A-Za-z_][\w:<>, ]*\s+(\w+)\s*(?:\[|=|;)", re.M)
_DIVISION = re.compile(r"[/%]=?\s*(\([^()]*\)|[A-Za-z_][\w.:]*(?:\([^()]*\))?|\d\w*)")


@dataclass(frozen=True, slots=True)
class Fault:
    """A departure: where, which rule, and the text at fault."""

    file: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"


def _token_faults(files: Mapping[str, str]) -> Iterator[Fault]:
    for file, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            include = re.match(r"\s*#\s*include\s*<([^>]*)>", line)
            if include and include.group(1) not in _INCLUDES:
                yield Fault(file, number, "system header", line.strip())
            for rule, pattern in _FORBIDDEN:
                if (match := pattern.search(line)) is not None:
                    yield Fault(file, number, rule, match.group())


def _array_faults(function: Function) -> Iterator[Fault]:
    code = re.sub(r"^\s*#.*$", "", function.body, flags=re.M)
    for match in _ARRAY.finditer(code):
        if not CONSTANT.fullmatch(match.group(2)):
            line = function.line + code.count("\n", 0, match.start(1))
            yield Fault(function.file, line, "array of variable length", match.group(1).strip())


def _outside_faults(files: Mapping[str, str], found: list[Function]) -> Iterator[Fault]:
    """Pragmas of HLS outside any function."""
    inside = {(each.file, each.body_line + each.body.count("\n", 0, one.offset)) for each in found for one in pragmas(each.body)}
    for file, text in files.items():
        for one in pragmas(text):
            line = text.count("\n", 0, one.offset) + 1
            if one.vendor and (file, line) not in inside:
                yield Fault(file, line, "pragma outside a function", " ".join(("HLS", *one.words)))


def _division_faults(function: Function) -> Iterator[Fault]:
    code = re.sub(r"^\s*#.*$", "", function.body, flags=re.M)
    for match in _DIVISION.finditer(code):
        if not CONSTANT.fullmatch(match.group(1)):
            line = function.line + code.count("\n", 0, match.start())
            yield Fault(function.file, line, "division by a variable", match.group())


def _recursion_faults(found: list[Function], reached: Mapping[str, frozenset[str]]) -> Iterator[Fault]:
    for function in found:
        if function.name in reached[function.name]:
            yield Fault(function.file, function.line, "recursion", function.name)


def _interface_faults(found: list[Function], files: Mapping[str, str]) -> Iterator[Fault]:
    tops = [function for function in found if function.name == TOP]
    if len(tops) != 1:
        yield Fault(next(iter(files), ""), 1, "top function", f"{len(tops)} definitions of {TOP}")
        return
    top = tops[0]
    bundles = set(re.findall(r"mode=m_axi port=\w+ bundle=(\w+)", top.body))
    pointers = [each.name for each in top.parameters if "BusWord" in each.type]
    if len(bundles) != len(pointers):
        yield Fault(top.file, top.line, "bus without a bundle of its own", ", ".join(pointers))
    for name in ("return", *(each.name for each in top.parameters)):
        if not re.search(rf"mode=s_axilite port={name}\b", top.body):
            yield Fault(top.file, top.line, "argument without a register", name)


def check_synthesizable(files: Mapping[str, str]) -> tuple[Fault, ...]:
    """All departures of the C++ ``files`` from what Vitis HLS synthesizes well; empty when there are none."""
    seen = {name: synthesized(text) for name, text in files.items() if name.endswith((".h", ".cpp"))}
    found = list(functions(seen))
    reached = reached_from(found)
    faults = [*_token_faults(seen), *_recursion_faults(found, reached), *_interface_faults(found, seen)]
    faults.extend(_outside_faults(seen, found))
    known = frozenset(match.group(1) for text in seen.values() for match in _GLOBAL.finditer(text))
    by_name = {function.name: function for function in found}
    lengthy = of_unknown_length(found, reached)
    for function in found:
        faults.extend(Fault(function.file, line, rule, text) for line, rule, text in loop_faults(function, lengthy))
        faults.extend(_division_faults(function))
        faults.extend(_array_faults(function))
        for line, rule, text in pragma_faults(function, TOP, known):
            faults.append(Fault(function.file, function.body_line + line, rule, text))
        if re.search(r"#pragma HLS DATAFLOW\b", function.body):
            faults.extend(Fault(function.file, function.line, rule, text) for rule, text in dataflow_faults(function, by_name))
    return tuple(faults)
