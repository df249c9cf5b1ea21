"""Survivors that are no faults: the changed program computes the same, for a reason that is written down here or, of the RTL, proven."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hao.formal.equality import proven_equal_everywhere
from hao.mutation.mutant import Mutant

# file, a part of the changed line as it becomes, perhaps with the line above it (both stripped), which only one fault leaves; and why
_REASONS: tuple[tuple[str, str, str], ...] = (
    ("hao/ir/reference.py", "reshape(out, -2).sum", "numpy takes every negative size for the one that is left over"),
    ("hao/ir/reference.py", "reshape(len(x), -2)", "numpy takes every negative size for the one that is left over"),
    ("hao/ir/reference.py", "x.reshape(channels, -2)", "numpy takes every negative size for the one that is left over"),
    ("hao/ir/reference.py", "max(initial=1)", "only decides between two exact types, and an image of zeros has sums of zero in both"),
    ("hao/ir/reference.py", "np.zeros((channels, 2)", "a second column of zeros is never addressed"),
    ("accel/rtl/hao_burst.sv", "beats_q  <= '1;", "loaded with every request before active_q lets it be read"),
    ("accel/rtl/hao_window_writer.sv", "slot_q      <= '1;", "loaded by start_i before it is read"),
    ("hao/compiler/emit.py", "self.step = 1", "every step sets it before its first draft"),
    ("hao/compiler/emit_ops.py", "outputs = self._rows[1] + self._rows[0]", "a chunk of more rows than there are is all of them"),
    ("hao/compiler/lower.py", "stride = 2 if whole", "maps of at most 15 rows always fit the window; of larger ones the kernel is refused"),
    (
        "hao/compiler/lower_image.py",
        "False, 1, 255), row_bytes",
        "no operation reads the image itself: all are given the value gathered of it",
    ),
    (
        "hao/compiler/lower_image.py",
        "False, 0, 256), row_bytes",
        "no operation reads the image itself: all are given the value gathered of it",
    ),
    ("hao/compiler/lower.py", "taps.reshape(-2, TAPS)", "numpy takes every negative size for the one that is left over"),
    ("hao/compiler/lower_image.py", "kernel = int(weight.shape[3])", "kernels are square: the graph's check sees to it"),
    (
        "hao/compiler/assemble.py",
        "isinstance(buffer, Buffer) else 1",
        "padding is narrower than the kernel: every output row reads a row of each plane",
    ),
    ("hao/compiler/assemble.py", "max(2, sizes[target] // 4)", "no engine has a ring of fewer than eight words"),
    ("hao/compiler/emit_ops.py", "(rows[0] // 3, (rows[1] + 1) // 2)", "only says that some row is read, which is so either way"),
    ("hao/compiler/ops.py", "return (0, 1)", "an image operation reads no channels, so nobody asks for its rows"),
    ("hao/compiler/plan.py", "span = (value.height, 1)", "as empty as before: no map has no rows"),
    ("hao/compiler/rolling.py", "for part in (4, 2, 1, 1):", "what does not fit with a quarter of the room to spare gets none either way"),
    ("hao/compiler/allocate.py", "tail = [] if stop > self._size or", "a run that begins behind the last address is never looked at"),
    ("hao/compiler/allocate.py", "if at <= self._size:", "a gap of no words takes no buffer and adds none to those that are free"),
    ("hao/compiler/allocate.py", "(start + buffer.row0 * buffer.width) % 2", "a sum is odd where the difference is"),
    ("hao/compiler/emit.py", "progress.get((self.step, number), 1), last)", "a block that wrote has written one row at least"),
    ("hao/compiler/layout.py", "if len(run) >= whole:", "a rest of no channels finds a place in any plane and takes none of it"),
    ("hao/compiler/layout.py", "layout.put((op.output, 0), layout.new_plane(op.output), 1)", "the displacement map has no lanes"),
    ("hao/compiler/lower.py", "first + kernel <= 4:", "with the first lines that are tried the sum is 3 at most"),
    ("hao/compiler/lower.py", "reshape(node.groups, -2)", "numpy takes every negative size for the one that is left over"),
    ("hao/compiler/lower.py", ".T.reshape(-2)", "numpy takes every negative size for the one that is left over"),
    ("hao/compiler/lower.py", "kernel = int(node.weight.shape[3])", "kernels are square: the graph's check sees to it"),
    ("hao/compiler/lower.py", "scaling, stride, 0, 3)", "weights of two and of three bits are stored in four"),
    ("hao/compiler/lower.py", "first - kernel <= 3:", "with the first lines that are tried the sum is 3 at most"),
    ("hao/compiler/lower_image.py", "node.stride <= 5 and", "strides above 4 are refused before"),
    ("hao/compiler/emit_ops.py", "(rows[1] + 2) // 2) if op.up", "only says that some row is read, which is so either way"),
    ("hao/compiler/emit_ops.py", "(rows[1] + 1) * 2) if op.up", "only says that some row is read, which is so either way"),
    ("hao/compiler/plan.py", "(plane.height, 1)), need)", "as empty as before: no map has no rows"),
    ("hao/compiler/plan.py", "return (1, 0)", "a range that ends before it starts is as empty"),
    ("hao/compiler/lower_image.py", "channels < _PLANES * LANES", "nine pixels of three channels at most, 27"),
    ("hao/compiler/lower.py", "if kernel == 4 else (1, 0)", "three lines do not fit behind the second, so that the first is next"),
    ("hao/compiler/allocate.py", "if buffer.address >= at:", "a gap of no words takes no buffer and adds none to those that are free"),
    (
        "hao/compiler/emit.py",
        "ranges.get(plane, (plane.height, 1))",
        "who writes rows writes one at least; who writes none asks for no buffer",
    ),
    ("hao/compiler/allocate.py", "(gap[1] - gap[0], gap[1])", "of gaps of one size the first to begin is the first to end"),
    ("hao/compiler/allocate.py", "[0], [-2]", "older than every draft either way"),
    ("hao/compiler/emit.py", "self._segment = Segment(0, 1)", "every segment takes its place before its first step"),
    ("hao/compiler/content.py", "len(columns), -2)", "numpy takes every negative size for the one that is left over"),
    ("hao/compiler/rolling.py", "made.get(plane, (plane.height, 1))", "as empty as before: no map has no rows"),
    ("hao/compiler/rolling.py", "if last >= first:", "a step that computes no rows ends with those that are kept, or with none"),
    ("hao/compiler/emit.py", "self._segment = Segment(1, 0)", "every segment takes its place before its first step"),
    ("hao/compiler/allocate.py", "if edge < last)", "the last place is among the candidates already"),
    ("hao/compiler/lower.py", "if kernel > 4 or stride > 2:", "four lines do not fit behind any first one"),
    ("hao/compiler/segments.py", "self.cycles = 1", "not looked at before the first plan sets it"),
    ("hao/compiler/emit_ops.py", ")\nreturn last + first, outputs", "only sums of whole maps come here, and they begin at row 0"),
    ("hao/compiler/lower.py", 'copy = Value(f"{name}.map", 2,', "of a displacement map the first channel is all that is placed"),
    ("hao/compiler/lower.py", "weight = np.ones((2, 1, 1, 1)", "the block of a displacement map takes the weights of its first channel"),
    ("hao/compiler/lower.py", "identity_scaling(2, low, high)", "the block of a displacement map takes the scaling of its first channel"),
    ("hao/compiler/lower_image.py", "reshape(len(weight), -2, 1, 1)", "numpy takes every negative size for the one that is left over"),
    ("hao/compiler/ops.py", "return (1, 0)", "a range that ends before it starts is as empty"),
    ("hao/compiler/ops.py", "return int(self.weight.shape[3])", "kernels are square: the graph's check sees to it"),
    ("hao/compiler/ops.py", "for k in range(4) if self.tap_mask", "the mask has nine bits: its fourth line is empty"),
    ("hao/compiler/ops.py", "self.tap_mask >> 4 * k & 7", "the masks that a lowering makes have the same lines either way"),
    ("hao/compiler/rolling.py", "max(done.get(value, 1), last)", "a step that computed rows has computed one at least"),
    (
        "hao/compiler/segments.py",
        "lowered.image[2] * lowered.image[3]",
        "size of INPUT in an estimate: nothing writes there, so nothing waits",
    ),
)


def reasons() -> tuple[tuple[str, str, str], ...]:
    """File, part of the changed text and reason of every fault that is written down as none."""
    return _REASONS


def _seen(mutant: Mutant, text: str) -> str:
    above = text.splitlines()[mutant.line - 2].strip() if mutant.line > 1 else ""
    return f"{above}\n{changed_line(mutant, text)}"


def changed_line(mutant: Mutant, text: str) -> str:
    """The line of the fault, as the fault makes it."""
    return mutant.apply(text).splitlines()[mutant.line - 1].strip()


def reason_of(mutant: Mutant, text: str) -> str:
    """Why the fault changes nothing; empty where it is a fault."""
    seen = _seen(mutant, text)
    return next((why for file, part, why in _REASONS if file == mutant.file and part in seen), "")


def excused(part: str, mutants: Iterable[Mutant], text: str) -> list[Mutant]:
    """Those of ``mutants`` of one file that ``part`` of a reason speaks of."""
    return [mutant for mutant in mutants if part in _seen(mutant, text)]


def proven_reason(mutant: Mutant, text: str) -> str:
    """Of a fault of the RTL: the modules that are proven to be the same with it for all inputs; empty where that was not proven."""
    where = proven_equal_everywhere(Path(mutant.file).stem, mutant.apply(text))
    return f"proven equal: {where}" if where else ""
