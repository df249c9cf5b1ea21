"""The kernel keeps the rules of synthesis; the checker knows a breach when it sees one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hao.codegen.hls import KERNEL, render_kernel
from hao.codegen.hls_check import check_synthesizable
from hao.codegen.hls_source import functions, synthesized
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.toolchain import require_compiler

BAD = [
    ("dynamic memory", "inline int* f(int n) { return new int[n]; }"),
    ("dynamic memory", "inline void f(int n) { use(malloc(n)); }"),
    ("standard library", "inline void f(std::vector<int>& v) { v.clear(); }"),
    ("system header", "#include <vector>"),
    ("system header", "#include <math.h>"),
    ("exception or run-time type", "inline void f(int x) { if (x) throw x; }"),
    ("exception or run-time type", "struct Shape { virtual int area(); };"),
    ("jump", "inline void f(int x) { goto end; }"),
    ("floating point", "inline int f(int x) { float scale = 3; return x; }"),
    ("function pointer", "inline int f(int (*g)(int)) { return g(1); }"),
    ("unreadable conditional", "#if VERSION > 3"),
    ("recursion", "inline int f(int n) { return n == 0 ? 1 : n * f(n - 1); }"),
    (
        "recursion",
        "inline int g(int n) { return h(n); }\n"
        "inline int h(int n) { return g(n); }",
    ),
    ("loop without bound or trip count", "inline int f(int n) { int s = 0; for (int i = 0; i < n; ++i) { s += i; } return s; }"),
    ("loop without bound or trip count", "inline int f(int n) { while (n > 3) { n -= 3; } return n; }"),
    ("loop without bound or trip count", "inline void f(const Table& table) { for (auto& x : table) use(x); }"),
    (
        "unrolled loop without constant bounds",
        "inline void f(int n) {\n"
        " for (int i = 0; i < n; ++i) {\n"
        "#pragma HLS UNROLL\n"
        " use(i);\n"
        " }\n"
        "}",
    ),
    (
        "loop of unknown length inside a pipeline",
        "inline void f(int n) {\n"
        " for (int i = 0; i < 9; ++i) {\n"
        "#pragma HLS PIPELINE II=1\n"
        " for (int j = 0; j < n; ++j) use(j);\n"
        " }\n"
        "}",
    ),
    ("division by a variable", "inline int f(int a, int b) { return a / b; }"),
    ("division by a variable", "inline int f(int a, const F& f) { return a % int(f.rows); }"),
    ("division by a variable", "inline int f(int a, int b) { return a / (b + 1); }"),
    (
        "statement that is neither a stream nor a process in a dataflow region",
        "inline void f(int n) {\n"
        "#pragma HLS DATAFLOW\n"
        " int m = n + 1;\n"
        " use_all(m);\n"
        "}",
    ),
    (
        "stream without exactly one producer and one consumer",
        "inline void p(hls::stream<int, 2>& s) { s.write(1); }\n"
        "inline void f(int n) {\n"
        "#pragma HLS DATAFLOW\n"
        ' hls::stream<int, 2> s("s");\n'
        " p(s);\n"
        "}",
    ),
    (
        "stream consumed before it is produced",
        "inline void p(hls::stream<int, 2>& s) { s.write(1); }\n"
        "inline void c(hls::stream<int, 2>& s) { use(s.read()); }\n"
        "inline void f(int n) {\n"
        "#pragma HLS DATAFLOW\n"
        ' hls::stream<int, 2> s("s");\n'
        " c(s);\n"
        " p(s);\n"
        "}",
    ),
    (
        "memory with several readers or writers in a dataflow region",
        "inline void p(Table& t) { t[0] = 1; }\n"
        "inline void q(Table& t) { t[1] = 1; }\n"
        "inline void f(Table& t) {\n"
        "#pragma HLS DATAFLOW\n"
        " p(t);\n"
        " q(t);\n"
        "}",
    ),
    (
        "memory written before it is read in a dataflow region",
        "inline void p(Table& t) { t[0] = 1; }\n"
        "inline void c(const Table& t) { use(t[0]); }\n"
        "inline void f(Table& t) {\n"
        "#pragma HLS DATAFLOW\n"
        " p(t);\n"
        " c(t);\n"
        "}",
    ),
]


def in_loop(pragma: str) -> str:
    """A function with ``pragma`` at the head of its loop."""
    return f"inline void f() {{\n for (int i = 0; i < 9; ++i) {{\n#pragma HLS {pragma}\n use(i);\n }}\n}}"


def in_function(pragma: str, first: str = "") -> str:
    """A function with ``pragma`` behind the statement ``first``."""
    return f"inline void f(int n) {{\n {first}\n#pragma HLS {pragma}\n use(n);\n}}"


BAD += [
    ("dynamic memory", "inline void f(int* p) { free(p); }"),
    ("system call", 'inline void f(int x) { printf("%d", x); }'),
    ("system call", "inline void f(int x) { assert(x > 0); }"),
    ("system call", "inline int f() { return rand(); }"),
    ("unsupported type", "inline int f(int x) { long double y = x; return int(y); }"),
    ("unsupported type", "union Both { int a; unsigned b; };"),
    ("unsupported type", "inline int f(__int128 x) { return int(x); }"),
    ("floating point", "inline int f(double x) { double y = x; return int(y); }"),
    ("pointer to pointer", "inline int f(int** p) { return **p; }"),
    ("pointer to pointer", "inline int f() { int* table[4]; return *table[0]; }"),
    ("pointer cast", "inline int f(BusWord* p) { return *reinterpret_cast<int*>(p); }"),
    ("variadic function", "inline int f(int n, ...) { return n; }"),
    ("compiler built-in", "inline int f(unsigned x) { return __builtin_popcount(x); }"),
    ("inline assembly", 'inline void f() { asm("nop"); }'),
    ("array of variable length", "inline int f(int n) { int t[n]; return t[0]; }"),
    ("loop without bound or trip count", "inline void f(int n) { do { n >>= 1; } while (n); }"),
    ("unknown pragma", in_loop("PIPLINE II=1")),
    ("unknown pragma", "inline void f() {\n#pragma omp parallel\n use(1);\n}"),
    ("unknown pragma", in_function("RESOURCE variable=n core=RAM_1P")),
    ("unknown option of a pragma", in_loop("PIPELINE III=1")),
    ("unknown option of a pragma", in_function("ARRAY_PARTITION variable=t type=complete axis=1", "int t[4];")),
    ("pragma with a value that it does not take", in_loop("PIPELINE II=0")),
    ("pragma with a value that it does not take", in_function("BIND_STORAGE variable=t type=ram_3p", "int t[4];")),
    ("pragma without an option that it needs", in_loop("LOOP_TRIPCOUNT avg=4")),
    ("pragma without an option that it needs", in_function("ARRAY_PARTITION variable=t", "int t[4];")),
    ("pragma where it does not apply", in_function("UNROLL", "n += 1;")),
    ("pragma where it does not apply", in_function("PIPELINE II=1", "n += 1;")),
    ("pragma where it does not apply", in_function("LOOP_TRIPCOUNT min=1 max=4")),
    ("pragma where it does not apply", in_function("INLINE off", "n += 1;")),
    ("pragma where it does not apply", in_loop("INLINE")),
    ("pragma where it does not apply", "inline void f(int n) {\n if (n) {\n#pragma HLS UNROLL\n use(n);\n }\n}"),
    ("pragma outside a function", "#pragma HLS PIPELINE II=1\ninline void f(int n) { use(n); }"),
    ("pragma outside a function", "int table[4];\n#pragma HLS ARRAY_PARTITION variable=table type=complete\n"),
    ("pragma of a variable that is not declared before it", in_function("ARRAY_PARTITION variable=other type=complete")),
    ("pragma of a variable that is not declared before it", "inline void f() {\n#pragma HLS AGGREGATE variable=t\n int t[4];\n use(t);\n}"),
    ("memory pragma of something that is no array", in_function("ARRAY_PARTITION variable=t type=complete", "int t = 4;")),
    ("interface pragma outside the top function", in_function("INTERFACE mode=s_axilite port=n bundle=control")),
    (
        "memory with several readers or writers in a dataflow region",
        "inline void p(const Table& t) { use(t[0]); }\n"
        "inline void q(const Table& t) { use(t[1]); }\n"
        "inline void f(Table& t) {\n"
        "#pragma HLS DATAFLOW\n"
        " p(t);\n"
        " q(t);\n"
        "}",
    ),
    (
        "stream without exactly one producer and one consumer",
        "inline void p(hls::stream<int, 2>& s) { s.write(1); }\n"
        "inline void c(hls::stream<int, 2>& s) { use(s.read()); }\n"
        "inline void f(int n) {\n"
        "#pragma HLS DATAFLOW\n"
        ' hls::stream<int, 2> s("s");\n'
        " p(s);\n"
        " c(s);\n"
        " c(s);\n"
        "}",
    ),
]
BAD += [
    ("floating point", "inline int f(float x) { return 1; }"),
    ("floating point", "inline int f(int x) { return int(x * 0.5); }"),
    ("floating point", "inline int f(int x) { return int(x * 1e3); }"),
    ("floating point", "inline int f(int x) { half y = x; return int(y); }"),
    ("pointer cast", "inline int f(BusWord* p) { return *(int*)p; }"),
    ("pointer cast", "inline int f(BusWord* p) { return *static_cast<const int*>(p); }"),
    ("unsupported type", "inline void f(void* p) { use(p); }"),
    ("unsupported type", "inline int f() { thread_local int x = 0; return ++x; }"),
    ("standard library", "using namespace std;"),
    ("standard library", "inline void f(int x) { cout << x; }"),
    ("member pointer", "inline int f(S& s, int S::*m) { return s.*m; }"),
    ("variable of another file", "extern int table[4];"),
    ("dynamic memory", "static int* p = new int[4];"),
    ("recursion", "template <int N>\ninline int f(int n) { return n ? f<N>(n - 1) : 0; }"),
    (
        "loop of unknown length inside a pipeline",
        "inline int g(int n) {\n for (int i = 0; i < n; ++i) {\n#pragma HLS LOOP_TRIPCOUNT min=1 max=9\n use(i);\n }\n return n;\n}\n"
        "inline int h(int n) { return g(n); }\n" + in_loop("PIPELINE II=1").replace("use(i)", "use(h(i))"),
    ),
    (
        "loop of unknown length inside a pipeline",
        "inline void f(int n) {\n#pragma HLS PIPELINE II=1\n for (int i = 0; i < n; ++i) {\n#pragma HLS LOOP_TRIPCOUNT min=1 max=9\n"
        " use(i);\n }\n}",
    ),
    ("pragma given twice", in_loop("PIPELINE II=1\n#pragma HLS PIPELINE II=2")),
    ("pragma given twice", in_function("AGGREGATE variable=n\n#pragma HLS AGGREGATE variable=n")),
    ("pragma of a dimension that the array does not have", in_function("ARRAY_PARTITION variable=t type=complete dim=2", "int t[4];")),
    ("memory pragma of something that is no array", in_function("STREAM variable=t depth=4", "int t = 4;")),
    ("pragma with a value that it does not take", in_function("STREAM variable=t depth=0", "hls::stream<int, 2> t(\"t\");")),
    ("pragma with a value that it does not take", in_loop("UNROLL factor=0")),
    ("pragma in a form that is not read", 'inline void f() { for (int i = 0; i < 9; ++i) { _Pragma("HLS PIPELINE II=1") use(i); } }'),
]
GOOD = [
    in_loop("PIPELINE II=2"),
    in_loop("UNROLL factor=4"),
    in_function("ARRAY_PARTITION variable=t dim=1 type=cyclic factor=2", "int t[4];"),
    in_function("INLINE off"),
    "inline void f(int n) {\n for (int i = 0; i < g(n); ++i) {\n#pragma HLS PIPELINE II=1\n"
    "#pragma HLS LOOP_TRIPCOUNT min=1 max=9\n use(i);\n }\n}",
    "inline void f(Table& t) {\n#pragma HLS BIND_STORAGE variable=t type=ram_s2p \\\n    impl=bram\n use(t[0]);\n}",
    "inline int f(int a) { int t[4]; t[0] = a / 4; return t[0] * a; }",
    "inline int f(int a) { int half[2] = {a, 0x1e3}; return half[0] * half[1]; }",
    "inline int g(int a) {\n for (int i = 0; i < 4; ++i) {\n a += i;\n }\n return a;\n}\n"
    + in_loop("PIPELINE II=1").replace("use(i)", "use(g(i))"),
    in_function(
        "ARRAY_PARTITION variable=t type=complete dim=1\n#pragma HLS ARRAY_PARTITION variable=t type=cyclic factor=2 dim=2", "int t[4][4];"
    ),
]
"""What is allowed: the checks above do not fire at everything."""


@pytest.mark.parametrize("config", CI_CONFIGS.values(), ids=list(CI_CONFIGS))
def test_kernel_is_clean(config: EngineConfig) -> None:
    files = render_kernel(config)
    found = list(functions({name: synthesized(text) for name, text in files.items()}))
    assert len(found) > 80  # the reader has seen the kernel, not passed over it
    assert {"hao_kernel", "accumulate", "read_window", "dense_stages"} <= {function.name for function in found}
    assert [str(fault) for fault in check_synthesizable(files)] == []


@pytest.mark.parametrize(("rule", "snippet"), BAD, ids=[f"{index}-{rule.replace(' ', '-')}" for index, (rule, _) in enumerate(BAD)])
def test_bad_snippet_is_refused(rule: str, snippet: str) -> None:
    faults = check_synthesizable({**render_kernel(CI_CONFIGS["8x8x1"]), "bad.h": snippet})
    assert faults and all(fault.file == "bad.h" for fault in faults)
    assert rule in {fault.rule for fault in faults}


@pytest.mark.parametrize("snippet", GOOD, ids=range(len(GOOD)))
def test_good_snippet_is_accepted(snippet: str) -> None:
    assert [str(fault) for fault in check_synthesizable({**render_kernel(CI_CONFIGS["8x8x1"]), "good.h": snippet})] == []


def test_the_list_is_long_and_covers_every_rule() -> None:
    assert len(BAD) >= 85
    assert len({rule for rule, _ in BAD}) >= 35


def test_an_interface_of_no_argument_is_refused() -> None:
    files = render_kernel(CI_CONFIGS["8x8x1"])
    wrong = files[KERNEL].replace("port=scratch bundle=control", "port=scrotch bundle=control")
    assert wrong != files[KERNEL]
    rules = {fault.rule for fault in check_synthesizable({**files, KERNEL: wrong})}
    assert {"interface pragma of no argument", "argument without a register"} <= rules


def test_simulation_only_code_is_not_held_against_the_kernel() -> None:
    snippet = "#ifndef __SYNTHESIS__\n#include <vector>\ninline int* f(int n) { return new int[n]; }\n#else\n#define X 1\n#endif\n"
    assert check_synthesizable({**render_kernel(CI_CONFIGS["8x8x1"]), "sim.h": snippet}) == ()


@pytest.mark.parametrize(
    ("old", "rule"),
    [
        ("#pragma HLS INTERFACE mode=s_axilite port=count bundle=control\n", "argument without a register"),
        ("#pragma HLS INTERFACE mode=s_axilite port=return bundle=control\n", "argument without a register"),
        ("port=dram_write bundle=write", "bus without a bundle of its own"),
        ("#pragma HLS LOOP_TRIPCOUNT min=1 max=65536 avg=1024\n", "loop without bound or trip count"),
    ],
)
def test_interface_faults(old: str, rule: str) -> None:
    files = render_kernel(CI_CONFIGS["8x8x1"])
    assert old in files[KERNEL]
    new = "port=dram_write bundle=read" if "bundle=write" in old else ""
    assert rule in {fault.rule for fault in check_synthesizable({**files, KERNEL: files[KERNEL].replace(old, new)})}


@pytest.mark.parametrize("name", ["16x16x2", "8x8x1"])
def test_synthesis_branch_compiles(name: str, tmp_path: Path) -> None:
    for file, text in render_kernel(CI_CONFIGS[name]).items():
        (tmp_path / file).write_text(text)
    (tmp_path / "hls_stream.h").write_text((Path(__file__).parent / "vendor_hls_stream.h").read_text())
    flags = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-label"]
    command = [require_compiler(), *flags, "-D__SYNTHESIS__", "-DHAO_NATIVE", f"-I{tmp_path}", str(tmp_path / KERNEL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    preprocessed = subprocess.run([*command, "-E"], capture_output=True, text=True, check=True).stdout
    assert "hao_tap" not in preprocessed and "dump_memory" not in preprocessed and "report_word" in preprocessed
