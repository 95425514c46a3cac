"""What heads have to know of a base model: read from its class and config, and measured by running it once."""

import copy
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.models.auto import modeling_auto

from ..errors import InvalidDeclaration
from .ecosystem import declared_fields
from .inputs import LENGTH, InputsUnknown, make_inputs
from .outputs import run

PASSED = {
    "token_type_ids": "torch.LongTensor",
    "position_ids": "torch.LongTensor",
    "past_key_values": "Cache",
    "inputs_embeds": "torch.FloatTensor",
    "use_cache": "bool",
}
"""Arguments of a base model that a head takes by name and passes on; all others go through ``**kwargs``."""
CACHED = ("past_key_values", "use_cache")

HIDDEN = ("hidden_size", "d_model", "dim", "n_embd", "emb_dim", "model_dim", "word_embed_proj_dim", "embedding_size")
EMBEDDING = ("embedding_size", "word_embed_proj_dim", "d_embed", "emb_dim")
DROPOUT = ("hidden_dropout_prob", "hidden_dropout", "resid_pdrop", "resid_dropout", "dropout", "dropout_rate")
NORM_EPS = ("layer_norm_eps", "layer_norm_epsilon", "norm_eps", "rms_norm_eps")
ACTIVATION = ("hidden_act", "hidden_activation", "activation_function")
INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """Texts are expressions over ``config`` that stand in the heads."""

    prefix: str
    own_prefix: bool  # whether the classes of this family give their base model another name, or none
    passed: tuple[tuple[str, str], ...]
    passes_mask: bool
    optional_parts: tuple[str, ...]  # the children that `add_pooling_layer=False` leaves out
    experts: bool  # whether its file lets an experts implementation be set
    hidden_size: str
    embedding_size: str
    vocab_size: str | None
    dropout: str
    initializer_range: str
    norm_eps: str
    hidden_activation: str
    window: str
    embedding_path: str | None  # of the weight to which a vocabulary's may be tied
    states: str  # the names that the output gives the hidden states of all layers, and the attentions
    attentions: str
    as_wide: bool  # whether that weight is as wide as the hidden states
    declared: frozenset[str]  # fields that the config class has itself
    pooling: str
    activation: str | None
    by_token: bool | None  # whether there is one state for each token; None where that could not be measured
    causal: bool | None
    note: str | None


def base_of(live: nn.Module) -> PreTrainedModel:
    """The base model below the live one, or the live one itself.

    Raises:
        InvalidDeclaration: there is none.
    """
    if not isinstance(live, PreTrainedModel):
        raise InvalidDeclaration(f"Heads need a model of transformers, and {type(live).__name__} is none.")
    found = live.base_model
    if not isinstance(found, PreTrainedModel):
        raise InvalidDeclaration(f"{type(live).__name__} holds no base model of transformers below its head.")
    base: PreTrainedModel = found
    parameters = list(inspect.signature(type(base).forward).parameters)
    if "input_ids" not in parameters:
        raise InvalidDeclaration(f"Heads are for models of text, and {type(base).__name__} takes no input_ids.")
    return base


def family_of(cls: Any) -> Any:
    """The class from which the models of one family inherit: it initialises weights and knows the config."""
    below = [parent for parent in cls.__mro__ if issubclass(parent, PreTrainedModel) and parent is not PreTrainedModel]
    if below[-1] is cls:
        raise InvalidDeclaration(
            f"{cls.__name__} inherits from PreTrainedModel itself: nothing initialises its heads."
        )
    return below[-1]


def with_pooler(live: nn.Module) -> nn.Module:
    """A base model that was built without its pooler, under a root of its own that has one: heads can do without."""
    if not isinstance(live, PreTrainedModel) or live.base_model is not live:
        return live
    lacking = [name for name in _optional_parts(live) if name not in live._modules and name in vars(live)]
    if not lacking or any(vars(live)[name] is not None for name in lacking):
        return live
    whole, like = copy.copy(live), next(live.parameters())
    parts = {name: module for name, module in _on_meta(live)._modules.items() if name in lacking}
    for name, part in parts.items():
        whole.__dict__.pop(name)
        assert part is not None
        part.to(like.dtype).to_empty(device=like.device)
        for parameter in part.parameters():
            nn.init.zeros_(parameter)
    # In the order of the class, as its state dict has it.
    order = [name for name in _on_meta(live)._modules if name in live._modules or name in parts]
    whole.__dict__["_modules"] = {name: parts.get(name, live._modules.get(name)) for name in order}
    whole.__dict__["_modules"].update({n: m for n, m in live._modules.items() if n not in order})
    whole.train(live.training)
    return whole


def base_facts(base: PreTrainedModel, inputs: Mapping[str, Any] | None = None) -> BaseFacts:
    """Raises `InvalidDeclaration` where the model is no base model: it gives no hidden states from ``input_ids``."""
    config = base.config
    taken = inspect.signature(type(base).forward).parameters
    states, note = _states(base, inputs)
    hidden = _of_value(config, HIDDEN, None if states is None else states.shape[-1])
    embedding = _input_embedding(base)
    vocabulary = _first(config, ("vocab_size",), int)
    rows, width = (None, None) if embedding is None else tuple(embedding[1].shape)
    tower = "decoder_" if config.is_encoder_decoder else ""
    tied = embedding is not None and vocabulary is not None and rows == _value(config, vocabulary)
    pooling, activation = default_pooling(base)
    return BaseFacts(
        prefix=base.base_model_prefix or "model",
        own_prefix=family_of(type(base)).base_model_prefix != (base.base_model_prefix or "model"),
        passed=tuple((name, PASSED[name]) for name in PASSED if name in taken),
        passes_mask="attention_mask" in taken,
        optional_parts=_optional_parts(base),
        experts=type(base)._can_set_experts_implementation(),
        hidden_size=hidden,
        embedding_size=_of_value(config, (*HIDDEN, *EMBEDDING), width) if width is not None else hidden,
        vocab_size=vocabulary,
        dropout=_first(config, DROPOUT, float) or "0.1",
        initializer_range=_first(config, ("initializer_range",), float) or "0.02",
        norm_eps=_first(config, NORM_EPS, float) or "1e-5",
        hidden_activation=next((t for t in _texts(config, ACTIVATION) if _value(config, t) in ACT2FN), '"gelu"'),
        window=_window(base),
        embedding_path=embedding[0] if embedding is not None and tied else None,
        states=f"{tower}hidden_states",
        attentions=f"{tower}attentions",
        as_wide=width is not None and width == _value(config, hidden),
        declared=declared_fields(type(config)),  # type: ignore[arg-type]  # classes are hashable
        pooling=pooling,
        activation=activation,
        by_token=None if states is None else states.shape[1] == _length(base, inputs),
        causal=None if states is None or states.is_meta else _is_causal(base, inputs, states),
        note=note,
    )


# --- measuring


def text_inputs(base: PreTrainedModel, inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Only what every head takes: of the inputs that were given, else made ones."""
    given = {name: value for name, value in (inputs or {}).items() if name in INPUTS}
    if "input_ids" in given:
        return given
    try:
        return {name: value for name, value in make_inputs(base).items() if name in INPUTS}
    except InputsUnknown:  # models of characters have no vocabulary, others need more than a text
        tokens = torch.arange(1, LENGTH + 1, device=base.device).expand(2, -1)
        return {"input_ids": tokens}


def _length(base: PreTrainedModel, inputs: Mapping[str, Any] | None) -> int:
    return int(text_inputs(base, inputs)["input_ids"].shape[1])


def _states(base: PreTrainedModel, inputs: Mapping[str, Any] | None) -> tuple[torch.Tensor | None, str | None]:
    """The last hidden state for a small input, or why there is none."""
    what = f"the width of the hidden states of {type(base).__name__} was not measured"
    try:
        found = run(base, text_inputs(base, inputs)).get("last_hidden_state")
    except Exception as error:
        if any(parameter.is_meta for parameter in base.parameters()):
            return None, f"{what}: it does not run on the meta device"
        raise InvalidDeclaration(
            f"{type(base).__name__} gives no hidden states from input_ids alone ({type(error).__name__}: {error})."
        ) from error
    if found is None or found.ndim != 3:
        raise InvalidDeclaration(
            f"{type(base).__name__} is no base model that heads can stand on: its forward gives no last_hidden_state "
            f"of three dimensions."
        )
    return found, None


def _is_causal(base: PreTrainedModel, inputs: Mapping[str, Any] | None, states: torch.Tensor) -> bool:
    """Whether another last token leaves the states of all others as they are."""
    changed = {name: value.clone() for name, value in text_inputs(base, inputs).items()}
    last = changed["input_ids"][:1, -1]
    changed["input_ids"] = changed["input_ids"][:1]
    changed["input_ids"][:, -1] = torch.where(last > 0, last - 1, last + 1)
    if "attention_mask" in changed:
        changed["attention_mask"] = changed["attention_mask"][:1]
    other = run(base, changed)["last_hidden_state"]
    if other.shape != states[:1].shape:
        return False
    return bool(torch.allclose(other[:, :-1], states[:1, :-1], rtol=1e-3, atol=1e-5))


# --- expressions


def _texts(config: PreTrainedConfig, names: Sequence[str]) -> Iterator[str]:
    """Expressions of fields that there are, those of the config itself first."""
    for place, text in ((config, "config"), (config.get_text_config(), "config.get_text_config()")):
        for name in names:
            if getattr(place, name, None) is not None:
                yield f"{text}.{name}"


def _value(config: PreTrainedConfig, text: str) -> Any:
    place = config.get_text_config() if "get_text_config" in text else config
    return getattr(place, text.rpartition(".")[2], None)


def _first(config: PreTrainedConfig, names: Sequence[str], kind: type) -> str | None:
    kinds = (int, float) if kind is float else kind
    return next((text for text in _texts(config, names) if isinstance(_value(config, text), kinds)), None)


def _of_value(config: PreTrainedConfig, names: Sequence[str], value: int | None) -> str:
    """The first expression that has this value (any, where it is unknown), else the number itself."""
    found = [text for text in _texts(config, names) if value is None or _value(config, text) == value]
    if not found and value is None:
        raise InvalidDeclaration(f"{type(config).__name__} does not say how wide the hidden states are.")
    return found[0] if found else str(value)


def _window(base: PreTrainedModel) -> str:
    """How many tokens the model takes at once, as an expression over ``self.config``."""
    if not isinstance(getattr(base.config, "max_position_embeddings", None), int):
        return "self.config.head_window"
    context = "self.config.max_position_embeddings"
    for name, module in base.named_modules():
        # RoBERTa and its like count positions from the one after that of padding.
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            context = f"({context} - {module.padding_idx + 1})"
            break
    return f"self.config.head_window or {context}"


# --- structure


def _optional_parts(base: PreTrainedModel) -> tuple[str, ...]:
    """The children of the class that it has with its pooler only."""
    parameters = dict(list(inspect.signature(type(base).__init__).parameters.items())[2:])
    needed = [
        name for name, found in parameters.items() if found.default is found.empty and found.kind.value in (1, 3)
    ]
    if needed:
        raise InvalidDeclaration(f"{type(base).__name__} is not built from its config alone: {', '.join(needed)}.")
    if "add_pooling_layer" not in parameters:
        return ()
    whole, without = _on_meta(base), _on_meta(base, add_pooling_layer=False)
    return tuple(
        name for name, child in whole._modules.items() if child is not None and not without._modules.get(name)
    )


def _on_meta(base: PreTrainedModel, **arguments: Any) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return type(base)(copy.deepcopy(base.config), **arguments)


def _input_embedding(base: PreTrainedModel) -> tuple[str, nn.Parameter] | None:
    try:
        weight = getattr(base.get_input_embeddings(), "weight", None)
    except (NotImplementedError, AttributeError):
        return None
    if not isinstance(weight, nn.Parameter) or weight.ndim != 2:
        return None
    found = [name for name, parameter in base.named_parameters(remove_duplicate=False) if parameter is weight]
    return (found[0], weight) if found else None


def default_pooling(base: PreTrainedModel) -> tuple[str, str | None]:
    """How the sequence classifier of transformers pools over this model, and the activation of its hidden layer."""
    native = native_class_for(base.config, "SEQUENCE_CLASSIFICATION")
    if native is None:
        return ("pooler" if getattr(base, "pooler", None) is not None else "mean"), None
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            model = native(base.config.__class__.from_dict(base.config.to_dict()))
    except Exception:  # whatever stops transformers' own class, the heads have a default without it
        return "mean", None
    below = set(model.base_model.modules())
    linears = [module for module in model.modules() if isinstance(module, nn.Linear) and module not in below]
    if hasattr(model, "score"):
        return "last", None
    if getattr(model.base_model, "pooler", None) is not None and len(linears) == 1:
        return "pooler", None
    return "first", ("tanh" if len(linears) == 2 else None)


def native_class_for(config: PreTrainedConfig, task: str) -> Any:
    """The class of transformers for a task (``"SEQUENCE_CLASSIFICATION"``) and a type of config."""
    mapping = getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING")
    for cls in type(config).__mro__:
        found = mapping.get(cls, None) if cls in mapping else None
        if found is not None:
            return found[0] if isinstance(found, tuple | list) else found
    return None
