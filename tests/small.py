"""The smallest models on which a change can be seen, and the two questions asked of each change: is what is emitted
the live model, and does it say so in the words a person would have used?"""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import transformers as tf
from transformers import PreTrainedModel

import archit_codegen as archit
from tests.judge import compare_outputs, judge
from tests.models import liven

SHAPE = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 12}
TEXT = {**SHAPE, "vocab_size": 23, "max_position_embeddings": 16}


def llama(**more: Any) -> Any:
    return small(tf.LlamaForCausalLM, tf.LlamaConfig(**{**TEXT, "num_key_value_heads": 1, **more}))


def bert(**more: Any) -> Any:
    return small(tf.BertForMaskedLM, tf.BertConfig(**{**TEXT, **more}))


def vit(**more: Any) -> Any:
    return small(tf.ViTForImageClassification, tf.ViTConfig(**{**SHAPE, "image_size": 4, "patch_size": 2, **more}))


def small(cls: type[PreTrainedModel], config: Any) -> PreTrainedModel:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = cls(config).eval()
    liven(model)
    return model


def inputs_of(live: Any) -> dict[str, Any]:
    """Without a cache where there is one: a list of layers may have become longer than the cache."""
    generator = torch.Generator().manual_seed(2)
    if live.main_input_name == "pixel_values":
        return {"pixel_values": torch.randn((2, 3, 4, 4), generator=generator)}
    cached = "use_cache" in inspect.signature(type(live).forward).parameters
    return {"input_ids": torch.randint(3, 23, (2, 5), generator=generator), **({"use_cache": False} if cached else {})}


def compiled(live: Any, **options: Any) -> Any:
    return archit.compile_model(live.eval(), name="tiny_x", suffix="WithX", inputs=inputs_of(live), **options)


def check(live: Any, *lines: str, saved: bool = True, **options: Any) -> str:
    """Compile, judge, and find the telling lines; returns all that was emitted."""
    package = compiled(live, **options)
    judge(live, package, inputs_of(live), saved=saved)
    text = said(package.files, *lines)
    for foreign in ("archit_codegen", "tests", "__main__"):
        assert f"from {foreign}" not in text and f"import {foreign}" not in text, (
            f"the package needs {foreign}\n{text}"
        )
    return text


def check_without_patch(live: Any, patch: pytest.MonkeyPatch, *lines: str, **options: Any) -> str:
    """Like `check`, and the package computes the same once the patch of the process is gone."""
    package = compiled(live, **options)
    judge(live, package, inputs_of(live), saved=False)
    with torch.no_grad():
        before = {name: live(**inputs_of(live))[name].clone() for name in ("logits",)}
    patch.undo()
    root = getattr(package.load(), package.root_class)
    built = root(root.config_class(**plain_values(live.config))).eval()
    built.load_state_dict(live.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(built(**inputs_of(live)).logits, before["logits"])
    return said(package.files, *lines)


def plain_values(config: Any) -> dict[str, Any]:
    return {name: value for name, value in config.to_diff_dict().items() if name != "model_type"}


def said(files: Mapping[str, str], *lines: str) -> str:
    """Every line is in the text, however it is wrapped there."""
    text = "\n".join(text for name, text in files.items() if name.endswith(".py"))
    for line in lines:
        assert unwrapped(line) in unwrapped(text), f"nowhere emitted: {line}\n{text}"
    return text


def unwrapped(text: str) -> str:
    return "".join(text.split()).replace(",)", ")").replace(",]", "]")


def refusal(live: Any, path: str, *says: str, kind: type[archit.ArchitError] = archit.UnsupportedChange) -> None:
    """It is refused, by the path (where that is not ""), the reason and the way out."""
    with pytest.raises(kind) as caught:
        compiled(live)
    error = caught.value
    assert type(error) is not archit.ValidationFailed, error
    assert not path or str(error).startswith(f"{path}: "), error
    assert "\n" not in str(error), error
    for text in says:
        assert text in str(error), error
    if isinstance(error, archit.UnsupportedChange):
        assert error.path and error.reason and error.remedy[0].isupper() and error.remedy.endswith("."), error


__all__ = ["bert", "check", "check_without_patch", "compare_outputs", "compiled", "inputs_of", "llama", "refusal"]
__all__ += ["said", "vit"]
