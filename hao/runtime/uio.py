"""The engine's interrupt through Linux's userspace I/O: a file that becomes readable when the line rises."""

from __future__ import annotations

import os
import select
from pathlib import Path

from hao.codegen.vivado import INTERRUPT
from hao.errors import BoardError

_ONE = (1).to_bytes(4, "little")


def find_uio(number: int = INTERRUPT, root: Path = Path("/")) -> Path | None:
    """The device file whose interrupt has hardware number ``number``; None where no driver has taken it.

    Args:
        number: of the interrupt controller.
        root: where ``proc``, ``sys`` and ``dev`` are.
    """
    try:
        lines = (root / "proc/interrupts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    # columns: virtual number, counts by processor, controller, hardware number, trigger, names
    rows = [line.split() for line in lines]
    names = {row[-1] for row in rows if len(row) >= 6 and row[-3] == str(number)}
    for entry in sorted((root / "sys/class/uio").glob("uio*")):
        try:
            if (entry / "name").read_text(encoding="utf-8").strip() in names:
                return root / "dev" / entry.name
        except OSError:
            continue
    return None


class UioInterrupt:
    """One interrupt line behind ``/dev/uioN``; the kernel masks it each time, ``arm`` unmasks it.

    Raises:
        BoardError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            raise BoardError(f"the interrupt {path} cannot be opened: {error.strerror}", "run as root, or poll: wait='poll'") from error

    def arm(self) -> None:
        """Unmask the line."""
        os.write(self._file, _ONE)

    def wait(self, seconds: float) -> bool:
        """Unmask the line and wait until it rises; False after ``seconds``."""
        self.arm()
        ready, _, _ = select.select([self._file], [], [], max(seconds, 0.0))
        if not ready:
            return False
        os.read(self._file, 4)
        return True

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
