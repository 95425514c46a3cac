"""Changes in modules that a class further up builds and gives to the one that holds them."""

import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.small import check, said, small


class Gate(nn.Module):
    """Scales what a module gives."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.gate = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) * self.gate


def zamba() -> nn.Module:
    """Every second layer is given attention that the base model built, with weights that are tied."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 12}
    mamba = {"mamba_d_state": 2, "mamba_d_conv": 2, "mamba_dt_rank": 2, "n_mamba_heads": 1}
    kinds = ["mamba", "hybrid", "mamba", "hybrid"]
    config = tf.ZambaConfig(vocab_size=23, num_key_value_heads=2, layers_block_type=kinds, **sizes, **mamba)
    return small(tf.ZambaForCausalLM, config)


def test_one_of_them_changed_inside() -> None:
    """The base model builds another class for that layer, and says on each model what is still tied."""
    live = zamba()
    with archit.record():
        block = live.model.layers[3].shared_transf
        block.feed_forward.down_proj = Gate(block.feed_forward.down_proj)
    check(
        live,
        "ZambaAttentionDecoderLayerWithX(config) if layer_id == 3 else ZambaAttentionDecoderLayer(config)",
        'self._tied_weights_keys = {"layers.3.shared_transf.self_attn.q_proj.weight"',
    )


def test_all_of_them_changed_inside() -> None:
    live = zamba()
    for layer in (1, 3):
        live.model.layers[layer].shared_transf.feed_forward.act_fn = nn.Tanh()
    check(live, "layers.append(ZambaHybridLayer(ZambaAttentionDecoderLayerWithX(config), linear, mamba))")


class Branch(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(width, width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x))


def loaded(width: int) -> Branch:
    return Branch(width)


def without_norms(module: nn.Module) -> None:
    module.norm = nn.Identity()


class Tower(nn.Module):
    """It goes on to change what a helper has built."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        branch = loaded(width)
        without_norms(branch)
        self.branch = branch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.branch(x)


def test_a_variant_stands_where_a_helper_built_the_declared_class() -> None:
    live = Tower().eval()
    live.branch.linear = nn.Linear(4, 4, bias=False)
    package = archit.compile_model(live, name="tiny_x", suffix="WithX")
    said(package.files, "branch = BranchWithX(4)\n        without_norms(branch)")
    built = getattr(package.load(), package.root_class)()
    built.load_state_dict(live.state_dict(), strict=True)
    x = torch.randn(2, 4)
    assert torch.equal(built(x), live(x))
