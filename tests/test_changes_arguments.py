"""What was changed in a module since its call is written into the call, where the call says it."""

import copy

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel, LlamaConfig, LlamaForCausalLM, T5Config, T5Model
from transformers.models.clip.modeling_clip import CLIPEncoderLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaMLP
from transformers.models.t5.modeling_t5 import T5LayerFF

import archit_codegen as archit


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "num_hidden_layers": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=61, **sizes))


def modeling(model: nn.Module) -> str:
    package = archit.compile_model(model, name="changed", suffix="X")
    return " ".join(package.files["changed/modeling_changed.py"].split())


def test_a_module_built_from_a_changed_copy_of_the_config() -> None:
    model = llama()
    wider = copy.deepcopy(model.config)
    wider.intermediate_size = 40
    model.model.layers[2].mlp = LlamaMLP(wider)
    text = modeling(model)
    assert "self.mlp = LlamaMLP(config_with(config, intermediate_size=40))" in text
    assert text.count("def config_with(") == 1
    assert "archit_codegen." not in text and "import copy" in text


def test_whole_layers_built_from_a_changed_copy_need_no_class() -> None:
    model = llama()
    other = copy.deepcopy(model.config)
    other.intermediate_size, other.num_key_value_heads = 40, 2
    for index in (1, 2):
        model.model.layers[index] = LlamaDecoderLayer(other, index)
    text = modeling(model)
    assert "LlamaDecoderLayer(config_with(config, intermediate_size=40, num_key_value_heads=2), layer_idx)" in text
    assert "LlamaDecoderLayerX" not in text


def test_layers_copied_before_the_config_was_told() -> None:
    model = llama()
    layers = model.model.layers
    model.model.layers = nn.ModuleList(copy.deepcopy(layers[index]) for index in (0, 1, 1, 2, 2, 3))
    model.config.num_hidden_layers = 6
    for index, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = index
    assert "LlamaDecoderLayer(config_with(config, num_hidden_layers=4), layer_idx)" in modeling(model)


def test_a_copy_of_a_config_within_the_config() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**sizes, "vocab_size": 61, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**sizes, "image_size": 8, "patch_size": 4}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    other = copy.deepcopy(model.config.vision_config)
    other.intermediate_size = 12
    model.vision_model.encoder.layers[1] = CLIPEncoderLayer(other)
    assert "CLIPEncoderLayer(config_with(config, intermediate_size=12))" in modeling(model)


def test_an_attribute_that_holds_an_argument_changes_the_argument() -> None:
    for recorded in (False, True):
        model = llama()
        if recorded:
            with archit.record():
                model = llama()
        model.model.norm.variance_epsilon = 1e-3
        text = modeling(model)
        assert "self.norm = LlamaRMSNorm(config.hidden_size, eps=0.001)" in text
        assert "LlamaRMSNormX" not in text


def test_an_attribute_that_is_computed_from_arguments_stays_a_statement() -> None:
    model = llama()
    model.model.layers[0].self_attn.scaling = 0.3
    assert "self.scaling = 0.3" in modeling(model)


def test_a_new_attribute_named_as_a_field_of_the_config_is_that_field() -> None:
    model = llama()
    model.model.layers[0].mlp.vocab_size = model.config.vocab_size
    assert "self.vocab_size = config.vocab_size" in modeling(model)


def test_a_copy_of_a_copy_says_what_differs_from_that() -> None:
    """The encoder's config is a copy of the model's with other values; so is that of its layer."""
    sizes = {"vocab_size": 61, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 3, "num_heads": 4}
    model = T5Model(T5Config(**sizes))
    wider = copy.deepcopy(model.encoder.config)
    wider.d_ff = 40
    with archit.record():
        model.encoder.block[1].layer[1] = T5LayerFF(wider)
    assert "T5LayerFF(config_with(config, d_ff=40))" in modeling(model)


def test_an_attribute_that_follows_nothing_stays_a_number() -> None:
    """What the surgery does at other configs says more than a name that fits."""

    def build(config: LlamaConfig) -> LlamaForCausalLM:
        model = LlamaForCausalLM(config)
        model.model.layers[0].mlp.vocab_size = 61
        return model

    package = archit.compile_surgery(build, llama().config, name="changed", suffix="X")
    assert "self.vocab_size = 61" in package.files["changed/modeling_changed.py"]
