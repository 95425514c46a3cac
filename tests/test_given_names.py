"""Names that new text relies on (`init`, `config_with`), where the user calls something else so."""

import copy
import importlib.util
import sys
from pathlib import Path
from types import MethodType, ModuleType

import pytest
import torch
import transformers as tf
from transformers.models.llama.modeling_llama import LlamaMLP

import archit_codegen as archit
from tests.models import decoder_config, inputs_for

MODULE = '''
import torch
import transformers as library
from torch import nn


def config_with(config, **changes):
    """Something else."""
    return 3.0


def init(hidden_states):
    return 2 * hidden_states


class Waves(nn.Module):
    def __init__(self, config: library.LlamaConfig):
        super().__init__()
        self.config = config
        self.register_buffer("wave", torch.arange(config.hidden_size).float(), persistent=False)

    def forward(self, hidden_states):
        return init(hidden_states) + self.wave * config_with(None)


def doubled(self, x):
    return init(self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))) + config_with(None)


class OwnPreTrained(library.PreTrainedModel):
    config: library.LlamaConfig
    base_model_prefix = "own"


class Own(OwnPreTrained):
    def __init__(self, config):
        super().__init__(config)
        self.first = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def forward(self, inputs_embeds):
        return init(self.first(inputs_embeds))
'''


@pytest.fixture()
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = tmp_path / "waves_of_mine.py"
    path.write_text(MODULE)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def test_the_names_of_the_user_make_way(user: ModuleType) -> None:
    live = tf.LlamaForCausalLM(decoder_config(tf.LlamaConfig))
    wide = copy.deepcopy(live.config)
    wide.intermediate_size = 40
    with archit.record():
        live.model.norm = user.Waves(live.config)
        live.model.layers[0].mlp = LlamaMLP(wide)
        layer = live.model.layers[1]
        layer.mlp.forward = MethodType(user.doubled, layer.mlp)
    package = archit.compile_model(live, name="waves", suffix="X", inputs=inputs_for(live))
    assert package.notes == ()
    text = package.files["waves/modeling_waves.py"]
    assert "from transformers import initialization as init\n" in text
    assert "LlamaMLP(config_with(config, intermediate_size=40))" in text
    assert "import transformers as library\n" in package.files["waves/modules_waves.py"]


def test_a_class_of_a_file_with_another_meaning_is_refused(user: ModuleType) -> None:
    live = user.Own(decoder_config(tf.LlamaConfig))
    live.register_buffer("scale", torch.full((16,), 2.0), persistent=False)
    with pytest.raises(archit.ArchitError, match=r"Own.*\binit\b.*means something else by that name.*another name"):
        archit.compile_model(live, name="own", suffix="X")
