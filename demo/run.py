"""The README's example: a modified RoBERTa becomes a package, and the package computes the same without us.

`make demo` runs this. It compiles the model of `archit.toml`, gives the package the weights of the live model, and
starts `load.py`, which cannot import archit_codegen, to compare the outputs.
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # everything that is needed is here

import torch
from surgery.factorised import build

from archit_codegen.cli import main as command_line

DEMO = Path(__file__).parent.resolve()
OUT = DEMO / "out"
NAME = "roberta_factorised"


def main() -> int:
    os.chdir(DEMO)
    archit("diff", NAME)
    archit("generate", NAME)
    save_live_model()
    print("\n$ python load.py", flush=True)
    return subprocess.run([sys.executable, "-I", "-S", "load.py", *paths_without_archit()]).returncode


def archit(*arguments: str) -> None:
    """What `archit ...` does in a shell, in this process."""
    print("\n$ archit", *arguments, flush=True)
    try:
        command_line(arguments)
    except SystemExit as end:
        if end.code:
            raise


def save_live_model() -> None:
    """The live model's weights as a checkpoint of the package's class, and what it answers to some tokens."""
    torch.manual_seed(0)
    live = build().eval()
    sys.path.insert(0, str(OUT))
    from roberta_factorised import RobertaConfigWithFactorisedEmbedding, RobertaForMaskedLMWithFactorisedEmbedding

    config = RobertaConfigWithFactorisedEmbedding(**live.config.to_diff_dict())
    model = RobertaForMaskedLMWithFactorisedEmbedding(config)
    model.load_state_dict(live.state_dict(), strict=True)
    model.save_pretrained(OUT / "checkpoint")
    tokens = torch.randint(3, live.config.vocab_size, (2, 20))
    with torch.no_grad():
        answer = live(tokens, output_hidden_states=True)
    torch.save({"tokens": tokens, "logits": answer.logits, "hidden_states": answer.hidden_states}, OUT / "answer.pt")


def paths_without_archit() -> list[str]:
    """Where the other dependencies lie. Without `site` (-S) no path file leads back to the development install."""
    return [path for path in sys.path if path and not (Path(path) / "archit_codegen").is_dir()]


if __name__ == "__main__":
    sys.exit(main())
