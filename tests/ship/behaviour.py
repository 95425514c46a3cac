"""What a model of transformers is expected to do. Knows torch and transformers only: it runs in both processes, on the
live model and on the package's, and its answers are compared bit for bit."""

import copy
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

Answer = dict[str, Any]
Make = Callable[[], nn.Module]

SEQ2SEQ, SPEECH, PAIRS, GENERATES = {"t5"}, {"whisper"}, {"clip"}, {"llama", "mixtral", "t5", "whisper"}
VOCABULARY = 61
TOKENS = torch.randint(4, VOCABULARY - 1, (2, 9), generator=torch.Generator().manual_seed(1))


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
        assert model.config._experts_implementation == implementation, "the class has no experts"
        found[implementation] = forward(model, name)
    return found


def generated(make: Make, name: str, one: bool = False, **more: Any) -> Any:
    model = make()
    given = {key: value[:1] if one else value for key, value in inputs(name).items() if key != "decoder_input_ids"}
    if name in SPEECH:
        model.generation_config.no_timestamps_token_id = VOCABULARY - 1
    return plain(model.generate(**given, max_new_tokens=6, do_sample=False, **more))


def greedy(make: Make, name: str) -> Any:
    return [generated(make, name), generated(make, name, use_cache=False)]


def beam(make: Make, name: str) -> Any:
    return generated(make, name, num_beams=3)


def assisted(make: Make, name: str) -> Any:
    """By a model, and by looking up what was said before."""
    return [
        generated(make, name, one=True, assistant_model=make()),
        generated(make, name, one=True, prompt_lookup_num_tokens=2),
    ]


def caches(make: Make, name: str) -> Any:
    kinds = ("dynamic", "static", "sliding_window")
    return [generated(make, name, cache_implementation=kind, disable_compile=True) for kind in kinds]


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
    """A few steps; and the last of them again, from a checkpoint and weights that are to be forgotten."""
    model, fresh = make().requires_grad_(True), make().requires_grad_(True)
    with tempfile.TemporaryDirectory() as directory:
        trainer = trainer_of(model, name, directory)
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        trainer.save_model(directory)
        known = type(model).config_class.model_type.endswith("_ship")
        again = type(model).from_pretrained(directory) if known else model
        with torch.no_grad():
            for weight in fresh.parameters():
                weight.fill_(0.5)
        trainer_of(fresh, name, directory).train(resume_from_checkpoint=f"{directory}/checkpoint-2")
    return {
        "losses": losses,
        "weights": plain(model.state_dict()),
        "saved and loaded": same_weights(model, again),
        "resumed": same_weights(model, fresh),
    }


def trainer_of(model: nn.Module, name: str, directory: str) -> Any:
    from transformers import Trainer, TrainingArguments, default_data_collator

    torch.manual_seed(5)
    given = trained(name)
    more = {"return_loss": given.pop("return_loss")} if name in PAIRS else {}
    rows = [{key: value[index % 2] for key, value in given.items()} for index in range(4)]
    arguments = TrainingArguments(
        directory, max_steps=3, per_device_train_batch_size=2, logging_steps=1, report_to=[], use_cpu=True,
        save_steps=2, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    collator = lambda batch: {**default_data_collator(batch), **more}  # noqa: E731
    return Trainer(model, arguments, train_dataset=rows, data_collator=collator)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def lora(make: Make, name: str) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(6)
    targets = {"roberta": ["query", "value"], "t5": ["q", "v"]}.get(name, ["q_proj", "v_proj"])
    model = get_peft_model(make(), LoraConfig(r=2, target_modules=targets, init_lora_weights=False)).eval()
    found = {"outputs": forward(model, name)}
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        found["loaded"] = forward(PeftModel.from_pretrained(make(), directory).eval(), name)
    found["merged"] = forward(model.merge_and_unload(), name)
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


Behaviour = Callable[[Make, str], Any]
BEHAVIOURS: dict[str, Behaviour] = {
    "outputs": outputs,
    "tuples": tuples,
    "attention": attention,
    "experts": experts,
    "greedy": greedy,
    "beam": beam,
    "assisted": assisted,
    "caches": caches,
    "gradients": gradients,
    "training": training,
    "lora": lora,
    "resized": resized,
    "exported": exported,
    "bfloat16": dtypes,
}
SLOW: dict[str, Behaviour] = {"flex": flex}

_NO_GENERATION = dict.fromkeys(("roberta", "clip"), "AttributeError: .* has no attribute 'generate'")
_NO_EXPERTS = dict.fromkeys(("roberta", "llama", "t5", "clip", "whisper"), "AssertionError: the class has no experts")
CANNOT: dict[str, dict[str, str]] = {
    "experts": dict.fromkeys(
        ("roberta", "llama", "t5", "clip", "whisper"), "AssertionError: the class has no experts"
    ),
    **dict.fromkeys(("greedy", "beam", "assisted", "caches"), _NO_GENERATION),
    "resized": {"clip": "NotImplementedError: `get_input_embeddings` not auto"},
}
"""What the declared class cannot do either, and the error that it gives."""


def answers(model: nn.Module, name: str, behaviours: Iterable[str] = BEHAVIOURS) -> Answer:
    """The answers to all of them; an error is an answer too."""
    found: Answer = {}
    for behaviour in behaviours:
        torch.manual_seed(3)
        try:
            found[behaviour] = {**BEHAVIOURS, **SLOW}[behaviour](lambda: copy.deepcopy(model).eval(), name)
        except Exception as error:
            found[behaviour] = f"{type(error).__name__}: {error}"
    return found
