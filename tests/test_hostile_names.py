"""Hostile names of slots, classes, functions, packages and files: refused, or written so that they mean themselves."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import archit_codegen as archit
from archit_codegen.cli import main
from tests.hostile.canary import SUNG
from tests.hostile.files import imported, source
from tests.hostile.host import compiled, rebuilt
from tests.hostile.names import NAMES, PATHS, USABLE
from tests.hostile.texts import INJECTIONS

HOSTILE = (*NAMES, *INJECTIONS[::4])


@pytest.fixture(autouse=True)
def nothing_sings() -> Any:
    SUNG.clear()
    yield
    assert SUNG == []


def tell(self: Any) -> int:
    return 5


SLOTS: dict[str, Callable[[Any, str], object]] = {
    "child": lambda live, name: setattr(live, name, nn.Linear(3, 3)),
    "attribute": lambda live, name: setattr(live, name, 5),
    "child below": lambda live, name: live.inner.add_module(name, nn.Linear(3, 3)),
    "child behind torch's back": lambda live, name: live._modules.update({name: nn.Linear(3, 3)}),
    "parameter": lambda live, name: live._parameters.update({name: nn.Parameter(torch.zeros(2))}),
    "buffer": lambda live, name: live._buffers.update({name: torch.zeros(2)}),
    "no buffer": lambda live, name: live.register_buffer(name, None),
    "method": lambda live, name: setattr(live, name, types.MethodType(tell, live)),
}


@pytest.mark.parametrize("slot", SLOTS)
def test_slots_that_cannot_be_written_are_refused(slot: str) -> None:
    for name in HOSTILE:
        package = compiled(lambda live, name=name: SLOTS[slot](live, name))  # type: ignore[misc]
        assert isinstance(package, archit.ArchitError), ascii(name)


@pytest.mark.parametrize("slot", ["child", "attribute", "buffer"])
def test_odd_slots_are_written(slot: str) -> None:
    package = compiled(lambda live: [SLOTS[slot](live, name) for name in USABLE])
    assert not isinstance(package, archit.ArchitError), package
    built = rebuilt(package)
    assert all(hasattr(built, name) for name in USABLE)


def test_keys_of_a_dictionary_of_modules_mean_themselves() -> None:
    names = [name for name in (*HOSTILE, *USABLE) if name and "." not in name and not hasattr(nn.ModuleDict(), name)]
    package = compiled(lambda live: setattr(live, "extra", nn.ModuleDict({n: nn.Linear(3, 3) for n in names})))
    assert not isinstance(package, archit.ArchitError), package
    assert list(rebuilt(package).extra) == names


@pytest.mark.parametrize("attribute", ["__name__", "__qualname__", "__module__"])
def test_names_that_a_class_gave_itself_are_not_believed(attribute: str) -> None:
    for name in HOSTILE:
        package = compiled(lambda live, name=name: setattr(live, "inner", renamed_class(attribute, name)()))  # type: ignore[misc]
        if not isinstance(package, archit.ArchitError):
            built = rebuilt(package)
            assert type(built.inner).__name__ == "Evil" and built.inner.marker == 7


def renamed_class(attribute: str, name: str) -> Any:
    class Evil(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.marker = 7

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    setattr(Evil, attribute, name)
    return Evil


@pytest.mark.parametrize("attribute", ["__name__", "__qualname__", "__module__", "__doc__"])
def test_names_that_a_function_gave_itself_are_not_believed(attribute: str) -> None:
    for name in HOSTILE[::2]:

        def evil(self: Any) -> int:
            return 6

        setattr(evil, attribute, name)
        package = compiled(lambda live, evil=evil: setattr(live, "tell", types.MethodType(evil, live)))  # type: ignore[misc]
        assert isinstance(package, archit.ArchitError) or rebuilt(package).tell() == 6


@pytest.mark.parametrize("option", ["name", "suffix"])
def test_names_of_packages_and_suffixes(option: str) -> None:
    for text in (*NAMES, *INJECTIONS, *PATHS, None, 1, b"x"):
        package = compiled(lambda live: setattr(live, "inner", nn.Identity()), **{option: text})
        if not isinstance(package, archit.ArchitError):
            assert option == "suffix" and f"Host{text}".isidentifier() and f"Host{text}".isascii()
            assert type(rebuilt(package)).__name__ == f"Host{text}"


def test_no_package_has_the_name_of_a_path(tmp_path: Path) -> None:
    package = compiled(lambda live: setattr(live, "inner", nn.Identity()))
    for path in PATHS:
        written = package.write(tmp_path / path)
        assert written == tmp_path / path / "hostile" and (written / "__init__.py").is_file()


@pytest.mark.parametrize("path", PATHS)
def test_files_and_folders_of_the_user(path: str, tmp_path: Path) -> None:
    """Copied, nothing tells where the code stood; imported, it needs a name that can stand in an import."""
    with imported(tmp_path / path, source(), name=path) as module:
        package = compiled(lambda live: setattr(live, "inner", module.Layer()))
        assert not isinstance(package, archit.ArchitError), package
        assert not any(path in text for text in package.files.values() if len(path) > 2)
        assert rebuilt(package).inner.tell() == "plain"
        package = compiled(lambda live: setattr(live, "inner", module.Layer()), user_code="import")
        if not isinstance(package, archit.ArchitError):
            assert all(part.isidentifier() for part in path.split("."))


@pytest.mark.parametrize("key", ["name", "suffix", "surgery", "declared", "output"])
def test_a_spec_is_refused_in_one_line(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (*NAMES, *INJECTIONS, *PATHS):
        entries = {"name": "good", "surgery": "nowhere.py:build", "suffix": "X"} | {key: text}
        lines = "\n".join(f"{name} = {quoted(value)}" for name, value in entries.items())
        (tmp_path / "archit.toml").write_bytes(f"[[model]]\n{lines}\n".encode("utf-8", "surrogatepass"))
        result = CliRunner().invoke(main, ["generate", "--all"] if key == "name" else ["generate"])
        assert result.exit_code == 2, (ascii(text), result.output)
        assert isinstance(result.exception, SystemExit | None), (ascii(text), result.exception)
        assert "Traceback" not in result.output


def quoted(text: str) -> str:
    """A basic string of TOML, as hostile as its text: only what TOML itself would not read is escaped."""
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'
