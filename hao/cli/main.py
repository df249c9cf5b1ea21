"""``hao``: the command line. Commands import their layers when they run, so that ``hao --help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hao.cli import search_commands
from hao.errors import HaoError

app = typer.Typer(
    name="hao",
    help="Takes a neural network to a Zynq FPGA and proves, bit for bit, that it got there unchanged.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
search_commands.register(app)


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks, with the line that mends it."""
    from hao.cli.doctor import doctor as examine

    raise typer.Exit(examine())


@app.command()
def boards(name: Annotated[str, typer.Argument(help="a board, or the path of a board file; all of them when left out")] = "") -> None:
    """List the boards, or show one with the sources of its numbers."""
    from hao.cli.boards import list_boards, show_board

    show_board(name) if name else list_boards()


_Weights = Annotated[str, typer.Option(help="integer checkpoint, or random[:SEED]; the shipped ones when left out")]
_Board = Annotated[str, typer.Option(help="board, or the path of a board file")]
_Configuration = Annotated[str, typer.Option(help="engine: dense inputs x outputs x pixels a cycle")]
_Engines = Annotated[str, typer.Option(help="engines to run, separated by commas")]
_Image = Annotated[Path | None, typer.Option(help="your own picture")]
_Plain = Annotated[bool, typer.Option("--plain", help="leave the picture as it is; otherwise generated objects are laid onto it")]
_Scene = Annotated[int, typer.Option(help="seed of those objects", min=0)]
_Stall = Annotated[int, typer.Option(help="random memory stalls, probability of 256; 0: the board's own timing", min=0, max=250)]
_Seed = Annotated[int, typer.Option(help="seed of the stalls", min=1)]
_Json = Annotated[Path | None, typer.Option(help="write the report's JSON here too")]


@app.command()
def run(
    network: Annotated[str, typer.Argument(help="such as codenet-1x-b or digits")],
    weights: _Weights = "",
    board: _Board = "ultra96v2",
    configuration: _Configuration = "16x16x2",
    engines: _Engines = "reference,csim,rtl",
    image: _Image = None,
    plain: _Plain = False,
    scene: _Scene = 1,
    stall: _Stall = 0,
    seed: _Seed = 1,
    out: Annotated[Path, typer.Option(help="folder of the report")] = Path("build/run"),
    json: _Json = None,
) -> None:
    """Run one frame of a network on every engine and compare every value."""
    from hao.cli.run import Options
    from hao.cli.run import run as run_frame
    from hao.cli.tables import make_console

    options = Options(network, weights, board, configuration, _names(engines), image, plain, scene, stall, seed, out, json)
    raise typer.Exit(run_frame(options, make_console()))


@app.command()
def demo(
    weights: _Weights = "",
    image: _Image = None,
    plain: _Plain = False,
    scene: _Scene = 1,
    out: Annotated[Path, typer.Option(help="folder of the report")] = Path("build/demo"),
    json: _Json = None,
) -> None:
    """Run a trained network on a picture: reference, HLS kernel and RTL, equal bit for bit."""
    from hao.cli.networks import demo_network
    from hao.cli.run import Options
    from hao.cli.run import run as run_frame
    from hao.cli.tables import make_console

    options = Options(demo_network(), weights, image=image, plain=plain, scene=scene, out=out, json=json)
    raise typer.Exit(run_frame(options, make_console()))


@app.command()
def bench(
    workloads: Annotated[str, typer.Option(help="networks, separated by commas; all that run here when left out")] = "",
    board: _Board = "ultra96v2",
    configurations: Annotated[str, typer.Option(help="engines, separated by commas")] = "16x16x2",
    frames: Annotated[int, typer.Option(help="frames back to back for the sustained rate; 0: none", min=0, max=1000)] = 3,
    json: Annotated[Path, typer.Option(help="where the rows go")] = Path("build/bench.json"),
) -> None:
    """Run every workload on the RTL, hold it against the reference, write one row each."""
    from hao.cli.bench import Plan, known_workloads
    from hao.cli.bench import bench as run_bench
    from hao.cli.tables import make_console

    chosen = _names(workloads) or known_workloads()
    raise typer.Exit(run_bench(Plan(chosen, board, _names(configurations), frames, json), make_console()))


@app.command()
def estimate(
    subject: Annotated[str, typer.Argument(metavar="NETWORK|PROGRAM", help="such as codenet-1x-b, or the path of a program image")],
    weights: Annotated[str, typer.Option(help="as for run; random where none ship")] = "",
    config: Annotated[str, typer.Option(help="configuration, or a .json file with its parameters; 16x16x2 when left out")] = "",
    board: _Board = "ultra96v2",
    timeline: Annotated[Path | None, typer.Option(help="write the frame as a picture here: an HTML page, a bar an instruction")] = None,
    json: _Json = None,
) -> None:
    """Say what a network would cost: cycles, frames/s and area, each with the error of its model; nothing is run."""
    from hao.cli.estimate import Options
    from hao.cli.estimate import estimate as run_estimate
    from hao.cli.tables import make_console

    raise typer.Exit(run_estimate(Options(subject, weights, board, config, json, timeline), make_console()))


@app.command()
def fuzz(
    cases: Annotated[int, typer.Option(help="random networks", min=0)] = 150,
    programs: Annotated[int, typer.Option(help="random programs", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="everything follows from it", min=0)] = 1,
    first: Annotated[int, typer.Option(help="number of the first case", min=0)] = 0,
    configs: Annotated[str, typer.Option(help="engines' configurations, with commas; continuous integration's when left out")] = "",
    engines: Annotated[str, typer.Option(help="of executor, csim-native, csim-exact, rtl; all when left out")] = "",
    stall: Annotated[str, typer.Option(help="chances of a memory stall, of 256, to draw from")] = "0,16,60,120,200",
    board: _Board = "ultra96v2",
    out: Annotated[Path, typer.Option(help="folder of the reproducers")] = Path("build/fuzz"),
    replay: Annotated[Path | None, typer.Option(help="run one reproducer instead")] = None,
    minutes: Annotated[float, typer.Option(help="begin no case after that long; 0: run them all", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run that --json is the report of")] = False,
    json: _Json = None,
) -> None:
    """Run random networks and programs on every engine, compare every value, shrink what fails."""
    from hao.cli.fuzz import Options
    from hao.cli.fuzz import fuzz as run_fuzz
    from hao.cli.tables import make_console
    from hao.engine.config import CI_CONFIGS
    from hao.fuzz.engines import ENGINES

    chosen = (_names(configs) or tuple(CI_CONFIGS), _names(engines) or ENGINES, _names(stall))
    options = Options(cases, programs, seed, first, *chosen, board, out, replay, json, minutes, resume)
    raise typer.Exit(run_fuzz(options, make_console()))


@app.command()
def prove(
    only: Annotated[str, typer.Argument(help="module, such as hao_fifo; all of them when left out")] = "", json: _Json = None
) -> None:
    """Prove handshakes, queues, arbiters, counters and bus masters of the RTL for all time."""
    from hao.cli.prove import prove_all
    from hao.cli.tables import make_console

    raise typer.Exit(prove_all(only, json, make_console()))


@app.command()
def mutate(
    targets: Annotated[str, typer.Option(help="of reference, compiler, rtl; all when left out")] = "",
    count: Annotated[int, typer.Option(help="most faults of a target", min=1)] = 40,
    seed: _Seed = 1,
    json: _Json = None,
) -> None:
    """Put small faults into reference, compiler and RTL, and count how many the tests see."""
    from hao.cli.mutate import mutate as survey
    from hao.cli.tables import make_console

    raise typer.Exit(survey(_names(targets), count, seed, json, make_console()))


@app.command()
def quantize(
    network: Annotated[str, typer.Argument(help="digits, codenet-1x-b, or module:function of your own")],
    weights: Annotated[Path | None, typer.Option(help="float weights, a safetensors file")] = None,
    method: Annotated[str, typer.Option(help="uniform, hawq, hawq2, hawq3 or zeroq; hawq3, or zeroq without data, when left out")] = "",
    data_free: Annotated[bool, typer.Option("--data-free", help="distil images from the network's batch normalization")] = False,
    pictures: Annotated[Path | None, typer.Option(help="folder of pictures to calibrate on")] = None,
    images: Annotated[int, typer.Option(help="calibration images at most", min=1)] = 256,
    menu: Annotated[str, typer.Option(help="weight widths to choose from; the smallest is that of uniform")] = "2,3,4,8",
    average_bits: Annotated[float | None, typer.Option(help="cap on the average width of weights")] = None,
    size: Annotated[float | None, typer.Option(help="cap on the weights, kB")] = None,
    bops: Annotated[float | None, typer.Option(help="cap on bit operations of an image, G (hawq3)")] = None,
    cycles: Annotated[float | None, typer.Option(help="cap on the sum of the layers' cycles (hawq3)")] = None,
    tie: Annotated[list[str] | None, typer.Option(help="layers that share a width, separated by commas")] = None,
    configuration: _Configuration = "16x16x2",
    board: _Board = "ultra96v2",
    activations: Annotated[int, typer.Option(help="bits of activations, 8 or 4")] = 8,
    calibration: Annotated[str, typer.Option(help="ranges of activations: max, or mse")] = "max",
    percentile: Annotated[float, typer.Option(help="share of a batch's values that a range covers")] = 100.0,
    prune: Annotated[float, typer.Option(help="share of channels to prune first, by Hessian")] = 0.0,
    implants: Annotated[float, typer.Option(help="share of those that keep a 1x1 kernel")] = 0.1,
    lanes: Annotated[int, typer.Option(help="pruned layers keep a multiple of this many channels", min=1)] = 1,
    epochs: Annotated[int, typer.Option(help="quantization-aware training behind it (digits)", min=0)] = 0,
    staged: Annotated[bool, typer.Option("--staged", help="train so long behind every layer, in HAWQ's order (--method hawq)")] = False,
    iterations: Annotated[int, typer.Option(help="steps of distilling images (--data-free)", min=1)] = 500,
    tolerance: Annotated[float, typer.Option(help="half-width of a trace's 95 % interval, relative")] = 0.05,
    probes: Annotated[int, typer.Option(help="probes a layer at most", min=32)] = 1024,
    shape: Annotated[str, typer.Option(help="of your own network's image: channels,height,width")] = "",
    mean: Annotated[str, typer.Option(help="of its image, an integer a channel")] = "",
    std: Annotated[str, typer.Option(help="of its image, a number a channel")] = "",
    seed: Annotated[int, typer.Option(help="everything follows from it", min=0)] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    work: Annotated[Path, typer.Option(help="folder of what an interrupted run has computed")] = Path("build/quantize"),
    out: Annotated[Path, typer.Option(help="integer network to write")] = Path("build/quantize/network.safetensors"),
    qonnx: Annotated[Path | None, typer.Option(help="write it as QONNX too")] = None,
    plain: Annotated[Path | None, typer.Option(help="write it as .npz and .json too")] = None,
    json: _Json = None,
) -> None:
    """Quantize a float network: sensitivities, mixed widths, calibration, integers."""
    from hao.cli.quantize_options import Given, run

    given = Given(
        network, weights, method, data_free, pictures, images, _names(menu), average_bits, size, bops, cycles,
        tuple(_names(each) for each in tie or ()), configuration, board, activations, calibration, percentile, prune, implants, lanes,
        epochs, staged, iterations, tolerance, probes, _names(shape), _names(mean), _names(std), seed, device, work, out, qonnx, plain,
        json,
    )  # fmt: skip
    raise typer.Exit(run(given))


@app.command()
def schema(name: Annotated[str, typer.Argument(help="report, bench, verify, estimate or search")] = "report") -> None:
    """Print the JSON schema of what the commands write."""
    from hao.cli.schema import print_schema

    print_schema(name)


def _names(text: str) -> tuple[str, ...]:
    """The parts of a list separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


@app.command()
def synth(
    configuration: Annotated[str, typer.Argument(help="engine: dense inputs x outputs x pixels a cycle, or random-SEED")] = "16x16x2",
    board: _Board = "ultra96v2",
    module: Annotated[str, typer.Option(help="one module of the RTL with what is below it; the whole engine when left out")] = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="in one run instead of block by block; ten minutes and 1 GB for the engine")
    ] = False,
    json: _Json = None,
    table: Annotated[bool, typer.Option("--table", help="write the committed table of this configuration")] = False,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="synthesize nothing: fit the area model to the committed tables")] = False,
) -> None:
    """Synthesize with Yosys for UltraScale+: LUT, FF, DSP, BRAM and a path estimate per module, against the board's budget."""
    from hao.cli.synth import Options, synthesize
    from hao.cli.synth import calibrate as fit_model
    from hao.cli.tables import make_console

    if calibrate:
        raise typer.Exit(fit_model(make_console()))
    raise typer.Exit(synthesize(Options(configuration, board, module, whole, json, table), make_console()))


@app.command()
def generate(
    design: Annotated[str, typer.Argument(help="engine's configuration, or a .json file with its parameters")],
    target: Annotated[str, typer.Option(help="vitis-hls, rtl-ip, vivado or c-driver")],
    out: Annotated[Path, typer.Option(help="folder of the project")],
    board: _Board = "ultra96v2",
    force: Annotated[bool, typer.Option("--force", help="replace an earlier project, with all that was built in it")] = False,
) -> None:
    """Write a project for Vitis HLS or Vivado: kernel, IP core, or block design with a script to the bitstream."""
    from hao.cli.generate import generate as write
    from hao.cli.tables import make_console

    raise typer.Exit(write(design, target, board, out, force, make_console()))


@app.command(name="compile")
def compile_network(
    network: Annotated[str, typer.Argument(help="such as codenet-1x-b or digits")],
    out: Annotated[Path, typer.Option(help="program image for Board.load")],
    weights: _Weights = "",
    design: Annotated[str, typer.Option(help="engine's configuration, or a .json file with its parameters")] = "16x16x2",
    flat: Annotated[Path | None, typer.Option(help="write it as a flat image for the C driver too")] = None,
) -> None:
    """Compile a network for an engine into a program image, to be run on a board."""
    from hao.cli.compile import compile_to
    from hao.cli.tables import make_console

    raise typer.Exit(compile_to(network, weights, design, out, flat, make_console()))


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="a design (configuration or .json file), or a network (name or integer checkpoint)")],
    design: Annotated[str, typer.Option(help="engine that a network runs on: configuration, or .json file")] = "16x16x2",
    weights: _Weights = "",
    board: _Board = "ultra96v2",
    stalls: Annotated[int, typer.Option(help="random memory stalls, probability of 256", min=0, max=250)] = 0,
    seed: Annotated[int, typer.Option(help="of stalls, programs and random pictures", min=1)] = 1,
    count: Annotated[int, typer.Option(help="frames of a network, random programs for a design")] = 4,
    engines: Annotated[str, typer.Option(help="engines of a network, separated by commas")] = "csim,rtl",
    artefacts: Annotated[Path, typer.Option(help="folder for waveforms of failing layers")] = Path("build/verify"),
    junitxml: Annotated[Path | None, typer.Option(help="write JUnit's XML here")] = None,
    json: _Json = None,
) -> None:
    """Hold a design or a network against its definition, value by value; the exit code tells the kind of the first failure."""
    from hao.cli.tables import make_console
    from hao.cli.verify import Options
    from hao.cli.verify import verify as run_cases

    options = Options(target, design, weights, board, stalls, seed, count, _names(engines), artefacts, junitxml, json)
    raise typer.Exit(run_cases(options, make_console()))


@app.command()
def bitstream(
    design: Annotated[str, typer.Argument(help="engine's configuration, or a .json file with its parameters")],
    board: _Board = "ultra96v2",
    target: Annotated[str, typer.Option(help="vivado: bitstream; vitis-hls: the HLS kernel as an IP core")] = "vivado",
    out: Annotated[Path, typer.Option(help="folder of the project; started again, it goes on")] = Path("build/bitstream"),
    ssh: Annotated[str, typer.Option(help="build on this host, which has the tools")] = "",
    archive: Annotated[Path | None, typer.Option(help="write an archive for a machine with the tools instead")] = None,
    silence: Annotated[float, typer.Option(help="seconds for which a tool may say nothing", min=0.1)] = 3600.0,
    force: Annotated[bool, typer.Option("--force", help="replace another project in that folder")] = False,
    json: _Json = None,
) -> None:
    """Build the bitstream of a design with Vivado: here, on a server, or as an archive with instructions."""
    from hao.cli.bitstream import Options
    from hao.cli.bitstream import bitstream as build
    from hao.cli.tables import make_console

    raise typer.Exit(build(Options(design, board, target, out, ssh, archive, silence, force, json), make_console()))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="project that was built, or its output folder")] = Path("build/bitstream"),
    json: _Json = None,
) -> None:
    """Read Vivado's reports of a build: utilization, timing, power."""
    from hao.cli.bitstream import report as show
    from hao.cli.tables import make_console

    raise typer.Exit(show(folder, json, make_console()))


# typer carries its own copy of click from 0.2x on: the base class is the same object in neither case, so it is looked up
_ClickError: type[Exception] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with the documented code (``docs/exit-codes.md``)."""
    sys.exit(invoke(sys.argv[1:] if arguments is None else arguments))


def invoke(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors are printed on stderr as one line and a hint."""
    try:
        result = app(arguments, prog_name="hao", standalone_mode=False)
    except HaoError as error:
        print(f"hao: {error}", file=sys.stderr)
        return error.exit_code
    except _ClickError as error:
        text = str(getattr(error, "message", error))
        print(text if "Usage:" in text else f"hao: {text}\n  see: hao --help", file=sys.stderr)
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("hao: interrupted", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0
