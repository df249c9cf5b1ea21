"""Names become words of Tcl without substitution, and projects reach the disk whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hao.codegen.tcl import word
from hao.codegen.tcl_project import MANIFEST, ProjectPlan, write_project
from hao.errors import UsageError
from tests.codegen.tcl_interpreter import backends, run_script

PLAN = ProjectPlan("vivado", {"build.tcl": "exit\n", "rtl/a.sv": "module a; endmodule\n"}, {"board": "mine"})
NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12), min_size=1, max_size=20)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES)
@example(["", "a b", "[exit]", "$x", "a;b", "{", "}", "a\\", "\\", '"', "#x", "}{", "{a}", "a]b", "-x", "é ü", "{\\}"])
def test_words_come_back_from_tcl_as_they_went_in(tmp_path: Path, names: list[str]) -> None:
    seen: list[list[str]] = []
    script = tmp_path / "words.tcl"
    script.write_text("".join(f"returned {word(name)}\n" for name in names), encoding="utf-8")

    def answer(command: list[str]) -> tuple[bool, str]:
        seen.append(command)
        return False, ""

    run_script(backends()[-1], script, answer, "encoding system utf-8")
    assert seen == [["returned", name] for name in names]


@pytest.mark.parametrize("text", ["a\nb", "a\x00", "\r", "\x7f"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="control character"):
        word(text)


def test_a_project_is_written_once_and_left_alone_with_what_was_built(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "p"
    assert write_project(PLAN, out)
    (out / "output").mkdir()
    (out / "output" / "hao.bit").write_text("bits")
    assert not write_project(PLAN, out)
    assert (out / "output" / "hao.bit").exists()
    assert (out / "rtl" / "a.sv").read_text() == PLAN.files["rtl/a.sv"]
    assert PLAN.digest() in (out / MANIFEST).read_text()
    assert [path.name for path in out.parent.iterdir()] == ["p"]


def test_another_project_is_replaced_by_force_alone(tmp_path: Path) -> None:
    other = ProjectPlan("vivado", {"build.tcl": "exit 1\n"})
    write_project(PLAN, tmp_path / "p")
    with pytest.raises(UsageError, match="another project"):
        write_project(other, tmp_path / "p")
    assert (tmp_path / "p" / "rtl" / "a.sv").exists()
    assert write_project(other, tmp_path / "p", force=True)
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"build.tcl", MANIFEST}
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_changed_files_are_not_taken_for_the_project(tmp_path: Path) -> None:
    write_project(PLAN, tmp_path / "p")
    (tmp_path / "p" / "build.tcl").write_text("changed")
    with pytest.raises(UsageError, match="changed files"):
        write_project(PLAN, tmp_path / "p")


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_the_users_own_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="no project of hao"):
        write_project(PLAN, tmp_path, force)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_and_paths_that_lead_out_are_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_project(PLAN, tmp_path / "f")
    with pytest.raises(UsageError, match="cannot be written"):
        write_project(PLAN, tmp_path / "f" / "p")
    with pytest.raises(UsageError, match="leads out"):
        write_project(ProjectPlan("vivado", {"../x": ""}), tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_the_digest_covers_target_settings_paths_and_contents() -> None:
    others = [
        ProjectPlan("rtl-ip", PLAN.files, PLAN.settings),
        ProjectPlan("vivado", PLAN.files, {"board": "yours"}),
        ProjectPlan("vivado", {**PLAN.files, "build.tcl": "exit \n"}, PLAN.settings),
        ProjectPlan("vivado", {"build.tcl": "exit\n", "rtl/b.sv": PLAN.files["rtl/a.sv"]}, PLAN.settings),
    ]
    assert len({plan.digest() for plan in (PLAN, *others)}) == 5
    assert ProjectPlan("vivado", dict(reversed(PLAN.files.items())), PLAN.settings).digest() == PLAN.digest()
