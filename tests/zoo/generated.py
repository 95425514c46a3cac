"""A user's file with a subclass of any class: text on the disk, as the compiler expects of user code."""

import importlib.util
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from torch import nn

TEXT = """from {module} import {name}


class Quiet{name}({name}):
    \"\"\"The same at half the volume, where it returns a tensor.\"\"\"

    def forward(self, *args, **kwargs):
        outputs = super().forward(*args, **kwargs)
        return outputs if isinstance(outputs, tuple) else 0.5 * outputs
"""


def subclass_of(base: type[nn.Module], files: ExitStack) -> type[nn.Module]:
    """`Quiet<Base>`, in an importable module of a temporary file that goes with `files`."""
    directory = files.enter_context(tempfile.TemporaryDirectory())
    name = f"zoo_user_{base.__name__.lower()}"
    path = Path(directory) / f"{name}.py"
    path.write_text(TEXT.format(module=base.__module__, name=base.__name__))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    files.callback(sys.modules.pop, name, None)
    spec.loader.exec_module(module)
    return getattr(module, f"Quiet{base.__name__}")
