"""Projects whose packages stand there as if they had just been generated; no compiler takes part."""

from pathlib import Path

from archit_codegen.disk.writer import write_package
from archit_codegen.regeneration.freshness import Examiner
from archit_codegen.regeneration.spec import ModelSpec, Spec, read_spec

GOLDEN = Path(__file__).parent.parent / "golden"
SURGERY = "from surgery.helper import twice\n\n\ndef build():\n    return twice({number})\n"


def project(root: Path, count: int, more: str = "") -> Spec:
    """A project of ``count`` models m0, m1, ..., each with a surgery of its own and a helper that all import."""
    (root / "surgery").mkdir(parents=True)
    (root / "surgery" / "helper.py").write_text("def twice(number):\n    return 2 * number\n")
    for number in range(count):
        (root / "surgery" / f"m{number}.py").write_text(SURGERY.format(number=number))
    tables = [
        f'[[model]]\nname = "m{number}"\nsurgery = "surgery/m{number}.py:build"\nsuffix = "X"\n'
        for number in range(count)
    ]
    (root / "archit.toml").write_text("\n".join(['output = "models"', more, *tables]))
    spec = read_spec(root / "archit.toml")
    for model in spec.models:
        generated(spec, model, emitted(model.name))
    return spec


def generated(spec: Spec, model: ModelSpec, files: dict[str, str]) -> Path:
    """Write a package as `archit generate` does, with the lock that it writes."""
    sources = [f"surgery/{model.name}.py", "surgery/helper.py"]
    examiner = Examiner(spec)
    hashes = {path: examiner.digest_of(path) for path in sources} | examiner.sources(model)
    origin = examiner.origin_of(model, "torch.nn.modules.linear:Linear", hashes)
    return write_package(model.output, model.name, files, origin).package


def emitted(name: str, case: str = "llama_norm_eps") -> dict[str, str]:
    """The files of a golden package, under another name."""
    (package,) = (folder for folder in (GOLDEN / case / "expected").iterdir() if folder.is_dir())
    texts = {path.name.replace(package.name, name): path.read_text("utf-8") for path in sorted(package.glob("*.py"))}
    return {f"{name}/{path}": text.replace(package.name, name) for path, text in texts.items()}
