"""`python -m tests.ship.modular UTILS [CASE ...]`: what the modular files expand to, written to `docs/modular.md`.

``UTILS`` is the folder `utils` of a checkout of transformers, whose converter is in no wheel.
"""

import ast
import importlib
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import archit_codegen as archit
from tests.goldens import CASES, MODELS, live_model
from tests.judge import judge
from tests.models import inputs_for

PAGE = Path(__file__).parents[2] / "docs" / "modular.md"
HEAD = """# What modular files expand to

`vendor="modular"` writes `modular_<name>.py` beside the full classes. For each surgery of `golden/` its classes were
put in the place of the full ones, and the model that they build was compared with the live model, which is what the
full classes are compared with: modules and attributes of the tree, names and values of the weights, outputs with all
hidden states and attentions, and again after saving and loading (`tests/judge.py`; `tests/ship/test_vendor.py` does it
in `make ship`). Beyond that, each file is judged as text against the full classes whenever a package is made.

The last column is transformers' own converter, of the development version 5.16. It writes a file for the repository of
transformers, where a model is named by a prefix, so that the names of the classes were first written in that style
(`BertLayerWithAdapter` as `BertAdapterLayer`), imports from transformers as relative ones, the declared class left as
the only base class, and an empty subclass put in for each class that is used as it is
(`class BertAdapterEmbeddings(BertEmbeddings): pass`); afterwards the names were written back. What it wrote was
compared in the same way. Where it says otherwise, the converter makes one class of each, and cannot keep a changed
layer beside an unchanged one; or looks for one config, by the name of the model; or puts a class before its base.

`python -m tests.ship.modular UTILS` writes this page, with the converter in the folder `utils` of a checkout.

| surgery | lines, full | lines, modular | its classes build the live model | so do those that the converter writes |
|---|--:|--:|---|---|
"""


def main(utils: str, *only: str) -> None:
    rows = re.findall(r"(?m)^\| (\w+) \| (\d.*\n)", PAGE.read_text()) if PAGE.exists() else []
    known = {case: f"| {case} | {rest}" for case, rest in rows if only and case not in only}
    for case in CASES:
        if case not in known:
            known[case] = row(case, utils)
        PAGE.write_text(HEAD + "".join(known[case] for case in CASES if case in known))


def row(case: str, utils: str) -> str:
    model, live = MODELS[case], live_model(case)
    package = archit.compile_model(
        live, name=model.name, suffix=model.suffix, inputs=inputs_for(live), vendor="modular"
    )
    full, modular = (package.files[f"{model.name}/{kind}_{model.name}.py"] for kind in ("modeling", "modular"))
    ours = verdict(lambda: modular, case, package)
    theirs = verdict(lambda: converted(modular, case, utils), case, package)
    return f"| {case} | {len(full.splitlines())} | {len(modular.splitlines())} | {ours} | {theirs} |\n"


def verdict(text: Callable[[], str], case: str, package: archit.Package) -> str:
    """Whether a text in the place of the full one builds the live model; else what is different."""
    name, live = MODELS[case].name, live_model(case)
    try:
        files = {**package.files, f"{name}/modeling_{name}.py": text()}
        judge(live, replace(package, files=files), inputs_for(live))
    except Exception as error:  # of the converter, of the file that it wrote, or of the judge
        said = re.sub(r"_archit_codegen_package_\d+\.", "", " ".join(str(error).split()).replace("|", "/"))
        cause = re.search(r"importing it raises ([^()]*)", said)
        return f"no: `{(cause[1] if cause else said)[:100].strip()}`"
    return "yes"


def converted(text: str, case: str, utils: str) -> str:
    """The modeling file that transformers' converter writes for a modular one, with the names of the package."""
    sys.path[:0] = [utils] * (utils not in sys.path)
    converter: Any = importlib.import_module("modular_model_converter")
    name, suffix = MODELS[case].name, MODELS[case].suffix
    old = re.search(r"from transformers\.models\.(\w+)\.modeling_", text)[1]  # type: ignore[index]
    before, after = converter.get_cased_name(old), converter.get_cased_name(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "src" / "transformers" / "models" / name / f"modular_{name}.py"
        path.parent.mkdir(parents=True)
        path.write_text(with_prefix(text, before, after, suffix))
        found = converter.convert_modular_file(str(path))["modeling"]
    for dots, home in ((r"\.\.\.", "transformers."), (r"\.\.", "transformers.models.")):
        found = re.sub(rf"(?m)^from {dots}(?=\w)", f"from {home}", found)
    found = re.sub(r"(?m)^from \.\.\. import", "from transformers import", found)
    found = re.sub(rf"\b{after}(\w*?)(\d*)\b", rf"{before}\1{suffix}\2", found)
    return re.sub(rf"(?<![\w.])((?:self\.|model\.|\")?){name}\b", rf"\1{old}", found)  # it renames attributes as well


def with_prefix(text: str, before: str, after: str, suffix: str) -> str:
    """A modular file in the style that the converter expects."""
    bases = rf"(?m)^class {before}(\w*?){suffix}(\d*)\({before}\w*{suffix}\d*, ({before}\w+)\):"
    text = re.sub(bases, rf"class {before}\1{suffix}\2(\3):", text)
    text = re.sub(rf"\b{before}(\w*?){suffix}(\d*)\b", rf"{after}\1\2", text)
    text = re.sub(r"(?m)^from transformers import", "from ... import", text)
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    taken = {node.name for node in classes} | {ast.unparse(base) for node in classes for base in node.bases}
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and ".modeling_" in str(node.module)]
    used = {alias.name: after + alias.name.removeprefix(before) for node in imports for alias in node.names}
    used = {old: new for old, new in used.items() if old.startswith(before) and not {old, new} & taken}
    place = text.index("\n\n\n")  # below the imports
    body = text[place:]
    for old, new in used.items():
        body = re.sub(rf"(?<![\"\w]){old}\b", new, body)
    return text[:place] + "".join(f"\n\n\nclass {new}({old}):\n    pass" for old, new in used.items()) + body


if __name__ == "__main__":
    main(*sys.argv[1:])
