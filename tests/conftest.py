"""Shared by all tests: builds are cached beside the tree, so that a second run builds nothing."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("HAO_CACHE", str(Path(__file__).resolve().parent.parent / "build" / "cache"))
