"""What a wrapper and added children move: paths in the plan for tensor parallelism, marks in the text, order."""

import torch
import transformers as tf
from torch import nn

import archit_codegen as archit
from tests.models import build
from tests.small import TEXT, check, small


class Scaled(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, hidden_states: torch.Tensor, *args, **kwargs) -> torch.Tensor:
        return 2 * self.inner(hidden_states, *args, **kwargs)


def plan_of(live: nn.Module) -> dict[str, str]:
    package = archit.compile_model(live, name="scaled", suffix="Scaled")
    root = getattr(package.load(), package.root_class)
    return dict(root.config_class.base_model_tp_plan)


def test_the_plan_follows_a_wrapped_layer() -> None:
    live = build("llama")
    declared = live.config.base_model_tp_plan
    live.model.layers[1] = Scaled(live.model.layers[1])
    plan = plan_of(live)
    assert plan["layers.*.inner.mlp.up_proj"] == declared["layers.*.mlp.up_proj"]
    assert declared.items() <= plan.items()
    assert len(plan) == len(declared) + sum(key.startswith("layers.*.") for key in declared)


def test_the_plan_follows_a_wrapped_linear() -> None:
    live = build("llama")
    declared = live.config.base_model_tp_plan
    live.model.layers[0].mlp.up_proj = Scaled(live.model.layers[0].mlp.up_proj)
    assert plan_of(live) == {**declared, "layers.*.mlp.up_proj.inner": declared["layers.*.mlp.up_proj"]}


def test_without_a_wrapper_the_plan_is_inherited() -> None:
    live = build("llama")
    live.model.norm = nn.Identity()
    assert plan_of(live) == live.config.base_model_tp_plan


def test_a_layer_of_experts_inside_a_wrapper() -> None:
    """Transformers looks for its mark of experts in the text of the file: the layer that is held stands there."""
    config = tf.MixtralConfig(**TEXT, num_key_value_heads=1, num_local_experts=2)
    live = small(tf.MixtralForCausalLM, config)
    for index, layer in enumerate(live.model.layers):
        live.model.layers[index] = Scaled(layer)
    check(live, "Scaled(MixtralDecoderLayer(config, layer_idx))", "@use_experts_implementation", saved=False)


def test_what_a_class_adds_after_its_post_init_comes_first() -> None:
    config = tf.DistilBertConfig(
        dim=8, n_layers=2, n_heads=2, hidden_dim=12, vocab_size=23, max_position_embeddings=16
    )
    live = small(tf.DistilBertForMaskedLM, config)
    live.probe = nn.Linear(8, 2)
    text = check(live, "self.probe = nn.Linear(8, 2)", saved=False)
    body = text.partition("class DistilBertForMaskedLMWithX")[2]
    assert body.index("self.mlm_loss_fct =") < body.index("self.probe =") < body.index("self.post_init()")
