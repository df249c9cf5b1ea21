"""Survivors that are no faults: the changed program computes the same, for a reason that is written down here or, of the RTL, proven."""

from __future__ import annotations

from pathlib import Path

from hao.formal.equality import proven_equal_everywhere
from hao.mutation.mutant import Mutant

# file, the changed line as it becomes (stripped), and why
_REASONS: tuple[tuple[str, str, str], ...] = (
    ("hao/ir/reference.py", "reshape(-2)", "numpy takes every negative size for the one that is left over"),
    ("hao/ir/reference.py", ", -2)", "numpy takes every negative size for the one that is left over"),
    ("hao/ir/reference.py", "max(initial=1)", "only decides between two exact types, and an image of zeros has sums of zero in both"),
    ("hao/ir/reference.py", "np.zeros((channels, 2)", "a second column of zeros is never addressed"),
    ("accel/rtl/hao_burst.sv", "beats_q  <= '1;", "loaded with every request before active_q lets it be read"),
    ("accel/rtl/hao_window_writer.sv", "slot_q      <= '1;", "loaded by start_i before it is read"),
    ("hao/compiler/emit.py", "self.step = 1", "every step sets it before its first draft"),
    ("hao/compiler/emit_ops.py", "outputs = self._rows[1] + self._rows[0]", "a chunk of more rows than there are is all of them"),
    ("hao/compiler/lower_image.py", "False, 1, 255), row_bytes", "the accumulator's bound widens the range of every input to hold 0"),
    (
        "hao/compiler/segments.py",
        "lowered.image[2] * lowered.image[3]",
        "size of INPUT in an estimate: nothing writes there, so nothing waits",
    ),
)


def changed_line(mutant: Mutant, text: str) -> str:
    """The line of the fault, as the fault makes it."""
    return mutant.apply(text).splitlines()[mutant.line - 1].strip()


def reason_of(mutant: Mutant, text: str) -> str:
    """Why the fault changes nothing; empty where it is a fault."""
    line = changed_line(mutant, text)
    return next((why for file, part, why in _REASONS if file == mutant.file and part in line), "")


def proven_reason(mutant: Mutant, text: str) -> str:
    """Of a fault of the RTL: the modules that are proven to be the same with it for all inputs; empty where that was not proven."""
    where = proven_equal_everywhere(Path(mutant.file).stem, mutant.apply(text))
    return f"proven equal: {where}" if where else ""
