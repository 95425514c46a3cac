"""What PEFT does to a model, with each of its methods that build modules."""

from collections.abc import Callable
from pathlib import Path

import peft
import pytest
import torch
import transformers as tf
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from torch import nn

import archit_codegen as archit
from tests.judge import judge
from tests.small import bert, check, compiled, inputs_of, llama, said

ATTENTION = ["q_proj", "v_proj"]


def adapted() -> nn.Module:
    live = bert()
    with archit.record():
        inject_adapter_in_model(LoraConfig(r=2, target_modules=["query", "value"]), live)
    return live.eval()


def test_adapters_of_peft(tmp_path: Path) -> None:
    """PEFT gives each layer the path at which it stands, and keeps it."""
    live = adapted()
    text = check(
        live,
        "for i, layer in enumerate(self.layer): layer.attention.self.query = Linear(layer.attention.self.query,",
        'target_name=f"bert.encoder.layer.{i}.attention.self.query"',
        'target_name=f"bert.encoder.layer.{i}.attention.self.value"',
        r'r"^bert\.(encoder\.layer\.\d+\.attention\.self\.query)\.(?=(?:weight|bias)(?![^.]))"',
        saved=False,  # transformers gives every weight that it loads gradients again
    )
    assert "BertLayerWithX" not in text and text.count("WeightRenaming(") == 2
    torch.manual_seed(3)
    declared = tf.BertForMaskedLM(live.config)
    declared.save_pretrained(tmp_path)
    package = compiled(live)
    root = getattr(package.load(), package.root_class)
    loaded, report = root.from_pretrained(tmp_path, output_loading_info=True)
    assert all("lora_" in key for key in report["missing_keys"]) and not report["unexpected_keys"]
    here = loaded.state_dict()
    for name, weight in declared.state_dict().items():
        assert torch.equal(here.get(name, here.get(with_base(name))), weight), name
    loaded.save_pretrained(tmp_path / "again")
    again, report = root.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not any(report.values())
    assert [key for key, weight in here.items() if not torch.equal(weight, again.state_dict()[key])] == []


def with_base(name: str) -> str:
    module, _, last = name.rpartition(".")
    return f"{module}.base_layer.{last}"


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (lambda: LoraConfig(r=2, use_dora=True, target_modules=ATTENTION), "use_dora=True"),
        (lambda: LoraConfig(r=2, target_modules=["embed_tokens", "q_proj"]), "Embedding("),
        (
            lambda: LoraConfig(r=2, rank_pattern={"layers.1.self_attn.q_proj": 4}, target_modules=ATTENTION),
            "r=4 if i == 1 else 2",
        ),
        (lambda: LoraConfig(r=2, layers_to_transform=[1, 2], target_modules=ATTENTION), "self.layers[1:]"),
        (lambda: peft.IA3Config(target_modules=["q_proj", "down_proj"], feedforward_modules=["down_proj"]), "IA3"),
        (lambda: peft.LoHaConfig(r=2, target_modules=ATTENTION), "LoHa"),
        (lambda: peft.AdaLoraConfig(total_step=10, init_r=2, target_modules=ATTENTION), "SVDLinear"),
        (lambda: peft.LNTuningConfig(target_modules=["input_layernorm"]), "LNTuning"),
    ],
    ids=["dora", "embeddings", "ranks", "layers", "ia3", "loha", "adalora", "norms"],
)
def test_methods(config: Callable[[], peft.PeftConfig], kept: str) -> None:
    with archit.record():
        live = llama()
        get_peft_model(live, config())
    check(live, kept, saved=False)


def with_another_head() -> nn.Module:
    live = llama()
    live.lm_head = nn.Linear(8, 23)
    return live.eval()


def test_a_model_set_up_for_checkpointing() -> None:
    """The hook that transformers puts on the embeddings for it is no part of what a class declares."""
    live = with_another_head()
    live.gradient_checkpointing_enable()
    assert live.model.embed_tokens._forward_hooks
    package = compiled(live)
    said(package.files, "self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)")
    untouched = with_another_head()
    judge(untouched, package, inputs_of(untouched))


def test_the_model_of_peft_around_a_model_is_not_what_to_compile() -> None:
    with archit.record():
        around = get_peft_model(bert(), LoraConfig(r=2, target_modules=["query"]))
    with pytest.raises(archit.InvalidDeclaration, match=r"It holds a BertForMaskedLM as `base_model\.model`: compile"):
        archit.compile_model(around, name="tiny_x", suffix="WithX")
