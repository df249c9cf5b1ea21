"""The generated C driver: linked to the Verilated engine, and its Linux and bare-metal ports over stand-ins of their systems."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hao.boards import load_board
from hao.codegen.c_driver import CORE, DECODE_STRIDE, PLATFORMS, plan_c_driver, render_driver
from hao.codegen.rtl_ip import CONTROL_BYTES
from hao.codegen.vivado import CONTROL_BASE, INTERRUPT
from hao.engine.config import CI_CONFIGS
from hao.engine.flat import flatten, read_scales
from hao.engine.regs import MAGIC, OFFSETS, REGISTERS
from hao.errors import ImageFormatError, SimulationError
from hao.models.decode import STRIDE, decode
from hao.resources import shared
from hao.runtime import c_host
from hao.runtime.c_host import C_FLAGS, run_host
from hao.runtime.rtl import plan_engine
from hao.runtime.timing import DramTiming
from hao.runtime.verilated import build_model
from hao.toolchain import require_compiler
from tests.runtime.support import SMALL, differing, digits, pictures

HERE = Path(__file__).parent
TIMING = DramTiming.of_board(load_board("ultra96v2"))
ERRORS = {
    "timeout": "not done in time",
    "bus": "error response on the memory port",
    "read": "error response on the memory port",
    "write": "error response on the memory port",
    "refused-read": "error response on the memory port",
    "refused-write": "error response on the memory port",
    "fault": "illegal instruction",
    "reset": "reset in mid-frame",
    "config": "for another configuration",
    "image": "image is damaged",
    "memory": "no memory left",
}


@pytest.mark.parametrize("wait", ["interrupt", "poll"])
def test_frames_and_errors_on_the_engine(tmp_path: Path, wait: str) -> None:
    """Every error by its name, and the next frame right."""
    steps = ["run", "stream", *ERRORS]
    done = run_host(CI_CONFIGS[SMALL], digits(), flatten(digits()), pictures(3), TIMING, tmp_path, steps, wait)
    assert set(done.errors) == set(ERRORS)
    for name, words in ERRORS.items():
        assert words in done.errors[name]
    indices = [0, 1, 2, 0, 1, 2, *[0] * len(ERRORS)]
    assert [differing(frame.outputs, index) for frame, index in zip(done.frames, indices, strict=True)] == [0] * len(indices)
    assert all(frame.cycles > 1000 for frame in done.frames)


FORGOTTEN = {
    "flush of the image": "  engine->port->flush(engine->port->context, &network->image);\n",
    "flush of the input": "  engine->port->flush(engine->port->context, &network->slots[slot].input);\n",
    "flush of fresh memory": "  port->flush(port->context, buffer); /* no dirty line may be written back over what the engine writes */\n",
    "invalidate of the results": "  engine->port->invalidate(engine->port->context, &network->slots[slot].output);\n",
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_a_forgotten_flush_or_invalidate_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """The simulated board writes dirty lines back at the worst moments."""
    good = render_driver(CI_CONFIGS[SMALL], CORE)
    assert good["hao_driver.c"].count(FORGOTTEN[what]) == 1
    bad = {**good, "hao_driver.c": good["hao_driver.c"].replace(FORGOTTEN[what], "  (void)engine;\n")}
    monkeypatch.setattr(c_host, "render_driver", lambda config, names: bad)
    try:
        done = run_host(CI_CONFIGS[SMALL], digits(), flatten(digits()), pictures(1), TIMING, tmp_path)
    except SimulationError as error:  # a program full of noise is one of the ways in which it fails
        assert "ended with status 1" in str(error)
        return
    assert differing(done.frames[0].outputs, 0) > 0


def test_the_program_for_the_board_runs_on_the_engine(tmp_path: Path) -> None:
    """``hao_main`` as it is generated, over the Verilated engine at the end of the 40-bit address space."""
    for name, text in render_driver(CI_CONFIGS[SMALL], engine_mhz=200.0).items():
        (tmp_path / name).write_text(text)
    library = build_model(plan_engine(CI_CONFIGS[SMALL]))
    numbers = ",".join(str(getattr(TIMING.struct(), name)) for name, *_ in TIMING.struct()._fields_[:11])
    folders = [f"-I{path}" for path in (tmp_path, shared("sim") / "driver", shared("sim") / "host")]
    parts = [tmp_path / "hao_main.c", tmp_path / "hao_driver.c", tmp_path / "hao_decode.c"]
    for part in (*parts, shared("sim") / "driver" / "hao_port_sim.cpp", HERE / "sim_linux.cpp"):
        flags = ["-x", "c", *C_FLAGS] if part.suffix == ".c" else ["-std=c++20", "-Wall", "-Wextra", "-Werror", f"-DTIMING={numbers}"]
        subprocess.run([require_compiler(), *folders, *flags, "-c", part, "-o", tmp_path / f"{part.name}.o"], check=True)
    program = tmp_path / "hao_main"
    subprocess.run([require_compiler(), *tmp_path.glob("*.o"), library, f"-Wl,-rpath,{library.parent}", "-lm", "-o", program], check=True)
    (tmp_path / "net.flat").write_bytes(flatten(digits()))
    (tmp_path / "in.raw").write_bytes(b"".join(np.ascontiguousarray(each).tobytes() for each in pictures(3)))
    command = [program, "net.flat", "in.raw", "out.raw", "/dev/uio4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = np.frombuffer((tmp_path / "out.raw").read_bytes(), np.int32).reshape(3, -1)
    (place,) = digits().manifest.outputs
    for index, values in enumerate(found):
        assert differing({place.name: values}, index) == 0
    times = [int(each) for each in re.findall(r"^frame \d: engine (\d+) us", done.stdout, re.MULTILINE)]
    assert len(times) == 3
    cycles = run_host(CI_CONFIGS[SMALL], digits(), flatten(digits()), pictures(1), TIMING, tmp_path).frames[0].cycles
    assert all(abs(each - cycles / 200) < 0.1 * cycles / 200 + 2 for each in times)
    assert re.search(r"^a frame: engine \d+ us, processor \d+ us: the \w+ waits$", done.stdout, re.MULTILINE)


def compiled(tmp_path: Path, main: str, *others: str, include: tuple[Path, ...] = ()) -> Path:
    """A test program with the driver of the small engine."""
    for name, text in render_driver(CI_CONFIGS[SMALL]).items():
        (tmp_path / name).write_text(text)
    sources = [str(HERE / main), *(str(tmp_path / name) for name in ("hao_driver.c", "hao_decode.c", *others))]
    folders = [f"-I{path}" for path in (tmp_path, *include)]
    # the C++ compiler takes a language for the next file only
    command = [require_compiler(), *C_FLAGS, *folders, *(part for each in sources for part in ("-x", "c", each)), "-lm"]
    # not position-independent: the bare-metal port takes pointers for addresses below 2^40
    command += ["-no-pie", "-o", str(tmp_path / "main")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tmp_path / "main"


def synthetic_heads(seed: int, classes: int, side: int, levels: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    heat = rng.integers(-levels, levels, (classes, side, side), dtype=np.int8)
    return [heat, *(rng.integers(-128, 128, (2, side, side), dtype=np.int8) for _ in range(2))]


SCALES = (0.0371, 0.1013, 0.00731)


def detector_image(classes: int, side: int) -> bytes:
    """A flat image whose outputs are the heads of a detector: lanes and planes dealt out in a scrambled order."""
    image = digits()
    place = image.manifest.outputs[0]
    order = np.random.default_rng(9).permutation(classes + 4)
    planes = tuple(16 * side * side * index for index in range(-(-(classes + 4) // 16)))
    spots = [(int(each) // 16, int(each) % 16) for each in order]
    parts = {"heat": spots[:classes], "size": spots[classes : classes + 2], "offset": spots[classes + 2 :]}
    made = tuple(
        place.model_copy(update={"name": name, "height": side, "width": side, "signed": True, "planes": planes, "channels": tuple(where)})
        for name, where in parts.items()
    )
    manifest = image.manifest.model_copy(update={"outputs": made, "output_bytes": 16 * side * side * len(planes)})
    other = type(image)(manifest, image.dram, image.trace)
    return flatten(other, dict(zip(parts, SCALES, strict=True)))


def written(heads: list[np.ndarray], classes: int, side: int) -> bytes:
    """The heads as the engine would leave them."""
    order = np.random.default_rng(9).permutation(classes + 4)
    memory = np.full((-(-(classes + 4) // 16), side * side, 16), 0x55, np.uint8)
    for channel, spot in zip(np.concatenate(heads), order, strict=True):
        memory[spot // 16, :, spot % 16] = channel.reshape(-1).view(np.uint8)
    return memory.tobytes()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("decode"), "decode_main.c")


@pytest.mark.parametrize(
    ("classes", "side", "levels", "top_k"), [(20, 64, 128, 100), (3, 7, 3, 100), (1, 1, 5, 10), (5, 24, 2, 1000), (9, 16, 100, 1)]
)
def test_boxes_equal_the_python_decoding(decoder: Path, tmp_path: Path, classes: int, side: int, levels: int, top_k: int) -> None:
    (tmp_path / "net.flat").write_bytes(detector_image(classes, side))
    compared = 0
    for seed in range(4):
        heads = synthetic_heads(seed, classes, side, levels)
        (tmp_path / "out.raw").write_bytes(written(heads, classes, side))
        for least in (0.0, 0.3):
            command = [str(decoder), str(tmp_path / "net.flat"), str(tmp_path / "out.raw"), str(top_k), str(least), "1"]
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
            expected = decode(*(head.astype(np.float64) * scale for head, scale in zip(heads, SCALES, strict=True)), top_k)
            kept = int((expected.scores.astype(np.float64) >= least).sum())
            assert len(lines) == kept
            for line, label, score, box in zip(lines, expected.labels, expected.scores, expected.boxes, strict=False):
                numbers = line.split()
                assert int(numbers[0]) == label
                assert [float.fromhex(each) for each in numbers[1:]] == [float(score), *map(float, box)]
                compared += 1
    assert compared > 0
    assert DECODE_STRIDE == STRIDE


def test_a_flat_image_is_checked_before_anything_is_read_of_it(decoder: Path, tmp_path: Path) -> None:
    import zlib

    good = detector_image(3, 8)
    (tmp_path / "out.raw").write_bytes(bytes(16 * 64))
    rng = np.random.default_rng(1)
    refused = 0
    for trial in range(120):
        bad = bytearray(good)
        at = int(rng.integers(0, 700)) if trial % 2 else int(rng.integers(16, 192 + 200))
        bad[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF])) if trial % 3 else bad[at] ^ int(rng.integers(1, 256))
        if trial % 4:  # a forger makes the checksum right
            bad[12:16] = zlib.crc32(bytes(bad[16:])).to_bytes(4, "little")
        (tmp_path / "net.flat").write_bytes(bytes(bad) if trial % 7 else bytes(bad[: int(rng.integers(1, len(bad)))]))
        command = [str(decoder), str(tmp_path / "net.flat"), str(tmp_path / "out.raw"), "10", "0", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), f"trial {trial} ended with {done.returncode}"
        refused += bool(done.stderr)
    assert refused > 30


def test_scales_are_read_back() -> None:
    data = detector_image(3, 8)
    assert read_scales(data) == dict(zip(("heat", "size", "offset"), SCALES, strict=True))
    for bad in (data[:-1], b"x" + data[1:], data[:40]):
        with pytest.raises(ImageFormatError, match="no flat image"):
            read_scales(bad)


def test_more_outputs_than_the_format_holds_are_refused() -> None:
    image = digits()
    manifest = image.manifest.model_copy(update={"outputs": image.manifest.outputs * 9})
    with pytest.raises(ImageFormatError, match="has 9 outputs"):
        flatten(type(image)(manifest, image.dram, image.trace))


@pytest.fixture(scope="module")
def linux_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("linux"), "linux_main.c", "hao_linux.c")


@pytest.fixture(scope="module")
def bare_metal_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bare"), "baremetal_main.c", "hao_baremetal.c", include=(HERE / "xilinx",))


@pytest.fixture
def linux(linux_program: Path, tmp_path: Path) -> list[str]:
    """Arguments of ``linux_main`` over files that stand for a board whose engine never answers."""
    memory = tmp_path / "mem"
    with memory.open("wb") as file:
        file.truncate(0xFE00_0000)
        digest = int(CI_CONFIGS[SMALL].digest()[:16], 16)
        values = {"MAGIC": MAGIC, "ISA_VERSION": 1, "CONFIG_LO": digest & 0xFFFFFFFF, "CONFIG_HI": digest >> 32}
        for name, value in values.items():
            file.seek(0xA000_0000 + OFFSETS[name])
            file.write(value.to_bytes(4, "little"))
        for address in (0xFD38_0000, 0xFD38_0014):
            file.seek(address)
            file.write((0xF0F1).to_bytes(4, "little"))
    size = 1 << 20
    (tmp_path / "udmabuf0").write_bytes(bytes(size))
    folder = tmp_path / "class"
    folder.mkdir()
    for name, text in {"phys_addr": "0x000000087ff00000\n", "size": f"{size}\n", "sync_for_device": "", "sync_for_cpu": ""}.items():
        (folder / name).write_text(text)
    (tmp_path / "net.flat").write_bytes(flatten(digits()))
    return [str(linux_program), str(memory), str(tmp_path / "udmabuf0"), str(folder), "-", "0xA0000000", str(tmp_path / "net.flat")]


def test_the_linux_port_reaches_registers_memory_and_caches(linux: list[str]) -> None:
    said = subprocess.run(linux, capture_output=True, text=True, check=True).stdout
    assert "was reset in mid-frame" in said  # nothing ever becomes busy in a file
    with Path(linux[1]).open("rb") as file:

        def word(address: int) -> int:
            file.seek(address)
            return int.from_bytes(file.read(4), "little")

        assert [word(address) for address in (0xFD38_0000, 0xFD38_0014)] == [0xF0F0, 0xF0F0]
        assert word(0xA000_0000 + OFFSETS["PROGRAM_COUNT"]) == digits().manifest.program_count
        assert word(0xA000_0000 + OFFSETS["IMAGE_HI"]) == 0x8
        assert word(0xA000_0000 + OFFSETS["IMAGE_LO"]) == 0x7FF0_0000
    assert Path(linux[2]).read_bytes().startswith(digits().dram)
    # the last flush was the input's: offset, then its size and direction TO_DEVICE
    offset_and_size = Path(linux[3], "sync_for_device").read_text()
    assert re.fullmatch(r"0x[0-9A-F]{5}000[0-9A-F]{7}5", offset_and_size)
    assert int(offset_and_size[10:], 16) & ~0xF == -(-digits().manifest.input.size // 16) * 16


@pytest.mark.parametrize(
    ("register", "words"),
    [
        ("MAGIC", "no HAO engine answers: load the bitstream first"),
        ("ISA_VERSION", "another instruction set: use the bitstream that belongs to this version"),
        ("CONFIG_HI", "for another configuration than the engine in the logic"),
    ],
)
def test_another_bitstream_is_refused_with_a_sentence(linux: list[str], register: str, words: str) -> None:
    with Path(linux[1]).open("r+b") as file:
        file.seek(0xA000_0000 + OFFSETS[register])
        file.write((0x5A5A).to_bytes(4, "little"))
    assert words in subprocess.run(linux, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("argument", [1, 2, 3, 4])
def test_the_linux_port_refuses_what_is_not_there(linux: list[str], argument: int) -> None:
    said = subprocess.run([*linux[:argument], "/nowhere", *linux[argument + 1 :]], capture_output=True, text=True, check=True).stdout
    assert "the platform refused access" in said


def test_the_linux_port_waits_for_the_interrupt(linux: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "uio4")  # gives back what unmasks it: an interrupt at once
    said = subprocess.run([*linux[:4], str(tmp_path / "uio4"), *linux[5:]], capture_output=True, text=True, check=True).stdout
    assert "was reset in mid-frame" in said


@pytest.mark.parametrize(
    ("mode", "status"), [("interrupt", 0), ("poll", 0), ("hang", 7), ("poll,hang", 7), ("poll,hang,owes", 11), ("stuck", 12)]
)
def test_the_bare_metal_port(bare_metal_program: Path, tmp_path: Path, mode: str, status: int) -> None:
    (tmp_path / "net.flat").write_bytes(flatten(digits()))
    command = [str(bare_metal_program), str(tmp_path / "net.flat"), mode]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) == status
    if status == 12:
        return
    assert said[1:4] == ["3000", "3000", "3800"]
    assert said[4] == said[6], "the input is flushed, nothing else, for a frame"
    assert said[5] == (said[7] if status == 0 else "0")


def test_the_whole_driver_compiles_and_links(tmp_path: Path) -> None:
    plan = plan_c_driver(CI_CONFIGS[SMALL], load_board("ultra96v2"))
    for name, text in plan.files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(["make", "-C", str(tmp_path), "CFLAGS=-O1 -Werror"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NETWORK.flat" in subprocess.run([tmp_path / "hao_main"], capture_output=True, text=True, check=False).stderr
    assert set(PLATFORMS) <= set(plan.files)


def test_the_device_tree_agrees_with_the_block_design() -> None:
    text = render_driver(CI_CONFIGS[SMALL])["hao.dts"]
    assert f"reg = <0x0 0x{CONTROL_BASE:x} 0x0 0x{CONTROL_BYTES:x}>;" in text
    assert f"interrupts = <0 {INTERRUPT - 32} 4>;" in text
    assert text.count("{") == text.count("}") == 3
    paths = re.search(r"/dev/(\w+)\", \"/sys/class/u-dma-buf/(\w+)", render_driver(CI_CONFIGS[SMALL])["hao_main.c"])
    assert paths is not None and set(paths.groups()) == set(re.findall(r'device-name = "(\w+)"', text))


def test_every_register_is_in_the_header() -> None:
    text = render_driver(CI_CONFIGS[SMALL])["hao_regs.h"]
    found = {name: int(value, 16) for name, value in re.findall(r"#define HAO_REG_(\w+) (0x[0-9A-F]+)u", text)}
    assert found == {register.name: register.offset for register in REGISTERS}
    assert CI_CONFIGS[SMALL].digest() in text
