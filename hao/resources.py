"""Where the files live that are not Python: templates, RTL, boards, simulation models; and where builds are cached.

The same call works in a source tree and in an installed wheel, from any working directory.
"""

from __future__ import annotations

import os
from pathlib import Path

from hao.errors import MissingTool

_PACKAGE = Path(__file__).resolve().parent
SHARED_FOLDERS = ("accel", "boards", "hls_templates", "sim")


def shared(name: str) -> Path:
    """The folder ``name`` (one of ``SHARED_FOLDERS``), from the wheel when installed, from the source tree otherwise.

    Raises:
        MissingTool: the installation does not carry the folder.
    """
    for candidate in (_PACKAGE / "_share" / name, _PACKAGE.parent / name):
        if name in SHARED_FOLDERS and candidate.is_dir():
            return candidate
    raise MissingTool(f"this installation of hao carries no folder {name!r}", "reinstall it: pip install --force-reinstall hao")


def cache_folder() -> Path:
    """The folder of cached builds: ``$HAO_CACHE``, else ``$XDG_CACHE_HOME/hao``, else ``~/.cache/hao``; created when absent.

    Raises:
        MissingTool: the path has a blank in it, which make cannot handle, or cannot be created.
    """
    named = os.environ.get("HAO_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = (Path(named) if named else Path(home) / "hao").expanduser().absolute()
    if any(character.isspace() for character in str(folder)):
        raise MissingTool(f"the cache folder {str(folder)!r} has a blank in its name", "set HAO_CACHE to a folder without one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingTool(f"the cache folder {folder} cannot be created: {error.strerror}", "set HAO_CACHE to a writable folder") from error
    return folder
