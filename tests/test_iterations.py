"""Which iteration of a loop built a module: a changed member must come back at its own index, and nowhere else."""

import re
import types
from collections.abc import Callable

import pytest
import torch
from torch import nn

import archit_codegen as archit
from archit_codegen.declaration.emittednames import Patches
from archit_codegen.declaration.validate import validate


class Block(nn.Module):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Wide(Block):
    pass


class Root(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for member in self.layers:
            x = member(x)
        return x


class Ternary(Root):
    """Two sites in one comprehension: neither runs in each iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Wide() if index in (0, 2) else Block() for index in range(6)])


class Appended(Root):
    """A loop without an index, which leaves out some."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for kind in ("b", "w", "b", "b", "w", "b"):
            if kind == "w":
                self.layers.append(Wide())
            else:
                self.layers.append(Block())


class Helped(Root):
    """One loop that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([*self.stage(), *self.stage()])

    def stage(self) -> list[nn.Module]:
        return [Block() for index in range(3)]


class FromThree(Root):
    """A loop that does not count from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block() for index in range(3, 9)])


class Unpacked(Root):
    """A loop over tuples that are taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for size, _ in ((4, 0), (4, 1), (4, 2), (4, 3), (4, 4), (4, 5)):
            self.layers.append(Block(size))


class Taken(Root):
    """The usual name of a count has a meaning of its own here."""

    def __init__(self) -> None:
        super().__init__()
        i = 4
        self.layers = nn.ModuleList([Block(i) for _ in range(6)])


class Deep(Root):
    """More members than an expression can tell apart: each choice would stand inside of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block() for index in range(40)])


def halved(self, x):
    return self.linear(x) / 2


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("root", [Ternary, Appended, Helped, FromThree, Unpacked, Taken])
def test_a_patched_member_stays_where_it_is(root: Callable[[], nn.Module], index: int) -> None:
    live = root().eval()
    live.layers[index].forward = types.MethodType(halved, live.layers[index])
    package = archit.compile_model(live, name="iterations", suffix="New")
    built = getattr(package.load(), package.root_class)()
    named = [
        name for name, module in built.layers.named_children() if "/ 2" in code_of(package, type(module).__name__)
    ]
    assert named == [str(index)]


def test_many_members_that_all_differ_are_no_chain_of_conditions() -> None:
    live = Deep().eval()
    for index, member in enumerate(live.layers):
        member.linear = nn.LayerNorm(4, eps=1 / (index + 3))
    package = archit.compile_model(live, name="iterations", suffix="New")
    built = getattr(package.load(), package.root_class)()
    assert [member.linear.eps for member in built.layers] == [member.linear.eps for member in live.layers]
    text = "\n".join(package.files.values())
    assert "for i, layer in enumerate(self.layers):" in text and " if index == " not in text


def code_of(package: archit.Package, name: str) -> str:
    text = "\n".join(package.files.values())
    return text.partition(f"class {name}(")[2].partition("\nclass ")[0]


def test_the_validation_sees_a_variant_at_another_index() -> None:
    """On meta no output tells two variants apart that differ in a method alone."""
    with torch.device("meta"):
        live = Ternary()
    live.layers[3].forward = types.MethodType(halved, live.layers[3])
    package = archit.compile_model(live, name="iterations", suffix="New")
    live.layers[4].forward = live.layers[3].__dict__.pop("forward")
    (modelling,) = (name for name, text in package.files.items() if "index == 3" in text)
    names = re.findall(r"^class (\w+)", "\n".join(package.files.values()), re.MULTILINE)
    origins = {name: f"{__name__}:{name.removesuffix('New')}" for name in names}
    patches = Patches({id(live.layers[4]): {"forward": "halved"}}, {"BlockNew": {"forward": "halved"}})
    with pytest.raises(archit.ValidationFailed, match=r"layers\.3.*forward patched"):
        validate(live, "iterations", package.files, "TernaryNew", origins, build=lambda root: root(), patches=patches)
    moved = {**package.files, modelling: package.files[modelling].replace("index == 3", "index == 4")}
    assert moved != package.files
    assert validate(live, "iterations", moved, "TernaryNew", origins, build=lambda root: root(), patches=patches)
