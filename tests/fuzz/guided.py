"""Coverage-guided fuzzing of one loader, in a process of its own: ``python -m tests.fuzz.guided LOADER FOLDER -runs=N -seed=S``.

Atheris (libFuzzer inside Python) instruments our modules and keeps every input that reaches new code. The first byte of an input
decides what it is: the file itself, or the text inside a container whose digest is then made right, so that the search gets behind it.
A loader may refuse with an error of ours; anything else, and anything accepted that is not sound, ends the process with a traceback.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hao"]):
    from hao.errors import HaoError
    from tests.fuzz.loaders import LOADERS, SEALED


def main(name: str, folder: Path, arguments: list[str]) -> None:
    """Fuzz the loader ``name`` in ``folder``; never returns."""
    with atheris.instrument_imports(include=["hao"]):
        loader = LOADERS[name]()
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(loader.seeds):
        (corpus / f"seed{index}").write_bytes(seed)
    for file, data in loader.beside:
        (folder / file).write_bytes(data)
    path = folder / loader.file
    accepted = 0

    def one(data: bytes) -> None:
        nonlocal accepted
        if not data:
            return
        path.write_bytes(loader.seal(data[1:]) if data[:1] == SEALED else data[1:])
        try:
            loader.load(path)
            accepted += 1
        except HaoError:
            return

    warnings.simplefilter("ignore")
    for seed in loader.seeds:
        one(seed)
    assert accepted == len(loader.seeds), "a sound file was refused: nothing behind the first check would be reached"
    atheris.Setup([sys.argv[0], *arguments, f"-artifact_prefix={folder}/", "-max_len=200000", "-timeout=60", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
