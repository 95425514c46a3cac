"""`make matrix`: the golden surgeries compiled on several versions of transformers, each package tried on all of them.

Each version has its own environment, which shares torch and the rest with the one that runs this. The table is written
to `docs/versions.md`: which package, made on which version, works on which.
"""

import importlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".matrix"
OTHERS = ("5.0.0", "5.4.0", "5.9.0", "5.15.1")
# huggingface_hub and tokenizers are what these versions ask for; torch and all else are shared.
REQUIREMENTS = ("huggingface-hub>=1.5,<2", "tokenizers>=0.22,<=0.23.0")
TABLE = ROOT / "docs" / "versions.md"
PLACE = re.compile(r" \(/[^)]*\)")  # where a module stands on this machine
HEAD = """# Versions of transformers

The {count} surgeries of `golden/`, compiled on each version (rows); each package tried on each version (columns):
imported, its config read, the weights of the live model loaded strictly, and outputs equal to the live model's where
it was made. A package belongs to the minor version that its header names; on another one it says so when it is
imported. Written by `make matrix`.

On 5.0 `gpt2_shared_layers` is refused, for what that version does when it loads: every name that a checkpoint lacks
gets new memory, and a module that stands in several slots is saved under one of its names, so that its other names
take away what was read. From 5.4 on, names that share a weight which was read are not missing.

"""


def main() -> int:
    versions = [*OTHERS, importlib.metadata.version("transformers")]
    made = {version: in_environment(version, "make", str(folder(version))) for version in versions}
    table = {
        (on, at): in_environment(at, "try", str(folder(on)), str(folder(on) / f"on_{at}.json"))
        for on in versions
        for at in versions
    }
    del made
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(page(versions, {key: json.loads(path.read_text()) for key, path in tried(versions).items()}))
    return max(table.values())


def folder(version: str) -> Path:
    return ENVIRONMENTS / "made" / version


def tried(versions: list[str]) -> dict[tuple[str, str], Path]:
    return {(on, at): folder(on) / f"on_{at}.json" for on in versions for at in versions}


def in_environment(version: str, *arguments: str) -> int:
    """Run this file with a version of transformers."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [str(python_of(version)), "-m", "tests.versions", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT).returncode


def python_of(version: str) -> Path:
    """The interpreter of a version's environment, which is made if it is not there."""
    if version == importlib.metadata.version("transformers"):
        return Path(sys.executable)
    home = ENVIRONMENTS / version
    python = home / "bin" / "python"
    if not (home / ".ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        subprocess.run([*install, f"transformers=={version}", *REQUIREMENTS], check=True)
        site = home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        (site / "shared.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        (home / ".ready").touch()
    return python


# --- in an environment ----------------------------------------------------------------------------------------------


def make(out: Path) -> int:
    """Compile all golden surgeries here; what cannot be compiled leaves its error."""
    import torch

    import archit_codegen as archit
    from tests.goldens import CASES, MODELS, live_model
    from tests.models import inputs_for

    for case in CASES:
        here = out / case
        here.mkdir(parents=True, exist_ok=True)
        model, live = MODELS[case], live_model(case)
        try:
            package = archit.compile_model(live, name=model.name, suffix=model.suffix, inputs=inputs_for(live))
        except archit.ArchitError as error:
            (here / "refused.txt").write_text(str(error))
            continue
        (here / "refused.txt").unlink(missing_ok=True)
        package.write(here, overwrite=True)
        facts = {"name": model.name, "root": package.root_class, "config": live.config.to_json_string(use_diff=False)}
        (here / "facts.json").write_text(json.dumps(facts))
        torch.save(
            {"weights": live.state_dict(), "inputs": inputs_for(live), "outputs": outputs(live, case)},
            here / "live.pt",
        )
    return 0


def outputs(model: Any, case: str) -> list[Any]:
    import torch

    from tests.models import inputs_for

    torch.manual_seed(0)
    with torch.no_grad():
        found = model.eval()(**inputs_for(model))
    return [value for value in found.to_tuple() if isinstance(value, torch.Tensor)]


def attempt(made: Path, out: Path) -> int:
    """Try each package that was made elsewhere; the reason where it does not work."""
    from tests.goldens import CASES

    found = {}
    for case in CASES:
        here = made / case
        if (here / "refused.txt").exists():
            found[case] = f"not compiled: {(here / 'refused.txt').read_text()}"
            continue
        try:
            found[case] = works(here, case)
        except Exception as error:  # whatever it is belongs into the table
            found[case] = PLACE.sub("", f"{type(error).__name__}: {error}")
    out.write_text(json.dumps(found, indent=1))
    return 0


def works(here: Path, case: str) -> str:
    """Nothing, or what is wrong."""
    import torch
    import transformers

    facts, live = json.loads((here / "facts.json").read_text()), torch.load(here / "live.pt")
    sys.path.insert(0, str(here))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        package = importlib.import_module(facts["name"])
    sys.path.remove(str(here))
    warned = [str(warning.message) for warning in said if "archit generate" in str(warning.message)]
    config = (package.__path__, [name for name in package.__all__ if "Config" in name])
    config_class = getattr(
        package, next(name for name in config[1] if getattr(package, name).model_type == facts["name"])
    )
    made_on = (here / facts["name"] / "archit.lock").read_text()
    same = f'"transformers": "{".".join(transformers.__version__.split(".")[:2])}' in made_on
    if len(warned) != (0 if same else 1):
        return f"warned {len(warned)} times"
    model = getattr(package, facts["root"])(config_class.from_dict(json.loads(facts["config"])))
    model.load_state_dict(live["weights"], strict=True)
    model.eval()
    with torch.no_grad():
        found = [value for value in model(**live["inputs"]).to_tuple() if isinstance(value, torch.Tensor)]
    if len(found) != len(live["outputs"]):
        return "another number of outputs"
    far = [index for index, (a, b) in enumerate(zip(found, live["outputs"], strict=True)) if not close(a, b)]
    return f"output {far[0]} differs" if far else ""


def close(ours: Any, theirs: Any) -> bool:
    import torch

    return ours.shape == theirs.shape and torch.allclose(ours, theirs, atol=1e-5)


# --- the page -------------------------------------------------------------------------------------------------------


def page(versions: list[str], found: dict[tuple[str, str], dict[str, str]]) -> str:
    cases = found[versions[0], versions[0]]
    lines = [
        HEAD.format(count=len(cases)),
        "| made on | " + " | ".join(f"on {version}" for version in versions) + " |",
    ]
    lines.append("|---" + "|:-:" * len(versions) + "|")
    for on in versions:
        cells = [f"{sum(not reason for reason in found[on, at].values())} of {len(cases)}" for at in versions]
        lines.append(f"| {on} | " + " | ".join(cells) + " |")
    return "\n".join(["".join(lines[:2]), *lines[2:], "", *reasons(versions, found)]) + "\n"


def reasons(versions: list[str], found: dict[tuple[str, str], dict[str, str]]) -> Iterator[str]:
    """Each reason once, with what it concerns."""
    yield "## What does not work\n"
    for on in versions:
        for at in versions:
            grouped: dict[str, list[str]] = {}
            for case, reason in found[on, at].items():
                if reason:
                    short = " ".join(reason.split()).replace("|", "/")[:160]
                    grouped.setdefault(short, []).append(case)
            for reason, cases in grouped.items():
                yield f"- made on {on}, on {at}: {', '.join(cases)}: `{reason}`"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", out]:
            sys.exit(make(Path(out)))
        case ["try", made, out]:
            sys.exit(attempt(Path(made), Path(out)))
        case _:
            sys.exit(main())
