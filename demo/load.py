"""The second process: knows torch, transformers and the written package, and cannot import archit_codegen.

Its arguments are the folders to import from; Python itself is started without any (`-I -S`).
"""

import sys

sys.path += sys.argv[1:]

try:
    import archit_codegen
except ModuleNotFoundError as missing:
    print(f"here, {missing}".replace("No module", "no module"))
else:
    sys.exit(f"archit_codegen can be imported here: {archit_codegen}")

import torch
from roberta_factorised import RobertaForMaskedLMWithFactorisedEmbedding


def main() -> int:
    model = RobertaForMaskedLMWithFactorisedEmbedding.from_pretrained("out/checkpoint")
    live = torch.load("out/answer.pt")
    with torch.no_grad():
        loaded = model(live["tokens"], output_hidden_states=True)
    pairs = {"logits": (live["logits"], loaded.logits)}
    for index, states in enumerate(zip(live["hidden_states"], loaded.hidden_states, strict=True)):
        pairs[f"hidden state {index}"] = states
    equal = [torch.equal(ours, theirs) for ours, theirs in pairs.values()]
    for name, same in zip(pairs, equal, strict=True):
        print(f"{name}: {'bit-equal' if same else 'DIFFERENT'}")
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
