"""Runs fuzz cases against a fault in one Python module, in a child process that shares everything else with its parent.

The fault is put into the running code: every function of the module gets the code of the faulty text, so that nothing is imported
again and no engine is loaded twice. Faults at module or class level, which run at import, are therefore not drawn.
"""

from __future__ import annotations

import gc
import os
import resource
import types
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from hao.boards import load_board
from hao.compiler.compile import compile_in_full
from hao.compiler.random_program import random_program
from hao.engine.config import CI_CONFIGS
from hao.engine.image import ProgramImage
from hao.errors import CompileError
from hao.fuzz.case import Case, draw_case
from hao.fuzz.engines import DEFECTS, Fleet
from hao.fuzz.footprint import check_program
from hao.fuzz.schedule import check_orders
from hao.mutation.mutant import Mutant, Verdict

_Key = tuple[str, int]
_CPU_SECONDS = 60
_SMALL = "8x8x1"
_MOST, _OTHER = 200, 240


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    """``code`` and all code objects inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


def _codes(text: str, path: str) -> dict[_Key, types.CodeType]:
    whole = compile(text, path, "exec", dont_inherit=True)
    return {(code.co_qualname, code.co_firstlineno): code for code in code_objects(whole)}


def module_name(file: str) -> str:
    """``hao/ir/types.py`` as ``hao.ir.types``."""
    return ".".join(Path(file).with_suffix("").parts)


def functions_of(module: types.ModuleType) -> dict[_Key, types.FunctionType]:
    """Every function that was made from the text of ``module``, methods and registered ones included, not the nested ones."""
    return {
        (each.__code__.co_qualname, each.__code__.co_firstlineno): each
        for each in gc.get_objects()
        if isinstance(each, types.FunctionType) and each.__code__.co_filename == module.__file__
    }


def reachable(mutant: Mutant, text: str) -> bool:
    """Whether the fault lies in the code of a function that exists after the import."""
    module = import_module(module_name(mutant.file))
    old, new = _codes(text, str(module.__file__)), _codes(mutant.apply(text), str(module.__file__))
    return any(
        old[key].co_code != new[key].co_code or old[key].co_consts != new[key].co_consts for key in functions_of(module) if key in old
    )


def put(mutant: Mutant, text: str) -> None:
    """Put the fault into this process. ``text``: the sound text of its file."""
    module = import_module(module_name(mutant.file))
    faulty = _codes(mutant.apply(text), str(module.__file__))
    for key, function in functions_of(module).items():
        if key in faulty and len(faulty[key].co_freevars) == len(function.__code__.co_freevars):
            function.__code__ = faulty[key]


def in_child(work: Callable[[], int], seconds: int = _CPU_SECONDS) -> int:
    """Run ``work`` in a fork and return its result (0 to 240), or 255 when it died or took more processor time than allowed."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 2)
            os._exit(work())
        except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
            os._exit(254)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 255


class PythonJury:
    """Cases with known ends, and whether a fault changes any of them.

    Args:
        engines: that every case runs on, of ``hao.fuzz.engines.ENGINES``.
        seed, cases: which cases.
        programs: random programs whose footprints are checked, and whether compiled programs are run in other permitted orders and
            told apart; for faults of the compiler.
    """

    def __init__(self, engines: Sequence[str], seed: int, cases: int, programs: int = 0) -> None:
        self.fleet = Fleet(engines)
        board = load_board("ultra96v2")
        self.cases: list[Case] = [draw_case(seed, index, list(CI_CONFIGS), board) for index in range(cases)]
        for config in CI_CONFIGS:
            self.fleet.build(config, self.cases[0].timing)
        self.expected = [self.fleet.run(case).verdict for case in self.cases]
        self.programs = [random_program(seed + index, CI_CONFIGS[_SMALL], 10) for index in range(programs)]
        self.images = [self._digest(case) if programs else "" for case in self.cases]

    @staticmethod
    def _image(case: Case) -> ProgramImage | None:
        try:
            return compile_in_full(case.graph, CI_CONFIGS[case.config]).image
        except CompileError:
            return None

    def _digest(self, case: Case) -> str:
        image = self._image(case)
        return "" if image is None else image.digest

    def _same(self, case: Case, digest: str) -> bool:
        """Run a compiled case in other orders; whether its program is the sound one's."""
        image = self._image(case)
        if image is None:
            return not digest
        if case.config == _SMALL:
            check_orders(image.program(), CI_CONFIGS[_SMALL], image.regions(image.pack_input(case.pixels)), case.fill, 2)
        return image.digest == digest

    def _work(self) -> int:
        try:
            for program in self.programs:
                check_program(program.program, program.config, program.dram())
            same = True
            for index, case in enumerate(self.cases):
                if self.fleet.run(case).verdict is not self.expected[index]:
                    return 1 + index % _MOST
                if self.programs:
                    same &= self._same(case, self.images[index])
        except DEFECTS:
            return 1
        return 0 if same else _OTHER

    def judge(self, mutant: Mutant, text: str) -> tuple[Verdict, int]:
        """What came of ``mutant``, and the index of the case that saw it (-1: none)."""

        def work() -> int:
            put(mutant, text)
            return self._work()

        code = in_child(work)
        if code == _OTHER:
            return Verdict.OTHER, -1
        if code > _OTHER or code < 0:
            return Verdict.CRASHED, -1
        return (Verdict.KILLED, code - 1) if code else (Verdict.SURVIVED, -1)
