"""What a model of transformers is expected to do. Knows torch and transformers only: it runs in both processes, on the
live model and on the package's, and its answers are compared bit for bit."""

import copy
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Answer = dict[str, Any]
Make = Callable[[], nn.Module]

CAUSAL, SEQ2SEQ, MASKED, SPEECH, PAIRS = {"llama", "mixtral"}, {"t5"}, {"roberta"}, {"whisper"}, {"clip"}
GENERATES = CAUSAL | SEQ2SEQ | SPEECH
TRAINS = GENERATES | MASKED
VOCABULARY = 61
TOKENS = torch.randint(4, VOCABULARY - 1, (2, 9), generator=torch.Generator().manual_seed(1))

PIPELINES = {
    "roberta": ("fill-mask", "t4 t5 <mask> t9"),
    "llama": ("text-generation", "t4 t5 t6"),
    "mixtral": ("text-generation", "t4 t5 t6"),
}


def inputs(name: str) -> Answer:
    generator = torch.Generator().manual_seed(2)
    mask = torch.ones_like(TOKENS)
    mask[1, 6:] = 0
    if name in SPEECH:
        return {"input_features": torch.randn(2, 8, 100, generator=generator), "decoder_input_ids": TOKENS}
    given = {"input_ids": TOKENS, "attention_mask": mask}
    if name in SEQ2SEQ:
        given["decoder_input_ids"] = TOKENS[:, :5]
    if name in PAIRS:
        given["pixel_values"] = torch.randn(2, 3, 12, 12, generator=generator)
    return given


def trained(name: str) -> Answer:
    """Inputs with labels, or what makes CLIP give a loss."""
    given = inputs(name)
    if name in PAIRS:
        return {**given, "return_loss": True}
    given.pop("decoder_input_ids", None)
    return {**given, "labels": TOKENS.clone()}


def plain(value: Any) -> Any:
    """Tensors in dictionaries and lists, without classes of transformers."""
    if isinstance(value, torch.Tensor) or value is None or isinstance(value, int | float | str | bool):
        return value.detach().clone() if isinstance(value, torch.Tensor) else value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key != "past_key_values"}
    return [plain(item) for item in value]


def forward(model: nn.Module, name: str, **more: Any) -> Any:
    with torch.no_grad():
        return plain(model(**inputs(name), **more))


# --- each takes a function that makes the model, and its name -------------------------------------------------------


def outputs(make: Make, name: str) -> Any:
    model = make()
    model.set_attn_implementation("eager")
    more = {"output_router_logits": True} if name == "mixtral" else {}
    return forward(model, name, output_hidden_states=True, output_attentions=True, **more)


def tuples(make: Make, name: str) -> Any:
    with torch.no_grad():
        return [plain(item) for item in make()(**inputs(name), return_dict=False) if isinstance(item, torch.Tensor)]


def attention(make: Make, name: str) -> Any:
    model = make()
    found = {}
    for implementation in ("eager", "sdpa"):
        model.set_attn_implementation(implementation)
        found[implementation] = forward(model, name)
    return found


def flex(make: Make, name: str) -> Any:
    """Is compiled for half a minute in all."""
    model = make()
    model.set_attn_implementation("flex_attention")
    return forward(model, name)


def experts(make: Make, name: str) -> Any:
    model = make()
    found = {}
    for implementation in ("eager", "batched_mm", "grouped_mm"):
        model.set_experts_implementation(implementation)
        assert model.config._experts_implementation == implementation
        found[implementation] = forward(model, name)
    return found


def generation(make: Make, name: str) -> Any:
    model = make()
    given = inputs(name)
    given.pop("decoder_input_ids", None)
    length = {"max_new_tokens": 6, "do_sample": False}
    if name in SPEECH:
        model.generation_config.no_timestamps_token_id = VOCABULARY - 1
    found = {
        "greedy": model.generate(**given, **length),
        "uncached": model.generate(**given, **length, use_cache=False),
        "beam": model.generate(**given, **length, num_beams=3),
    }
    one = {key: value[:1] for key, value in given.items()}
    found["assisted"] = model.generate(**one, **length, assistant_model=make())
    return plain(found)


def static_cache(make: Make, name: str) -> Any:
    given = {key: value[:1] for key, value in inputs(name).items() if key != "decoder_input_ids"}
    return plain(
        make().generate(
            **given, max_new_tokens=5, do_sample=False, cache_implementation="static", disable_compile=True
        )
    )


def gradients(make: Make, name: str) -> Any:
    """The loss and all gradients, with and without checkpointing (which is compared only with itself)."""
    found = {}
    for checkpointing in (False, True):
        model = make().train().requires_grad_(True)  # from_pretrained does not keep what is frozen
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        loss = model(**trained(name)).loss
        loss.backward()
        gradients = {key: weight.grad for key, weight in model.named_parameters() if weight.grad is not None}
        found[f"checkpointing {checkpointing}"] = {"loss": plain(loss), "gradients": plain(gradients)}
    return found


def training(make: Make, name: str) -> Any:
    from transformers import Trainer, TrainingArguments

    torch.manual_seed(5)
    given = trained(name)
    rows = [{key: value[index % 2] for key, value in given.items()} for index in range(4)]
    model = make().requires_grad_(True)
    with tempfile.TemporaryDirectory() as directory:
        arguments = TrainingArguments(
            directory, max_steps=3, per_device_train_batch_size=2, logging_steps=1, report_to=[], use_cpu=True,
            save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Trainer(model, arguments, train_dataset=rows)
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        trainer.save_model(directory)
        again = (
            type(model).from_pretrained(directory) if type(model).config_class.model_type.endswith("_ship") else model
        )
        same = all(
            torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
        )
    return {"losses": losses, "weights": plain(model.state_dict()), "saved and loaded": same}


def lora(make: Make, name: str) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(6)
    targets = {"roberta": ["query", "value"], "t5": ["q", "v"]}.get(name, ["q_proj", "v_proj"])
    model = get_peft_model(make(), LoraConfig(r=2, target_modules=targets, init_lora_weights=False)).eval()
    found = {"outputs": forward(model, name)}
    merged = model.merge_and_unload()
    found["merged"] = forward(merged, name)
    return found


def resized(make: Make, name: str) -> Any:
    """Ties hold after the vocabulary grew."""
    torch.manual_seed(7)
    model = make()
    model.resize_token_embeddings(70, mean_resizing=False)
    tied = {key: weight.data_ptr() for key, weight in model.named_parameters(remove_duplicate=False)}
    groups = sorted(sorted(key for key in tied if tied[key] == pointer) for pointer in set(tied.values()))
    return {"ties": [group for group in groups if len(group) > 1], "outputs": forward(model, name)}


def exported(make: Make, name: str) -> Any:
    model = make()
    given = inputs(name)
    more = {"use_cache": False} if name in GENERATES else {}
    program = torch.export.export(model, (), {**given, **more}, strict=False)
    with torch.no_grad():
        result = program.module()(**given, **more)
    key = "logits_per_image" if name in PAIRS else "logits"
    return plain(result[key])


def dtypes(make: Make, name: str) -> Any:
    model = make().to(torch.bfloat16)
    given = {key: value.bfloat16() if value.is_floating_point() else value for key, value in inputs(name).items()}
    with torch.no_grad():
        result = model(**given)
    return plain(result["logits_per_image" if name in PAIRS else "logits"])


BEHAVIOURS: dict[str, tuple[Callable[[Make, str], Any], set[str]]] = {
    "outputs": (outputs, TRAINS | PAIRS),
    "tuples": (tuples, TRAINS | PAIRS),
    "attention": (attention, TRAINS | PAIRS),
    "experts": (experts, {"mixtral"}),
    "generation": (generation, GENERATES),
    "static cache": (static_cache, CAUSAL),
    "gradients": (gradients, TRAINS | PAIRS),
    "training": (training, TRAINS),
    "lora": (lora, TRAINS | PAIRS),
    "resized": (resized, CAUSAL | SEQ2SEQ | MASKED),
    "exported": (exported, TRAINS | PAIRS),
    "bfloat16": (dtypes, TRAINS | PAIRS),
}


SLOW: dict[str, tuple[Callable[[Make, str], Any], set[str]]] = {"flex": (flex, TRAINS | PAIRS)}


def answers(model: nn.Module, name: str, *, slow: bool = False) -> Answer:
    """The answers to everything that applies to a model; an error is an answer too."""
    found: Answer = {}
    for behaviour, (function, models) in (SLOW if slow else BEHAVIOURS).items():
        if name in models:
            torch.manual_seed(3)
            try:
                found[behaviour] = function(lambda: copy.deepcopy(model).eval(), name)
            except Exception as error:
                found[behaviour] = f"{type(error).__name__}: {error}"
    return found


def difference(ours: Any, theirs: Any, at: str = "") -> str | None:
    """Where two answers differ, or None."""
    if isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        same = ours.dtype == theirs.dtype and ours.shape == theirs.shape and torch.equal(ours, theirs)
        return None if same else f"{at}: tensors differ"
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            return f"{at}: {list(ours)} and {list(theirs)}"
        return next((d for key in ours if (d := difference(ours[key], theirs[key], f"{at}.{key}"))), None)
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next((d for index, (a, b) in pairs if (d := difference(a, b, f"{at}[{index}]"))), None)
    return None if type(ours) is type(theirs) and ours == theirs else f"{at}: {ours!r:.200} and {theirs!r:.200}"
