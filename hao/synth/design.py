"""Walks the hierarchy from a top block down, synthesizing every block once per set of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hao.synth.area import Area, count
from hao.synth.sources import Sources
from hao.synth.yosys import BlockKey, Json, block_key, decode_parameter, plan_block, synthesize


@dataclass(frozen=True, slots=True)
class Instance:
    """One place of a block in the hierarchy; ``path`` is ``top/u_units/u_dense``."""

    path: str
    key: BlockKey


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A synthesized hierarchy.

    Attributes:
        instances: every block instance, the top first, each before those inside it.
        netlists: by block.
        digests: digest of the synthesis by block.
    """

    instances: tuple[Instance, ...]
    netlists: Mapping[BlockKey, Json]
    digests: Mapping[BlockKey, str]

    def area(self, key: BlockKey) -> Area:
        """Resources of one instance of ``key``, without the blocks inside it."""
        return count(self.netlists[key])

    def total(self) -> Area:
        """Resources of all instances."""
        return sum((self.area(instance.key) for instance in self.instances), Area())

    def places(self) -> dict[BlockKey, list[str]]:
        """Paths of the instances by block, in hierarchical order."""
        found: dict[BlockKey, list[str]] = {}
        for instance in self.instances:
            found.setdefault(instance.key, []).append(instance.path)
        return found


def children(sources: Sources, netlist: Json) -> Iterator[tuple[str, BlockKey]]:
    """Name and block of every black box in ``netlist``."""
    for child in netlist["children"]:
        values = {name: value for name, value in child["parameters"].items() if name in sources.parameters(child["type"])}
        yield child["name"], block_key(sources, child["type"], {name: decode_parameter(value) for name, value in values.items()})


def synthesize_design(
    sources: Sources, module: str, parameters: Mapping[str, str], progress: Callable[[str], None] = lambda _: None
) -> Design:
    """Synthesize ``module`` and every block below it.

    Args:
        sources: the RTL.
        module: the top block.
        parameters: SystemVerilog literals by parameter name; names that the module does not have are ignored.
        progress: called with a block's label before it is synthesized or taken from the cache.

    Raises:
        SynthesisError: no such module, or Yosys refused a block.
        MissingTool: Yosys is not installed.
    """
    sources.text(module)
    netlists: dict[BlockKey, Json] = {}
    digests: dict[BlockKey, str] = {}
    instances: list[Instance] = []

    def visit(path: str, key: BlockKey) -> None:
        if key not in netlists:
            progress(key.label)
            netlists[key] = synthesize(sources, key)
            digests[key] = plan_block(sources, key).digest()
        instances.append(Instance(path, key))
        for name, inner in children(sources, netlists[key]):
            visit(f"{path}/{name}", inner)

    visit(module, block_key(sources, module, parameters))
    return Design(tuple(instances), netlists, digests)
