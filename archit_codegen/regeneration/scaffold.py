"""A first spec and a first surgery, in a project as it is found."""

import textwrap
from pathlib import Path

from .. import __version__
from ..errors import InvalidName, SpecError
from .spec import IDENTIFIER, MODEL_KEYS, PROJECT_NAME, SPEC_NAME, find_spec

SURGERY = "surgery"
WIDTH = 110
SPEC = """\
# What archit_codegen generates: `archit generate` makes a package of each [[model]], `archit check` says what is
# stale. `archit generate` runs the surgeries that are named here, with all that they import; `archit check` runs
# nothing.

# {about_output}
output = "{output}"
required-version = "{version}"

[[model]]
# {about_name}
name = "{name}"
# {about_surgery}
surgery = "{surgery}/{name}.py:build"
# {about_suffix}
suffix = "{suffix}"

# And, where it is needed:
# {about_declared}
# declared = "transformers:RobertaForMaskedLM"
# {about_config}
# config = "configs/small.json"
# {about_heads}
# heads = ["token-classification"]
# {about_templates}
# templates = "templates"
# {about_inputs}
# inputs = ["data/*.json"]
# {about_weights}
# weights = true
# {about_user_code}
# user_code = "import"
# {about_vendor}
# vendor = "modular"
# {about_trust_remote_code}
# trust_remote_code = true
"""
EXAMPLE = '''\
"""A RoBERTa whose last layer passes its output through a gate. Put your own model and modification here."""

import torch
from torch import nn
from transformers import RobertaConfig, RobertaForMaskedLM


class Gate(nn.Module):
    """Scales hidden states by what they say themselves."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.open = nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return hidden_states * self.open(hidden_states).sigmoid()


def build() -> nn.Module:
    # RobertaForMaskedLM.from_pretrained("...") works here too: surgeries run without weights, only the config is read.
    config = RobertaConfig(num_hidden_layers=4)
    model = RobertaForMaskedLM(config)
    model.roberta.encoder.layer[-1].output.dropout = Gate(config.hidden_size)
    return model
'''


def start(root: Path, name: str, output: str | None = None) -> tuple[Path, Path]:
    """Write a spec and the surgery of its first model into ``root``; both files.

    Raises:
        SpecError: the project has a spec already, or one of the files exists; nothing was written then.
        InvalidName: ``name`` cannot be a package's.
    """
    if MODEL_KEYS["name"].complaint(name, "the model"):
        raise InvalidName("the package name", name, f"it has to be {IDENTIFIER}")
    output = _output(root) if output is None else output
    if wrong := MODEL_KEYS["output"].complaint(output, "the model"):
        raise SpecError(root / SPEC_NAME, f"not written: {wrong}")
    spec, surgery = root / SPEC_NAME, root / SURGERY / f"{name}.py"
    for file in (spec, surgery):
        if file.exists() or file.is_symlink():
            raise SpecError(file, "is there already; nothing was written")
    if _has_spec(root):
        raise SpecError(root / PROJECT_NAME, "has [tool.archit] already; nothing was written")
    surgery.parent.mkdir(exist_ok=True)
    _create(surgery, EXAMPLE)
    _create(spec, _spec(name, output))
    return spec, surgery


def _create(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def _spec(name: str, output: str) -> str:
    about = {f"about_{key.field}": "\n# ".join(textwrap.wrap(key.doc, WIDTH)) for key in MODEL_KEYS.values()}
    major, minor = map(int, __version__.split(".")[:2])
    suffix = name.rpartition("_")[2].capitalize() or "Modified"
    version = f">={major}.{minor},<{major}.{minor + 1}"
    return SPEC.format(name=name, output=output, suffix=suffix, version=version, surgery=SURGERY, **about)


def _has_spec(root: Path) -> bool:
    try:
        return find_spec(root).parent == root
    except SpecError:
        return False


def _output(root: Path) -> str:
    """Beside the project's own code, where there is just one package of it; else a folder of its own."""
    for source in (root / "src", root):
        packages = [path.parent for path in sorted(source.glob("*/__init__.py")) if path.parent.name.isidentifier()]
        own = [package for package in packages if package.name not in ("tests", "test", SURGERY)]
        if len(own) == 1:
            return (own[0] / "generated").relative_to(root).as_posix()
    return "packages"
