"""Modules that are alike are read once: what tells two of them apart must never be lost by that."""

import pytest
import torch
from torch import nn

from archit_codegen.declaration.distance import align
from archit_codegen.declaration.ir import Node
from archit_codegen.declaration.tree import Reader, default_dtype
from archit_codegen.declaration.values import Values
from archit_codegen.declaration.walking import named_modules


class Block(nn.Module):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)
        self.scale = 0.0
        self.flag = True
        self.names = ["a"]
        self.register_buffer("kept", torch.zeros(2))


def read(*blocks: nn.Module) -> Node:
    root = nn.ModuleList(blocks)
    return Reader(Values({}, {}), lambda module: None, default_dtype(named_modules(root)), {}).read(root)


def forms(*blocks: nn.Module) -> list[int]:
    return [child.form for _, child in read(*blocks).children if child is not None]


def zero_with_a_sign(block: Block) -> None:
    block.scale = -0.0


def one_for_true(block: Block) -> None:
    block.flag = 1


def another_list(block: Block) -> None:
    block.names = ["b"]


def frozen(block: Block) -> None:
    block.linear.weight.requires_grad_(False)


def not_saved(block: Block) -> None:
    block._non_persistent_buffers_set.add("kept")


def another_dtype(block: Block) -> None:
    block.linear.half()


def hooked(block: Block) -> None:
    block.linear.register_forward_hook(lambda *args: None)


def patched(block: Block) -> None:
    block.linear.forward = lambda x: x


def without_a_child(block: Block) -> None:
    block._modules["linear"] = None


def another_class(block: Block) -> None:
    block.linear.__class__ = nn.Identity


def a_buffer_for_a_parameter(block: Block) -> None:
    bias = block.linear.bias
    del block.linear.bias
    block.linear.register_buffer("bias", bias.detach())


CHANGES = [
    zero_with_a_sign, one_for_true, another_list, frozen, not_saved, another_dtype, hooked, patched, without_a_child,
    another_class, a_buffer_for_a_parameter,
]  # fmt: skip


def test_blocks_that_are_alike_have_one_form() -> None:
    assert len(set(forms(Block(), Block(), Block()))) == 1


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_tells_two_blocks_apart_gives_them_two_forms(change) -> None:
    changed = Block()
    change(changed)
    first, second, third = forms(Block(), changed, Block())
    assert first == third != second


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_was_read_of_one_block_is_not_taken_for_another(change) -> None:
    changed = Block()
    change(changed)
    together, alone = read(Block(), changed, Block()).children[1][1], read(changed).children[0][1]
    assert together is not None and alone is not None
    for slot in ("cls", "parameters", "buffers", "attributes", "methods", "hooks"):
        assert getattr(together, slot) == getattr(alone, slot)


def test_a_module_is_read_anew_after_it_was_forgotten() -> None:
    block = Block()
    root = nn.ModuleList([block])
    reader = Reader(Values({}, {}), lambda module: None, torch.float32, {})
    before = reader.read(root)
    block.names.append("b")
    block.linear.in_features = 5
    reader.forget(root)
    after = reader.read(root)
    assert before.children[0][1].form != after.children[0][1].form
    assert dict(after.children[0][1].children)["linear"].attributes[0][1].text == "5"


def test_members_are_told_by_what_differs_deep_inside_of_them() -> None:
    declared, live = ([Block() for _ in range(4)] for _ in range(2))
    for blocks in (declared, live):
        for index, block in enumerate(blocks):
            block.linear.place = index
    members = [[child for _, child in read(*blocks).children] for blocks in (declared, [live[2], live[0], live[3]])]
    assert align(*members) == [2, 0, 3]
