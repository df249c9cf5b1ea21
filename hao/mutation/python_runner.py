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
from functools import cache
from importlib import import_module
from pathlib import Path

from hao.boards import load_board
from hao.engine.config import CI_CONFIGS
from hao.fuzz.case import Case, draw_case
from hao.fuzz.engines import Fleet
from hao.mutation.mutant import Mutant, Verdict

_Key = tuple[str, int]
_CPU_SECONDS = 60


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    """``code`` and all code objects inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


@cache
def _codes(text: str, path: str) -> dict[_Key, types.CodeType]:
    whole = compile(text, path, "exec", dont_inherit=True)
    return {(code.co_qualname, code.co_firstlineno): code for code in code_objects(whole)}


def module_name(file: str) -> str:
    """``hao/ir/types.py`` as ``hao.ir.types``."""
    return ".".join(Path(file).with_suffix("").parts)


@cache
def functions_of(module: types.ModuleType) -> dict[_Key, types.FunctionType]:
    """Every function that was made from the text of ``module``, methods and registered ones included, not the nested ones."""
    return {
        (each.__code__.co_qualname, each.__code__.co_firstlineno): each
        for each in gc.get_objects()
        if type(each) is types.FunctionType and each.__code__.co_filename == module.__file__
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


def in_child(work: Callable[[], str], seconds: int = _CPU_SECONDS) -> str | None:
    """Run ``work`` in a fork and return what it returns; None when it died, raised or took more processor time than allowed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 1)
            os.dup2(devnull, 2)
            os.write(writing, work().encode())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return said.decode() if status == 0 else None


class PythonJury:
    """Fuzz cases with known ends, and whether a fault of the reference changes any of them.

    Args:
        engines: that every case runs on, of ``hao.fuzz.engines.ENGINES``.
        seed, cases: which cases.
    """

    def __init__(self, engines: Sequence[str], seed: int, cases: int) -> None:
        self.fleet, self.seed = Fleet(engines), seed
        board = load_board("ultra96v2")
        self.cases: list[Case] = [draw_case(seed, index, list(CI_CONFIGS), board) for index in range(cases)]
        for config in CI_CONFIGS:
            self.fleet.build(config, self.cases[0].timing)
        self.expected = [self.fleet.run(case).verdict for case in self.cases]

    def _seen_by(self) -> str:
        wanted = zip(self.cases, self.expected, strict=True)
        return next((case.name for case, verdict in wanted if self.fleet.run(case).verdict is not verdict), "")

    def judge(self, mutant: Mutant, text: str) -> tuple[Verdict, str]:
        """What came of ``mutant``, and the name of the case that saw it."""

        def work() -> str:
            put(mutant, text)
            return self._seen_by()

        said = in_child(work)
        if said is None:
            return Verdict.CRASHED, ""
        return (Verdict.KILLED if said else Verdict.SURVIVED), said
