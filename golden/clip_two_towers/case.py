"""CLIP changed in both towers: a layer less for text, another activation for images."""

from torch import nn
from transformers import CLIPConfig, CLIPModel


def build() -> nn.Module:
    tower = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 24}
    text = dict(tower, vocab_size=61, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    vision = dict(tower, image_size=12, patch_size=4)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    del model.text_model.encoder.layers[1]
    for layer in model.vision_model.encoder.layers:
        layer.mlp.activation_fn = nn.SiLU()
    return model
