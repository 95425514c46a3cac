"""What heads have to know of a base model: read from its class and config, and measured by running it once."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN

from ..errors import InvalidDeclaration
from .ecosystem import declared_fields
from .inputs import LENGTH, InputsUnknown, make_inputs
from .relatives import default_pooling, family_of, fills_below, input_embedding, optional_parts
from .undisturbed import random_state, untouched

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
STARTS = ("decoder_start_token_id", "bos_token_id", "pad_token_id")
INPUTS = ("input_ids", "attention_mask")
ANY = frozenset(("hidden_states", "attentions", "decoder_hidden_states", "decoder_attentions"))


@dataclass(frozen=True, slots=True)
class BaseFacts:
    """Texts are expressions over ``config`` that stand in the heads."""

    prefix: str
    own_prefix: bool  # whether the classes of this family give their base model another name, or none
    passed: tuple[tuple[str, str], ...]
    passes_mask: bool
    decoder_start: str | None  # the first token that its decoder reads, where that has to be given the text as well
    optional_parts: tuple[str, ...]  # the children that `add_pooling_layer=False` leaves out
    fills_below: bool  # whether it fills buffers of the modules below it, and has no tensors of its own
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
    states: str  # the names that outputs give the hidden states of all layers, and the attentions
    attentions: str
    gives: frozenset[str]  # those of the two that this model's outputs have a place for
    as_wide: bool  # whether that weight is as wide as the hidden states
    declared: frozenset[str]  # fields that the config class has itself
    pooling: str
    activation: str | None
    by_token: bool | None  # whether there is one state for each token; None where that could not be measured
    causal: bool | None
    note: str | None


def base_facts(base: PreTrainedModel, inputs: Mapping[str, Any] | None = None) -> BaseFacts:
    """Raises `InvalidDeclaration` where the model is no base model: it gives no hidden states from ``input_ids``."""
    config = base.config
    taken = inspect.signature(type(base).forward).parameters
    given = text_inputs(base, inputs)
    if given["input_ids"].is_meta:
        given.pop("attention_mask", None)  # models look for padding in it, and on meta there is nothing to see
    outputs, start, note = _outputs(base, given)
    states = None if outputs is None else outputs.last_hidden_state
    hidden = _of_value(config, HIDDEN, None if states is None else states.shape[-1])
    embedding = input_embedding(base)
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
        decoder_start=start,
        optional_parts=optional_parts(base),
        fills_below=fills_below(base),
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
        gives=frozenset((f"{tower}hidden_states", f"{tower}attentions"))
        & (frozenset(field.name for field in fields(outputs)) if is_dataclass(outputs) else ANY),
        as_wide=width is not None and width == _value(config, hidden),
        declared=declared_fields(type(config)),  # type: ignore[arg-type]  # classes are hashable
        pooling=pooling,
        activation=activation,
        by_token=None if states is None else states.shape[1] == given["input_ids"].shape[1],
        causal=None if states is None or states.is_meta else _is_causal(base, given, start, states),
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


def with_decoder_inputs(base: PreTrainedModel, given: Mapping[str, Any], start: str | None) -> dict[str, Any]:
    """The same inputs; a decoder that has to be given the text gets it one token later, after a start token."""
    if start is None:
        return dict(given)
    tokens = given["input_ids"]
    first = torch.full_like(tokens[:, :1], _value(base.config, start))
    return {**given, "decoder_input_ids": torch.cat((first, tokens[:, :-1]), dim=1)}


def run_on_text(base: PreTrainedModel, given: Mapping[str, Any]) -> tuple[Any, str | None]:
    """What the model gives for a text, and the expression of its decoder's start token where the decoder does not read
    the text by itself. Raises what the model raises."""
    try:
        return _run(base, given), None
    except Exception:  # whatever it raises: with the text given to its decoder it may run
        start = _first(base.config, STARTS, int)
        if start is None or "decoder_input_ids" not in inspect.signature(type(base).forward).parameters:
            raise
        return _run(base, with_decoder_inputs(base, given, start)), start


def _run(base: PreTrainedModel, given: Mapping[str, Any]) -> Any:
    with untouched(base), random_state(0), torch.no_grad():
        return base.eval()(**given)


def _outputs(base: PreTrainedModel, given: Mapping[str, Any]) -> tuple[Any, str | None, str | None]:
    """What the model gives for a small input and the start token of its decoder, or why that is not known."""
    try:
        found, start = run_on_text(base, given)
    except Exception as error:  # a model's forward may raise anything
        if any(parameter.is_meta for parameter in base.parameters()):
            what = f"the width of the hidden states of {type(base).__name__} was not measured"
            return None, None, f"{what}: it does not run on the meta device"
        raise InvalidDeclaration(
            f"{type(base).__name__} gives no hidden states from input_ids alone ({type(error).__name__}: {error})."
        ) from error
    states = getattr(found, "last_hidden_state", None)
    if states is None or states.ndim != 3:
        raise InvalidDeclaration(
            f"{type(base).__name__} is no base model that heads can stand on: its forward gives no last_hidden_state "
            f"of three dimensions."
        )
    return found, start, None


def _is_causal(base: PreTrainedModel, given: Mapping[str, Any], start: str | None, states: torch.Tensor) -> bool:
    """Whether another last token leaves the states of all others as they are. Both runs are of one batch and on one
    path: kernels sum up in another order for other shapes, and experts have room for so many tokens of a batch."""
    changed = {name: value.clone() for name, value in given.items()}
    last = changed["input_ids"][:, -1]
    changed["input_ids"][:, -1] = torch.where(last > 0, last - 1, last + 1)
    other = _run(base, with_decoder_inputs(base, changed, start)).last_hidden_state
    return bool(torch.allclose(other[:, :-1], states[:, :-1], rtol=1e-3, atol=1e-5))


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
