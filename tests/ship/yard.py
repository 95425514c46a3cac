"""Compiles the changed models, writes their packages, and starts the processes that have to do without us."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging

import archit_codegen as archit
from tests.ship import behaviour
from tests.ship.changed import MODELS
from tests.ship.processors import SUFFIX

SCRIPT = Path(__file__).with_name("elsewhere.py")


def live_model(name: str, seed: int = 0) -> PreTrainedModel:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    with archit.record():
        model = MODELS[name]()
    assert isinstance(model, PreTrainedModel)
    return model.eval()


def make(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    """The package of a model, its weights, a checkpoint of the declared class; and what the live model says."""
    live = live_model(name)
    package = archit.compile_model(live, name=f"{name}_ship", suffix=SUFFIX, **options)
    package.write(folder / "packages")
    save_live(folder, name, live, package.root_class)
    declared = native_model(live)
    declared.save_pretrained(folder / "native" / name)
    if declared.base_model is not declared:
        declared.base_model.save_pretrained(folder / "base" / name)
    return {
        "notes": package.notes,
        "weights": live.state_dict(),
        "buffers": behaviour.plain(dict(live.named_buffers())),
        "answers": behaviour.answers(live, name),
        "cannot": behaviour.answers(
            declared, name, [kind for kind, models in behaviour.CANNOT.items() if name in models]
        ),
        "native": declared.state_dict(),
        "outputs": behaviour.forward(live, name),
        "live": live,
    }


def save_live(folder: Path, name: str, live: nn.Module, root: str) -> None:
    (folder / "live").mkdir(exist_ok=True)
    torch.save(live.state_dict(), folder / "live" / f"{name}.pt")
    facts = {
        "config_class": f"{type(live.config).__name__}{SUFFIX}",
        "root": root,
        "config": json.loads(live.config.to_json_string(use_diff=False)),
    }
    (folder / "live" / f"{name}.json").write_text(json.dumps(facts))


def native_model(live: PreTrainedModel) -> PreTrainedModel:
    """A model of the declared class, unchanged, with weights of its own; its config has none of the new fields."""
    torch.manual_seed(11)
    values = live.config.to_dict()
    for fields in (values, *(value for value in values.values() if isinstance(value, dict))):
        fields.pop("rank", None)
    return type(live)(type(live.config).from_dict(values)).eval()


def libraries() -> list[str]:
    """Where the dependencies lie. Without `site` (-S) no path file leads back to a development install."""
    return [path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix))]


def elsewhere(folder: Path, what: str, names: Sequence[str], paths: Sequence[Path]) -> dict[str, Any]:
    """What the separate process found: it is started without `site` and environment, and has its own caches."""
    logging.disable_progress_bar()
    homes = {name: str(folder / "home") for name in ("HF_HOME", "HF_MODULES_CACHE", "HOME")}
    environment = {"PATH": os.environ.get("PATH", ""), "HF_HUB_OFFLINE": "1", **homes}
    here = [str(SCRIPT.parent), *map(str, paths)]
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(folder), what, ",".join(names), *here, *libraries()]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-6000:]
    assert "[ERROR]" not in done.stdout  # what transformers prints of code that it does not understand
    found = torch.load(folder / f"{what}.pt")
    assert isinstance(found, dict)
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
