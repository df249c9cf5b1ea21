"""Stages of an architecture search: what they choose, what they keep when interrupted, what they refuse."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from hao.boards import load_board
from hao.cli.main import app
from hao.cli.nas import STOPS, Options, run_nas
from hao.cli.networks import load_network
from hao.errors import CheckpointError, EngineMismatch, ModelError, SearchError, UsageError
from hao.ir.reference import execute
from hao.ir.serialize import network_digest, save_graph
from hao.models.searchable import DIGITS, Architecture, parse
from hao.nas import finalists as stages
from hao.nas import learn, run
from hao.nas.corpus import Corpus, digits
from hao.nas.finalists import Finalist, Setting, choose
from hao.nas.learn import Lessons, integer_hits, train_alone
from hao.nas.ledger import Ledger
from hao.nas.loop import best_of
from hao.nas.run import Plan, Result, claim, identity, search
from hao.search.hardware import graph_of
from hao.search.pareto import Point

BOARD = "slice-2"
PLAN = Plan(budget=10, finalists=2, folds=2, target=0.0, engines=())
LESSONS = Lessons(2, 1, 1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    whole = digits()
    parts = (whole.train.taken(slice(0, 128)), whole.valid.taken(slice(0, 40)), whole.test.taken(slice(0, 40)))
    return Corpus("digits", *parts, DIGITS, (0,), (255.0,), 1)


class Interrupter:
    """Stops a search at chosen moments, each of them once; counts what is reported."""

    def __init__(self, *moments: tuple[str, int]) -> None:
        self.moments, self.told = set(moments), Counter[str]()

    def tell(self, what: str, done: int, total: int) -> None:
        self.told[what] += 1
        if (what, done) in self.moments:
            self.moments.remove((what, done))
            raise KeyboardInterrupt


def whole(result: Result) -> tuple[object, ...]:
    """Everything that a search found, without times."""
    rows = tuple((f.member, f.valid, f.cycles, f.program_cycles, f.gap, f.design) for f in result.finalists)
    return result.explored.points, rows, result.hits, result.winner.member, result.folds


def test_interrupted_at_every_stage_it_finds_the_same(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: Counter[Architecture] = Counter()

    def counted(member: Architecture, *rest: object) -> object:
        trained[member] += 1
        return train_alone(member, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(stages, "train_alone", counted)
    board = load_board(BOARD)
    through = search(Setting(corpus, board, BOARD, tmp_path / "a", LESSONS, 5), PLAN, Interrupter().tell)
    alone = Counter(trained)
    trained.clear()
    setting = Setting(corpus, board, BOARD, tmp_path / "b", LESSONS, 5)
    stop = Interrupter(("supernet", 1), ("architectures", 4), ("trained", 1), ("finalists", 1), ("test", 1), ("folds", 1))
    for _ in range(6):
        with pytest.raises(KeyboardInterrupt):
            search(setting, PLAN, stop.tell)
    again = search(setting, PLAN, stop.tell)
    assert through is not None
    assert again is not None
    assert whole(again)[:2] == (through.explored.points, through_rows(through, tmp_path))
    again = search(setting, PLAN, stop.tell)
    assert again is not None
    assert whole(again)[2:] == whole(through)[2:]
    assert trained == alone
    assert all(f.status == "optimal" and f.gap == 0 for f in again.finalists)
    with pytest.raises(CheckpointError, match="another search: seed was 5"):
        search(Setting(corpus, board, BOARD, tmp_path / "b", LESSONS, 6), PLAN, stop.tell)


def through_rows(result: Result, folder: Path) -> tuple[object, ...]:
    """The finalists of a search in folder ``a`` as one in folder ``b`` has them: designs name their files."""
    rows = []
    for f in result.finalists:
        design = f.design.model_copy(update={"weights": f.design.weights.replace(str(folder / "a"), str(folder / "b"))})
        rows.append((f.member, f.valid, f.cycles, f.program_cycles, f.gap, design))
    return tuple(rows)


def test_ledger_drops_a_torn_line_and_refuses_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Ledger(path).add("a", {"x": 1})
    with path.open("a") as file:
        file.write('{"key": "b", "x"')
    again = Ledger(path)
    assert again.rows == {"a": {"x": 1}}
    again.add("c", {"x": 3})
    assert Ledger(path).rows == {"a": {"x": 1}, "c": {"x": 3}}
    path.write_text('{"key": "a"\n{"key": "b"}\n', encoding="utf-8")
    with pytest.raises(CheckpointError, match="is damaged"):
        Ledger(path)


def test_stopped_behind_the_trainings_it_goes_on_to_the_same(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training may happen on another machine: what is left needs no training, and ends as one run does."""
    setting = Setting(corpus, load_board(BOARD), BOARD, tmp_path, LESSONS, 5)
    plan = replace(PLAN, folds=0)
    for stage in STOPS:
        assert search(setting, replace(plan, until=stage), Interrupter().tell) is None
        written = {path.name for path in tmp_path.iterdir()}
        assert ("evaluated.jsonl" in written) == (stage != "supernet")
        assert ("trained.jsonl" in written) == (stage == "trained")
        assert "finalists.jsonl" not in written
    monkeypatch.setattr(stages, "train_alone", None)
    found = search(setting, plan, Interrupter().tell)
    assert found is not None
    assert sorted(found.hits) == sorted(f.member.name for f in found.finalists)
    monkeypatch.undo()
    through = search(replace(setting, folder=tmp_path / "through"), plan, Interrupter().tell)
    assert through is not None
    assert (through.explored.points, through.hits, through.winner.member) == (found.explored.points, found.hits, found.winner.member)


def test_batched_integers_are_held_against_the_reference(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(parse("w8-none-sep-none-b4"))
    hits = integer_hits(graph, corpus.test)
    named = [execute(graph, image)[graph.outputs[0]].ravel().argmax() for image in corpus.test.images]
    assert hits == sum(int(a) == int(b) for a, b in zip(named, corpus.test.labels, strict=True))
    monkeypatch.setattr(learn, "execute", lambda *_: {graph.outputs[0]: -execute(graph, corpus.test.images[0])[graph.outputs[0]]})
    with pytest.raises(EngineMismatch, match="disagrees with the reference"):
        integer_hits(graph, corpus.test)


def test_best_peels_fronts_and_keeps_the_ends() -> None:
    names = ["w8-none-sep-none-b4", "w8-none-sep-none-b8", "w8-none-inv-none-b4", "w8-none-inv-none-b8", "w16-none-sep-none-b4"]
    first, second, third, fourth, poor = map(parse, names)
    points: dict[Architecture, Point] = {first: (1, 60), second: (2, 70), third: (3, 80), fourth: (2.5, 65), poor: (0.5, 10)}
    assert best_of(points, 4, (0, 50)) == [first, second, fourth, third]
    assert best_of(points, 2, (0, 50)) == [first, third]
    assert best_of(points, 9, (0, 50)) == [first, second, fourth, third]


def test_the_fastest_that_is_accurate_enough_wins() -> None:
    def made(name: str, valid: float, cycles: int) -> Finalist:
        return Finalist(parse(name), valid, cycles, cycles, 0.01, "optimal", 0.0, None)  # type: ignore[arg-type]

    three = [made("w8-none-sep-none-b4", 95, 10), made("w8-none-sep-none-b8", 97, 20), made("w16-none-sep-none-b4", 98, 30)]
    assert choose(three, 97) is three[1]
    assert choose(three, 99) is three[2]


def test_a_board_too_small_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no engine of the grid fits slice-8") as caught:
        run_nas(Options(board="slice-8", out=tmp_path / "x"), Console(quiet=True))
    assert "dsp from 45 to 152" in str(caught.value)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--solver", "nosuch"], "there is no solver called 'nosuch'"),
        (["--engines", "nosuch"], "there is no engine called 'nosuch'"),
        (["--folds", "1"], "one fold leaves nothing to train on"),
        (["--supernet-epochs", "3", "--warm", "3"], "--warm 3 leaves no epoch of 3 to the other architectures"),
        (["--pictures", "1,2"], "are not three numbers"),
        (["--until", "nosuch"], "no stage called 'nosuch'"),
        (["--device", "nosuch"], "cannot compute on 'nosuch'"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["nas", *arguments])
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)


@pytest.mark.nightly
def test_whole_command_on_the_hls_kernel(tmp_path: Path) -> None:
    few = Options(out=tmp_path, supernet_epochs=3, epochs=4, quantized_epochs=2, evaluations=12, finalists=2, folds=2, engines=("csim",))
    assert run_nas(few, Console(quiet=True)) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["evaluations"] == 12
    assert sum(of for _, of in report["folds"]) == 1797
    assert report["proofs"][0]["compared"] > 1000
    assert (tmp_path / "front.png").stat().st_size > 5000
    result = CliRunner().invoke(app, ["build", str(tmp_path / "winner.json"), "--engines", "csim"])
    assert result.exit_code == 0, result.output


def test_another_version_of_the_code_is_another_search(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was paid for under other code would be mixed with what is chosen now."""
    setting = Setting(corpus, load_board(BOARD), BOARD, tmp_path, LESSONS, 5)
    claim(tmp_path, identity(corpus, setting, PLAN))
    assert claim(tmp_path, identity(corpus, setting, PLAN))
    monkeypatch.setattr(run, "code_digest", lambda packages: "0" * 64)
    with pytest.raises(CheckpointError, match="another search: code was"):
        claim(tmp_path, identity(corpus, setting, PLAN))


def test_a_finalist_is_a_network_by_its_checkpoint(tmp_path: Path) -> None:
    """Designs of winners name networks that no installation knows: the file is enough."""
    graph = graph_of(parse("w8-none-sep-none-b4"))
    path = tmp_path / "network.safetensors"
    save_graph(graph, path)
    assert network_digest(load_network(graph.name, str(path)).graph) == network_digest(graph)
    with pytest.raises(CheckpointError, match="not w16"):
        load_network("w16-none-sep-none-b4", str(path))
    with pytest.raises(ModelError, match="no network called"):
        load_network(graph.name)
