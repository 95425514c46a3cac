"""The separate process: knows torch, transformers and what was written, and cannot import archit_codegen.

`elsewhere.py FOLDER WHAT NAMES PATHS...` is started as `python -I -S`; it writes what it found to `FOLDER/WHAT.pt`.
"""

import sys

FOLDER, WHAT, NAMES, *PATHS = sys.argv[1:]
sys.path += PATHS

import importlib.util

assert importlib.util.find_spec("archit_codegen") is None, "archit_codegen can be imported here"

import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import behaviour
import processors
import torch
import transformers as tf
from transformers.utils import logging

warnings.simplefilter("ignore")
logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)

HERE = Path(FOLDER)
AUTO = {
    "roberta": tf.AutoModelForMaskedLM,
    "llama": tf.AutoModelForCausalLM,
    "t5": tf.AutoModelForSeq2SeqLM,
    "mixtral": tf.AutoModelForCausalLM,
    "clip": tf.AutoModel,
    "whisper": tf.AutoModelForSpeechSeq2Seq,
}


def package_of(name: str) -> ModuleType:
    return importlib.import_module(f"{name}_ship")


# --- with the package on the path -----------------------------------------------------------------------------------


def package(name: str) -> dict[str, Any]:
    """Save the live model's weights as a checkpoint of the package; load it by Auto class and ask everything of it."""
    made = package_of(name)
    facts = json.loads((HERE / "live" / f"{name}.json").read_text())
    config_class, root = getattr(made, facts["config_class"]), getattr(made, facts["root"])
    model = root(config_class.from_dict({**facts["config"], "model_type": f"{name}_ship"}))
    model.load_state_dict(torch.load(HERE / "live" / f"{name}.pt"), strict=True)
    where = HERE / "checkpoints" / name
    model.save_pretrained(where)
    processors.save(name, where)
    loaded, report = AUTO[name].from_pretrained(where, output_loading_info=True)
    return {
        "class": type(loaded) is root,
        "report": {kind: sorted(map(str, keys)) for kind, keys in report.items() if keys},
        "weights": behaviour.plain(loaded.state_dict()),
        "buffers": behaviour.plain(dict(loaded.named_buffers())),
        "answers": behaviour.answers(loaded, name),
        "native": native(root, config_class, name),
        "old config": type(root(config_class.from_pretrained(HERE / "native" / name))) is root,
        "pieces": pieces(root, name),
        "tokens": tf.AutoTokenizer.from_pretrained(where)("t4 t5")["input_ids"],
        "saved as": sorted(saved_names(where)),
        "pipeline": processors.piped(str(where), name),
    }


def native(root: Any, config_class: Any, name: str) -> dict[str, Any]:
    """What arrives of checkpoints of the declared class, and of its base model."""
    found = {}
    for kind in ("native", "base"):
        if (HERE / kind / name).is_dir():
            config = config_class.from_pretrained(HERE / kind / name)
            model, report = root.from_pretrained(HERE / kind / name, config=config, output_loading_info=True)
            found[kind] = {
                "weights": behaviour.plain(model.state_dict()),
                "missing": sorted(report["missing_keys"]),
                "unexpected": sorted(report["unexpected_keys"]),
            }
    return found


def pieces(root: Any, name: str) -> dict[str, Any]:
    """The same outputs from shards, on two devices, and in half precision."""
    source, shards = HERE / "checkpoints" / name, HERE / "shards" / name
    root.from_pretrained(source).save_pretrained(shards, max_shard_size="20KB")
    model = root.from_pretrained(shards)
    half = root.from_pretrained(shards, dtype=torch.bfloat16)
    split = dict.fromkeys(children_in_two(model), "cpu")
    modules = dict(model.named_modules())
    split[next(path for path in reversed(split) if path in modules and not tied_below(model, path))] = "disk"
    offloaded = root.from_pretrained(source, device_map=split, offload_folder=HERE / "offload" / name)
    devices = {str(value) for value in offloaded.hf_device_map.values()}
    size = sum(weight.nbytes for weight in model.state_dict().values())
    automatic = root.from_pretrained(
        source, device_map="auto", max_memory={"cpu": size * 2 // 3}, offload_folder=HERE / "offload2" / name
    )
    return {
        "files": len(list(shards.glob("*.safetensors"))),
        "shards": behaviour.forward(model, name),
        "half": sorted({str(weight.dtype) for weight in half.state_dict().values() if weight.is_floating_point()}),
        "devices": sorted(devices),
        "offloaded": behaviour.forward(offloaded, name),
        "automatic devices": sorted({str(value) for value in automatic.hf_device_map.values()}),
        "automatic": behaviour.forward(automatic, name),
        "unsplit": split_modules(automatic),
    }


def children_in_two(model: Any) -> list[str]:
    """Modules that cover the model and are not below each other."""
    found = []
    for path, child in model.named_children():
        inner = [f"{path}.{name}" for name, _ in child.named_children()]
        own = any(True for _ in child.parameters(recurse=False)) or any(True for _ in child.buffers(recurse=False))
        found += [path] if own or not inner else inner
    own = [name for name, _ in model.named_parameters(recurse=False)]
    return [*found, *own]


def tied_below(model: Any, path: str) -> bool:
    ties = model.all_tied_weights_keys
    return any(name.startswith(path) for pair in ties.items() for name in pair)


def split_modules(model: Any) -> list[str]:
    """Classes that may not be split, and whose modules stand on several devices."""
    found = set()
    for path, module in model.named_modules():
        if type(module).__name__ in model._no_split_modules:
            inside = [key for key in model.hf_device_map if key.startswith(f"{path}.")]
            if len({model.hf_device_map[key] for key in inside}) > 1:
                found.add(type(module).__name__)
    return sorted(found)


def saved_names(folder: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return list(file.keys())


# --- with nothing but the checkpoint's folder -----------------------------------------------------------------------


def remote(name: str) -> dict[str, Any]:
    """Remote code, trusted: the package itself cannot be imported here."""
    assert importlib.util.find_spec(f"{name}_ship") is None, "the package can be imported here"
    where = HERE / "checkpoints" / name
    config = json.loads((where / "config.json").read_text())
    found: dict[str, Any] = {"auto_map": sorted(config["auto_map"])}
    try:
        AUTO[name].from_pretrained(where, trust_remote_code=False)
    except ValueError as error:
        found["untrusted"] = str(error)
    for auto in config["auto_map"]:
        if auto != "AutoConfig":
            model = getattr(tf, auto).from_pretrained(where, trust_remote_code=True)
            found[auto] = f"{type(model).__name__}"
    model = AUTO[name].from_pretrained(where, trust_remote_code=True)
    found["answers"] = behaviour.answers(model, name)
    found["buffers"] = behaviour.plain(dict(model.named_buffers()))
    if (HERE / "native" / name).is_dir():
        found["native"] = native(type(model), type(model.config), name)
    again = HERE / "again" / name
    model.save_pretrained(again)
    found["files"] = sorted(path.name for path in again.glob("*.py"))
    found["again"] = behaviour.plain(AUTO[name].from_pretrained(again, trust_remote_code=True).state_dict())
    processors.save(name, again)
    found["pipeline"] = processors.piped(str(again), name, trust_remote_code=True)
    return found


def slow(name: str) -> dict[str, Any]:
    model = AUTO[name].from_pretrained(HERE / "checkpoints" / name, trust_remote_code=True)
    return {"answers": behaviour.answers(model, name, behaviour.SLOW)}


if __name__ == "__main__":
    work = {"package": package, "remote": remote, "slow": slow}[WHAT]
    torch.save({name: work(name) for name in NAMES.split(",")}, HERE / f"{WHAT}.pt")
