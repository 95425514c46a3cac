"""One change of a slot, one compilation: an attribute, a tensor, a child."""

import copy

import torch
from torch import nn
from transformers import BertModel

import archit_codegen as archit
from tests.small import bert, check, llama, small, vit


def test_attribute_set_in_place() -> None:
    live = llama()
    live.model.layers[1].self_attn.scaling = 0.125
    check(
        live,
        "self.scaling = 0.125",
        "LlamaDecoderLayerWithX(config, layer_idx) if layer_idx == 1 else LlamaDecoderLayer(config, layer_idx)",
    )


def test_attribute_of_every_layer() -> None:
    live = bert()
    for layer in live.bert.encoder.layer:
        layer.output.LayerNorm.eps = 0.125
    check(live, "self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=0.125)")


def test_parameter_reshaped() -> None:
    live = vit()
    live.vit.embeddings.cls_token = nn.Parameter(torch.rand(1, 2, 8))
    live.vit.embeddings.position_embeddings = nn.Parameter(torch.rand(1, 6, 8))
    check(live, "self.cls_token = nn.Parameter(torch.zeros(1, 2, 8))", "if isinstance(module, ViTEmbeddingsWithX):")


def test_parameter_of_a_layer_of_torch_reshaped() -> None:
    live = llama()
    live.model.layers[1].mlp.gate_proj.weight = nn.Parameter(torch.rand(1, 8))
    check(live, "self.gate_proj.weight = nn.Parameter(torch.zeros(1, 8))")


def test_buffer_added() -> None:
    live = llama()
    live.model.layers[2].register_buffer("steps", torch.zeros(3))
    check(live, 'self.register_buffer("steps", torch.zeros(3))')


def test_bias_removed() -> None:
    live = bert()
    live.bert.encoder.layer[1].intermediate.dense.bias = None
    check(live, "self.dense = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)")


def test_bias_added() -> None:
    live = llama()
    live.model.layers[1].mlp.up_proj.bias = nn.Parameter(torch.rand(12))
    check(live, "self.up_proj = nn.Linear(self.hidden_size, self.intermediate_size)")


def test_linear_constructed_without_bias() -> None:
    live = bert()
    live.bert.encoder.layer[1].intermediate.dense = nn.Linear(8, 12, bias=False)
    check(live, "self.dense = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)")


def test_module_frozen() -> None:
    live = llama()
    live.model.embed_tokens.requires_grad_(False)
    live.model.layers[0].requires_grad_(False)
    text = check(
        live,
        "self.model.embed_tokens.requires_grad_(False)",
        "self.model.layers[0].requires_grad_(False)",
        saved=False,
    )
    assert "class LlamaModelWithX" not in text


def test_identity() -> None:
    live = bert()
    live.bert.encoder.layer[1].output.dropout = nn.Identity()
    check(live, "self.dropout = nn.Identity()")


def test_child_set_to_none() -> None:
    live = small(BertModel, bert().config)
    live.pooler = None
    check(live, "self.pooler = None")


def test_child_deleted() -> None:
    live = llama()
    del live.model.layers[1].mlp.gate_proj
    live.model.layers[1].mlp.forward = up_and_down.__get__(live.model.layers[1].mlp)
    check(live, "del self.gate_proj", "return self.down_proj(self.up_proj(x))")


def up_and_down(self, x):
    return self.down_proj(self.up_proj(x))


def test_child_added() -> None:
    live = llama()
    live.model.layers[0].probe = nn.Linear(8, 4)
    check(live, "self.probe = nn.Linear(8, 4)")


def test_module_dict_added() -> None:
    live = bert()
    live.heads = nn.ModuleDict({"small": nn.Linear(8, 2), "none": nn.Identity()})
    check(live, 'self.heads = nn.ModuleDict({"small": nn.Linear(8, 2), "none": nn.Identity()})')


def test_sequential_head_recorded() -> None:
    with archit.record():
        live = vit()
        live.classifier = nn.Sequential(nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 2))
    check(live, "nn.Sequential(nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 2)) if config.num_labels > 0")


def test_sequential_head() -> None:
    live = vit()
    live.classifier = nn.Sequential(nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 2))
    check(live, "nn.Sequential(nn.Linear(config.hidden_size, 4), nn.GELU(), nn.Linear(4, config.num_labels))")


def test_sequential_around_what_was_there() -> None:
    live = vit()
    live.classifier = nn.Sequential(live.classifier, nn.Tanh())
    check(live, "nn.Sequential(nn.Linear(config.hidden_size, config.num_labels)", "nn.Tanh()")


def test_norm_of_another_class() -> None:
    live = llama()
    live.model.norm = nn.LayerNorm(8, eps=1e-3)
    check(live, "self.norm = nn.LayerNorm((8,), eps=0.001)")


def test_a_changed_copy_of_the_base_model_beside_it() -> None:
    """The declared class still stands for the unchanged one."""
    live = llama()
    live.teacher = copy.deepcopy(live.model)
    del live.teacher.layers[1]
    check(live, "self.model = LlamaModel(config)", "self.teacher = LlamaModelWithX(config)")
