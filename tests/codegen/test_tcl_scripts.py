"""Generated Tcl is run by a real interpreter against the recorded vocabulary, and the block design it draws is judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hao.boards import board_names, load_board
from hao.codegen.rtl_ip import IP_TOP, LITE_PORTS, MEMORY_PORTS, WRAPPER, plan_rtl_ip
from hao.codegen.tcl_project import ProjectPlan, write_project
from hao.codegen.vitis_hls import UNIFIED, plan_vitis_hls
from hao.codegen.vivado import plan_vivado
from hao.engine.config import CI_CONFIGS, EngineConfig
from hao.errors import BoardError
from hao.resources import shared
from tests.codegen.tcl_design import VOCABULARY, DesignFault, read_interfaces
from tests.codegen.tcl_interpreter import TclFailed, backends, run_script
from tests.codegen.tcl_tool import Tool, config_faults

CONFIG = EngineConfig()
KNOWN = {name: load_board(name, only_supported=False) for name in board_names()}
SUPPORTED = tuple(name for name, board in KNOWN.items() if not board.unsupported and not board.synthetic)
SYNTHETIC = tuple(name for name, board in KNOWN.items() if board.synthetic)
BACKEND = backends()[0]
BUILT = {"hao.bit", "hao.hwh", "synthesized.dcp", "placed.dcp", "routed.dcp"}
EVERY_BACKEND = pytest.mark.parametrize("backend", backends())


def run(plan: ProjectPlan, folder: Path, script: str, backend: str = BACKEND, **tool: object) -> Tool:
    """Write the project and run one of its scripts."""
    write_project(plan, folder)
    made = Tool(folder, **tool)  # type: ignore[arg-type]
    try:
        run_script(backend, folder / script, made.answer)
    except TclFailed as failure:
        raise TclFailed("; ".join([*made.faults, str(failure)])) from failure
    return made


@EVERY_BACKEND
@pytest.mark.parametrize("board", SUPPORTED)
def test_the_build_script_leaves_bitstream_and_handoff(tmp_path: Path, board: str, backend: str) -> None:
    parts = (f"{load_board(board).board_part}:1.9", f"{load_board(board).board_part}:1.10")
    tool = run(plan_vivado(CONFIG, load_board(board)), tmp_path / "p", "build.tcl", backend, board_parts=parts)
    assert tool.faults == []
    assert {path.name for path in (tmp_path / "p" / "output").iterdir()} == BUILT
    assert tool.properties["project:current", "board_part"].endswith(":1.10")
    order = ["synth_design", "opt_design", "place_design", "route_design", "report_timing_summary", "write_bitstream", "write_hw_platform"]
    assert list(dict.fromkeys(call.name for call in tool.calls if call.name in order)) == order
    assert tool.design is not None
    assert len(tool.design.links) == 4
    high = [segment for _, segment, *_ in tool.design.addresses if segment.endswith("DDR_HIGH")]
    assert len(high) == (load_board(board).dram.size_bytes > 1 << 31)


def test_nothing_is_built_for_devices_that_do_not_exist() -> None:
    assert len(SUPPORTED) == 6 and len(SYNTHETIC) == 6
    for name in SYNTHETIC:
        with pytest.raises(BoardError, match="synthetic"):
            plan_vivado(CONFIG, KNOWN[name])


def test_without_board_files_the_build_goes_on_and_says_so(tmp_path: Path) -> None:
    tool = run(plan_vivado(CONFIG, load_board("kv260")), tmp_path / "p", "build.tcl")
    assert tool.faults == []
    assert any("no board files" in call.words[0] for call in tool.said("puts"))


def test_timing_that_fails_ends_the_build_before_the_bitstream(tmp_path: Path) -> None:
    with pytest.raises(TclFailed, match=r"setup misses by 0\.2 ns at 250 MHz"):
        run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", "build.tcl", slack=-0.2)
    assert not (tmp_path / "p" / "output" / "hao.bit").exists()


def test_pulse_widths_that_fail_end_the_build_before_the_bitstream(tmp_path: Path) -> None:
    with pytest.raises(TclFailed, match="pulse width misses at 250 MHz"):
        run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", "build.tcl", pulses_fit=False)
    assert not (tmp_path / "p" / "output" / "hao.bit").exists()


def test_a_missing_hardware_platform_does_not_cost_the_bitstream(tmp_path: Path) -> None:
    tool = run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", "build.tcl", broken={"write_hw_platform": "no license"})
    assert any("no hao.xsa" in call.words[0] and "no license" in call.words[0] for call in tool.said("puts"))
    assert (tmp_path / "p" / "output" / "hao.bit").exists()


def test_a_failing_step_ends_the_build_with_the_tools_message(tmp_path: Path) -> None:
    with pytest.raises(TclFailed, match="no valid license"):
        run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", "build.tcl", broken={"place_design": "no valid license"})


def test_a_build_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    """Broken in every long step in turn: what was done is not done again, and the result is the same."""
    plan, built = plan_vivado(CONFIG, load_board("ultra96v2")), []
    for step in ("ipx::save_core", "synth_design", "place_design", "route_design", "write_bitstream", ""):
        write_project(plan, tmp_path / "p")
        tool = Tool(tmp_path / "p", broken={step: "power cut"} if step else {})
        try:
            run_script(BACKEND, tmp_path / "p" / "build.tcl", tool.answer)
        except TclFailed as failure:
            assert step and "power cut" in str(failure)
        assert tool.faults == []
        steps = ("ipx::package_project", "synth_design", "open_checkpoint", "place_design", "route_design", "write_bitstream")
        built.append([call.name for call in tool.calls if call.name in steps])
    package, synth, resume, place, route, write = steps
    assert built == [
        [package], [package, synth], [package, synth, place], [resume, place, route], [resume, route, write], [resume, write],
    ]  # fmt: skip
    assert {path.name for path in (tmp_path / "p" / "output").iterdir()} == BUILT


@EVERY_BACKEND
@pytest.mark.parametrize("name", CI_CONFIGS)
def test_the_ip_core_is_packaged_with_its_interfaces(tmp_path: Path, name: str, backend: str) -> None:
    tool = run(plan_rtl_ip(CI_CONFIGS[name], load_board("ultra96v2")), tmp_path / "p", "package_ip.tcl", backend)
    assert tool.faults == []
    assert set(tool.packaged) == {"aclk", "aresetn", "irq", "s_axil", "m_axi"}
    assert tool.packaged["aresetn"].parameters["POLARITY"] == "ACTIVE_LOW"
    assert tool.packaged["irq"].parameters["SENSITIVITY"] == "LEVEL_HIGH"
    assert "FREQ_HZ" not in tool.packaged["aclk"].parameters
    assert len(tool.sources) == len(list((tmp_path / "p" / "rtl").iterdir())) + 1
    assert 0 < int(tool.properties["core:current", "core_revision"]) < 1 << 31


@EVERY_BACKEND
def test_the_hls_script_runs(tmp_path: Path, backend: str) -> None:
    tool = run(plan_vitis_hls(CONFIG, load_board("zcu104")), tmp_path / "p", "hao_project.tcl", backend, dialect="hls")
    assert tool.faults == []
    assert tool.said("set_part")[0].words == ["xczu7ev-ffvc1156-2-e"]
    names = [call.name for call in tool.calls]
    assert names[-2:] == ["export_design", "exit"]
    text = (tmp_path / "p" / UNIFIED).read_text()
    assert config_faults(text) == []
    unified = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert (unified["part"], unified["clock"], unified["syn.top"]) == ("xczu7ev-ffvc1156-2-e", "4ns", "hao_kernel")
    assert (tmp_path / "p" / unified["syn.file"]).is_file()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("syn.top=", "syn.topp=", "unknown key syn.topp"),
        ("clock=4ns", "clock=fast", "'fast' is no value of clock"),
        ("[hls]\n", "", "does not belong to section []"),
        ("flow_target=vivado", "flow_target=vivado\nflow_target=vitis", "flow_target is given twice"),
        ("syn.rtl.reset_level=low", "syn.rtl.reset_level low", "unknown key syn.rtl.reset_level low"),
    ],
)
def test_a_seeded_fault_in_the_unified_configuration_is_found(old: str, new: str, words: str) -> None:
    text = plan_vitis_hls(CONFIG, load_board("ultra96v2")).files[UNIFIED]
    assert old in text
    assert any(words in fault for fault in config_faults(text.replace(old, new)))


def test_constraints_are_tcl_of_the_same_vocabulary(tmp_path: Path) -> None:
    for name in ("hao_engine_ip_ooc.xdc", "implementation.xdc"):
        tool = run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", name)
        assert tool.faults == []
        assert len(tool.calls) >= 2


def test_the_wrapper_has_every_port_of_the_engine_with_its_width_and_direction() -> None:
    text = (shared("accel") / "rtl" / "hao_engine.sv").read_text(encoding="utf-8")
    found = re.findall(r"^  (input|output)\s+logic\s*(?:\[(\d+):0\])?\s*(\w+)", text[: text.index(");")], re.MULTILINE)
    engine = {name: (direction, int(msb or 0) + 1) for direction, msb, name in found}
    expected = {"clk_i": ("input", 1), "rst_ni": ("input", 1), "irq_o": ("output", 1)}
    expected |= {f"s_axil_{p.name}": ("input" if p.driven else "output", p.width) for p in LITE_PORTS}
    expected |= {f"m_axi_{p.name}": ("output" if p.driven else "input", p.width) for p in MEMORY_PORTS}
    assert engine == expected
    wrapper = plan_rtl_ip(CONFIG, load_board("ultra96v2")).files[WRAPPER]
    declared = re.findall(r"^  (input|output)\s+wire\s*(?:\[(\d+):0\])?\s*(\w+)", wrapper, re.MULTILINE)
    buses = {name: (direction, int(msb or 0) + 1) for direction, msb, name in declared if "_axi" in name}
    assert buses == {name: port for name, port in engine.items() if "_axi" in name}
    assert len(re.findall(r"^    \.(\w+) *\((\w+)\)", wrapper, re.MULTILINE)) >= len(engine)
    assert f"module {IP_TOP} (" in wrapper
    assert f"64'h{CONFIG.digest64():016x}" in wrapper
    assert read_interfaces(wrapper)["m_axi"].out


SEEDED = {
    "no clock": (" [get_bd_pins memory/aclk]", "", "clock memory/aclk is not connected"),
    "no reset": (
        "connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins hao/aresetn]", "", "reset hao/aresetn is not connected",
    ),
    "no interrupt": (
        "connect_bd_net [get_bd_pins hao/irq] [get_bd_pins ps/pl_ps_irq0]", "", "interrupt hao/irq is not connected",
    ),
    "no bus": (
        "connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0_FPD]", "", "memory/M00_AXI is not connected",
    ),
    "master to master": ("[get_bd_intf_pins control/S00_AXI]", "[get_bd_intf_pins control/M00_AXI]", "are both masters"),
    "port left on": ("PSU__USE__M_AXI_GP1 0", "PSU__USE__M_AXI_GP1 1", "ps/M_AXI_HPM1_FPD is not connected"),
    "no address": ("HP0_LPS_OCM HP0_QSPI", "HP0_LPS_OCM", "HP0_QSPI has no address and is not excluded"),
    "outside": ("-offset 0xA0000000", "-offset 0x10000000", "does not reach 0x10000000"),
    "unaligned": ("-offset 0xA0000000", "-offset 0xA0000800", "unaligned"),
    "overlap": (
        "validate_bd_design",
        "assign_bd_address -offset 0x40000000 -range 0x1000 -target_address_space $space [get_bd_addr_segs ps/SAXIGP2/HP0_DDR_LOW]\n"
        "validate_bd_design",
        "hao/m_axi: ps/SAXIGP2/HP0_DDR_LOW and ps/SAXIGP2/HP0_DDR_LOW overlap",
    ),
    "unknown parameter": ("PSU__USE__IRQ0 1", "PSU__USE__IRQ9 1", "unknown parameter CONFIG.PSU__USE__IRQ9"),
    "unknown value": ("SRCSEL IOPLL", "SRCSEL MYPLL", "'MYPLL' is no value"),
    "unknown pin": ("hao/aclk", "hao/clk", "no pin hao/clk"),
    "unknown command": ("validate_bd_design", "check_bd_design", "unknown command check_bd_design"),
    "unknown option": ("-type ip -vlnv", "-kind ip -vlnv", "unknown option -kind"),
    "unknown core": ("-vlnv hao:hao:hao_engine_ip:1.0", "-vlnv hao:hao:hao_engine:1.0", "no IP hao:hao:hao_engine:1.0"),
    "two drivers": ("[get_bd_pins reset/ext_reset_in]", "[get_bd_pins reset/peripheral_aresetn]", "a net with 2 drivers"),
    "wrong clock rate": ("FREQMHZ 250", "FREQMHZ 200", "gives 199.9975 MHz, not 250 MHz"),
    "a file is run": ("save_bd_design", "exec ls", "unknown command exec"),
}  # fmt: skip


@pytest.mark.parametrize("case", SEEDED)
def test_a_seeded_fault_in_the_block_design_is_found(tmp_path: Path, case: str) -> None:
    old, new, message = SEEDED[case]
    plan = plan_vivado(CONFIG, load_board("ultra96v2"))
    text = plan.files["block_design.tcl"]
    assert old in text
    broken = ProjectPlan(plan.target, {**plan.files, "block_design.tcl": text.replace(old, new)})
    with pytest.raises(TclFailed, match=re.escape(message)):
        run(broken, tmp_path / "p", "build.tcl")


def test_overlapping_addresses_are_found(tmp_path: Path) -> None:
    tool = run(plan_vivado(CONFIG, load_board("ultra96v2")), tmp_path / "p", "build.tcl")
    assert tool.design is not None
    assert tool.design.faults() == []
    tool.design.addresses.append(("hao/m_axi", "ps/SAXIGP2/HP0_DDR_LOW", 0x40000000, 0x1000))
    assert any("overlap" in fault for fault in tool.design.faults())
    with pytest.raises(DesignFault, match="unaligned"):
        tool.design.assign("hao/m_axi", "ps/SAXIGP2/HP0_DDR_LOW", 0, 0x3000)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("POLARITY ACTIVE_LOW", "POLARITY LOW", "unknown parameter POLARITY LOW of interface aresetn"),
        ("NUM_READ_OUTSTANDING", "READ_OUTSTANDING", "unknown parameter READ_OUTSTANDING"),
        ("m_axi ARLEN", "m_axi ARLENGTH", "unknown signal ARLENGTH of an interface aximm"),
        ("interface:aximm:1.0 m_axi ARSIZE", "interface:aximm:1.0 ARSIZE", "cannot be read"),
    ],
)
def test_a_seeded_fault_in_the_interface_attributes_is_found(old: str, new: str, words: str) -> None:
    text = plan_rtl_ip(CONFIG, load_board("ultra96v2")).files[WRAPPER]
    assert old in text
    with pytest.raises(DesignFault, match=words):
        read_interfaces(text.replace(old, new, 1))


@EVERY_BACKEND
def test_commands_that_are_newer_than_the_interpreter_inside_vivado_are_found(tmp_path: Path, backend: str) -> None:
    (tmp_path / "new.tcl").write_text("set x [lmap a {1 2} {expr {$a + 1}}]\n")
    tool = Tool(tmp_path)
    with pytest.raises(TclFailed, match="unknown command lmap"):
        run_script(backend, tmp_path / "new.tcl", tool.answer)


def test_an_interface_lost_in_the_wrapper_stops_the_packaging(tmp_path: Path) -> None:
    plan = plan_rtl_ip(CONFIG, load_board("ultra96v2"))
    text = plan.files[WRAPPER].replace("aximm:1.0 m_axi", "aximm:1.0 memory").replace("XIL_INTERFACENAME m_axi", "XIL_INTERFACENAME memory")
    files = {**plan.files, WRAPPER: text}
    with pytest.raises(TclFailed, match="the packager found no interface m_axi"):
        run(ProjectPlan(plan.target, files), tmp_path / "p", "package_ip.tcl")


def test_every_entry_of_the_vocabulary_names_a_document() -> None:
    tables = ("commands", "hls", "properties", "ip", "hls_config", "interface")
    entries = [entry for table in tables for entry in VOCABULARY[table].values()]
    assert len(entries) > 75
    assert {entry["doc"] for entry in entries} == set(VOCABULARY["documents"])
    pages = [VOCABULARY["documents"][entry["doc"]]["page"].format(name) for name, entry in VOCABULARY["commands"].items()]
    assert all(re.fullmatch(r"https://[\w.-]+/\S+", page) for page in pages)


def test_a_machine_without_tcl_fails_and_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(TclFailed, match="apt-get install tcl"):
        run_script("none", tmp_path / "x.tcl", lambda command: (False, ""))
    assert backends()
