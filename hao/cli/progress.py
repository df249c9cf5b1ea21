"""Progress of the engines on the terminal: one line each, with the time that is left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_USUAL_LANE_USE = 0.6


class EngineProgress:
    """A line an engine; the end of a simulation is guessed from the network's multiply-accumulates.

    Args:
        console: where to.
        macs: multiply-accumulates of the frame.
        macs_per_cycle: of the dense core.
    """

    def __init__(self, console: Console, macs: int, macs_per_cycle: int) -> None:
        columns = (TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._expected = max(1, int(macs / (macs_per_cycle * _USUAL_LANE_USE)))

    def __enter__(self) -> EngineProgress:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None) -> None:
        self._progress.stop()

    def listen(self, engine: str, stage: str, cycles: int) -> None:
        """See ``hao.runtime.session.Listener``."""
        if engine not in self._tasks:
            self._tasks[engine] = self._progress.add_task(engine, total=None)
        task = self._tasks[engine]
        if stage == "build":
            self._progress.update(task, description=f"{engine}: building")
        elif stage == "done":
            self._progress.update(task, description=f"{engine}: done", total=1, completed=1)
        elif cycles:
            total = max(self._expected, int(cycles * 1.02))
            self._progress.update(task, description=f"{engine}: {cycles:,} cycles", total=total, completed=cycles)
        else:
            self._progress.update(task, description=f"{engine}: running")
