"""A real Tcl interpreter, inside Python or as ``tclsh``, that asks Python about every command that is not Tcl's own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Answer = Callable[[list[str]], tuple[bool, str]]
"""Takes a command with its arguments; returns whether it failed, and its result or message."""

MENDING = "no Tcl interpreter: install one with `apt-get install tcl` (or python3-tk)"
_NEWER = ("try", "throw", "lmap", "tailcall", "coroutine", "yield", "yieldto", "zlib")
"""Commands of Tcl 8.6: Vivado's interpreter was 8.5 for most of the versions that the scripts are for."""
_REMOVED = ("exec", "exit", "open", "socket", "load", "puts", *_NEWER)
_TK = "proc unknown args { lassign [__ask {*}$args] code text; return -code $code $text }"
_TCLSH = """
fconfigure stdout -encoding ascii -buffering line
rename puts __puts
proc unknown args {
  set words {}
  foreach word $args { lappend words x[binary encode hex [encoding convertto utf-8 $word]] }
  __puts [join $words]
  lassign [gets stdin] code text
  return -code $code [encoding convertfrom utf-8 [binary decode hex [string range $text 1 end]]]
}
"""


class TclFailed(AssertionError):
    """The script ended with a Tcl error; its message."""


def backends() -> list[str]:
    """What this machine has, at least one: a machine without any fails the tests, with the line that mends it."""
    found = ["tclsh"] if shutil.which("tclsh") else []
    try:
        import tkinter

        tkinter.Tcl()
        found.append("tkinter")
    except ImportError:
        pass
    return found or ["none"]


def run_script(backend: str, script: Path, answer: Answer, prelude: str = "") -> None:
    """Source ``script`` after ``prelude``.

    Raises:
        TclFailed: the script ended with an error, or there is no interpreter.
    """
    if backend == "none":
        raise TclFailed(MENDING)
    (_run_tkinter if backend == "tkinter" else _run_tclsh)(script, answer, prelude)


def _braced(path: Path) -> str:
    assert not set("{}\\") & set(str(path))
    return f"{{{path}}}"


def _run_tkinter(script: Path, answer: Answer, prelude: str) -> None:
    import tkinter

    interpreter = tkinter.Tcl()

    def ask(*words: str) -> tuple[str, str]:
        failed, text = answer([str(word) for word in words])
        return ("error" if failed else "ok", text)

    interpreter.createcommand("__ask", ask)
    interpreter.eval(_TK)
    for name in _REMOVED:
        interpreter.eval(f"catch {{rename {name} {{}}}}")
    try:
        interpreter.eval(prelude)
        interpreter.eval(f"source {_braced(script)}")
    except tkinter.TclError as error:
        raise TclFailed(str(error)) from error


def _run_tclsh(script: Path, answer: Answer, prelude: str) -> None:
    removed = "\n".join(f"catch {{rename {name} {{}}}}" for name in _REMOVED if name not in ("puts", "exit"))
    body = f"{prelude}\nsource {_braced(script)}"
    driver = f"{_TCLSH}\n{removed}\nrename exit __exit\nif {{[catch {{{body}}} message]}} {{unknown __failed $message}}\n__exit 0\n"
    start = script.parent / ".driver.tcl"
    start.write_text(driver, encoding="utf-8")
    with subprocess.Popen(["tclsh", str(start)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        message = ""
        for line in process.stdout:
            words = [bytes.fromhex(word[1:]).decode() for word in line.split()]
            failed, text = (False, "") if words[0] == "__failed" else answer(words)
            if words[0] == "__failed":
                message = words[1]
            process.stdin.write(f"{'error' if failed else 'ok'} x{text.encode().hex()}\n")
            process.stdin.flush()
    start.unlink()
    if message or process.returncode:
        raise TclFailed(message or f"tclsh ended with status {process.returncode}")
