"""Running a solver within its time: started by us, ended by us, and believed only after both of its statuses are read."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from hao.errors import MissingTool, SearchError

if TYPE_CHECKING:
    from pulp import LpProblem

SolverName: TypeAlias = Literal["cbc", "highs"]
SolverStatus: TypeAlias = Literal["optimal", "feasible", "infeasible", "unknown"]
_GRACE = 2.0
"""Seconds that a solver may overrun its limit before it is killed."""


@dataclass(frozen=True, slots=True)
class Solved:
    """What a solver said: ``bound`` is what it proved of the objective, minus infinity if nothing."""

    status: SolverStatus
    objective: float
    bound: float


def cbc_path() -> Path:
    """The CBC that is bundled with PuLP, or the one that the variable HAO_CBC names.

    Raises:
        MissingTool: it is not there, or may not be run.
    """
    given = os.environ.get("HAO_CBC")
    if given is None:
        from pulp.apis.coin_api import pulp_cbc_path

        given = pulp_cbc_path
    path = Path(given)
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise MissingTool(f"the solver CBC is not at {path}", "pip install 'pulp>=3.3,<4', or name another in HAO_CBC")
    return path


def solve(problem: LpProblem, seconds: float, solver: SolverName = "cbc", threads: int = 1) -> Solved:
    """Minimize ``problem``; its variables hold the solution afterwards where there is one.

    Args:
        problem: to minimize.
        seconds: of wall time; what is found until then counts.
        solver: ``highs`` needs the package highspy.
        threads: of the solver.

    Raises:
        MissingTool: the solver is not installed.
        SearchError: it crashed, was killed by somebody else, or contradicts itself.
    """
    if seconds <= 0:
        return Solved("unknown", float("inf"), float("-inf"))
    return _highs(problem, seconds, threads) if solver == "highs" else _cbc(problem, seconds, threads)


def _cbc(problem: LpProblem, seconds: float, threads: int) -> Solved:
    from pulp import constants
    from pulp.apis.coin_api import COIN_CMD

    program = cbc_path()
    with tempfile.TemporaryDirectory(prefix="hao-search-") as folder:
        model, answer = Path(folder) / "model.mps", Path(folder) / "answer.sol"
        variables, names, rows, _ = problem.writeMPS(str(model), rename=1)
        command = [
            str(program), str(model), "-sec", f"{seconds:.2f}", "-timeMode", "elapsed", "-ratio", "0", "-allow", "0",
            "-threads", str(threads), "-solve", "-printingOptions", "all", "-solution", str(answer),
        ]  # fmt: skip
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _GRACE, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return Solved("unknown", float("inf"), float("-inf"))
        except OSError as error:
            raise SearchError(f"the solver {program} cannot be run: {error}", "see: hao doctor") from error
        if run.returncode != 0 or not answer.exists():
            tail = (run.stdout + run.stderr).strip().splitlines()[-1:] or ["it said nothing"]
            raise SearchError(f"the solver ended with status {run.returncode}: {tail[0]}", "run the same command again; nothing is lost")
        reader = COIN_CMD(path=str(program), msg=False)
        status, values, *_, solution = reader.readsol_MPS(str(answer), problem, variables, names, rows)
    # CBC says "Integer infeasible" where branching proved it; PuLP reads that as infeasible without a solution
    if status == constants.LpStatusInfeasible and solution in (constants.LpSolutionInfeasible, constants.LpSolutionNoSolutionFound):
        return Solved("infeasible", float("inf"), float("inf"))
    if solution not in (constants.LpSolutionOptimal, constants.LpSolutionIntegerFeasible):
        return Solved("unknown", float("inf"), _bound(run.stdout))
    problem.assignVarsVals(values)
    objective = float(problem.objective.value())
    proven = status == constants.LpStatusOptimal and solution == constants.LpSolutionOptimal
    return Solved("optimal" if proven else "feasible", objective, objective if proven else min(_bound(run.stdout), objective))


def _bound(log: str) -> float:
    found = re.findall(r"^Lower bound:\s+(\S+)", log, re.MULTILINE)
    return float(found[-1]) if found else float("-inf")


def _highs(problem: LpProblem, seconds: float, threads: int) -> Solved:
    import pulp

    try:
        import highspy
    except ImportError as error:
        raise MissingTool("HiGHS is not installed", "pip install highspy, or use --solver cbc") from error
    solver = pulp.HiGHS(msg=False, timeLimit=seconds, threads=threads, gapRel=0.0, gapAbs=0.0)
    problem.solve(solver)
    engine = problem.solverModel
    state, kinds = engine.getModelStatus(), highspy.HighsModelStatus
    if state == kinds.kInfeasible:
        return Solved("infeasible", float("inf"), float("inf"))
    info = engine.getInfo()
    bound = float(info.mip_dual_bound)
    if problem.sol_status == pulp.LpSolutionOptimal and state == kinds.kOptimal:
        return Solved("optimal", float(problem.objective.value()), float(problem.objective.value()))
    if state == kinds.kTimeLimit and info.primal_solution_status == 2:
        return Solved("feasible", float(info.objective_function_value), bound)
    return Solved("unknown", float("inf"), bound)
