"""The build cache: built once, whole or not at all, keyed by everything that went in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hao.errors import BuildError, MissingTool
from hao.runtime.cache import BuildPlan, build_once


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAO_CACHE", str(tmp_path / "cache"))


class Counter:
    """A build that copies its input and counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "result" / "out").write_bytes((folder / "a" / "in").read_bytes())


def test_the_same_plan_is_built_once() -> None:
    build = Counter()
    plan = BuildPlan("t", {"a/in": b"1"}, {"x": 1})
    first = build_once(plan, build)
    assert (first / "out").read_bytes() == b"1"
    assert build_once(BuildPlan("t", {"a/in": b"1"}, {"x": 1}), build) == first
    assert build.runs == 1


@pytest.mark.parametrize("other", [BuildPlan("t", {"a/in": b"2"}, {"x": 1}), BuildPlan("t", {"a/in": b"1"}, {"x": 2}),
                                   BuildPlan("t", {"a/in": b"1", "b": b""}, {"x": 1})])  # fmt: skip
def test_any_difference_builds_anew(other: BuildPlan) -> None:
    build = Counter()
    assert build_once(BuildPlan("t", {"a/in": b"1"}, {"x": 1}), build) != build_once(other, build)
    assert build.runs == 2


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "result" / "half").write_text("half")
        raise BuildError("no")

    plan = BuildPlan("t", {"a/in": b"1"})
    with pytest.raises(BuildError):
        build_once(plan, fail)
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []
    assert (build_once(plan, Counter()) / "out").exists()


def test_two_at_once_build_once() -> None:
    build = Counter()
    plan = BuildPlan("t", {"a/in": b"1"})
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: build_once(plan, build), range(4)))
    assert len(found) == 1
    assert build.runs == 1


def test_a_cache_folder_with_a_blank_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAO_CACHE", str(tmp_path / "a b"))
    with pytest.raises(MissingTool, match="has a blank"):
        build_once(BuildPlan("t", {}), Counter())
