"""Models are compiled in processes that are forked from one and go on from model to model until one goes wrong."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archit_codegen.regeneration.forking import died, over_processes
from archit_codegen.regeneration.results import Outcome, Result
from archit_codegen.regeneration.spec import Spec
from tests.prepared import project

LEFT_BEHIND: list[str] = []
NOTHING = "its process died (killed, or out of memory)"


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    return project(tmp_path_factory.mktemp("forking") / "project", 8)


def perform(spec: Spec, name: str) -> Result:
    """What the process is like in which a model is compiled."""
    torch = sys.modules.get("torch")  # as it was found: nothing is imported here
    LEFT_BEHIND.append(name)
    if name == "m1":
        os._exit(9)
    if name == "m2":
        raise SystemExit(3)
    facts = (str(os.getpid()), str(os.getppid()), " ".join(LEFT_BEHIND), f"torch is there: {torch is not None}")
    return Result(name, spec.root, Outcome.FAILED if name == "m4" else Outcome.UNCHANGED, "", facts)


def test_processes_go_on_until_something_goes_wrong(spec: Spec) -> None:
    begun: list[str] = []
    names = [f"m{number}" for number in range(8)]
    results = {result.name: result for result in over_processes(perform, spec, names, 1, begun.append)}
    assert begun == names and sorted(results) == names
    assert {results["m1"], results["m2"]} == {died(spec, "m1"), died(spec, "m2")}
    assert results["m1"].outcome is Outcome.FAILED and results["m1"].text == NOTHING
    alive = [results[name].notes for name in names if name not in ("m1", "m2")]
    pids, servers, left, imported = zip(*alive, strict=True)
    assert left == ("m0", "m3", "m3 m4", "m5", "m5 m6", "m5 m6 m7")
    assert len(set(pids)) == 3 and len(set(servers)) == 1
    if sys.platform == "linux":
        assert str(os.getpid()) not in servers and set(imported) == {"torch is there: True"}


def meeting(spec: Spec, name: str) -> Result:
    (spec.root / f"{name}.here").touch()
    while len(list(spec.root.glob("*.here"))) < 2:
        time.sleep(0.01)
    return Result(name, spec.root, Outcome.UNCHANGED, "", (str(os.getpid()),))


def test_several_at_once(spec: Spec) -> None:
    results = list(over_processes(meeting, spec, ["m0", "m1"], 2, lambda name: None))
    assert len({result.notes for result in results}) == 2


def slow(spec: Spec, name: str) -> Result:
    if name != "m0":
        (spec.root / f"{name}.pid").write_text(str(os.getpid()))
        time.sleep(600)
    while not (spec.root / "m1.pid").exists():
        time.sleep(0.01)
    return Result(name, spec.root, Outcome.UNCHANGED, "")


def test_who_stops_listening_stops_what_runs(spec: Spec) -> None:
    with closing(over_processes(slow, spec, ["m0", "m1"], 2, lambda name: None)) as results:
        assert next(results).name == "m0"
    assert not any(running(int(path.read_text())) for path in pids(spec.root))


def pids(folder: Path) -> Iterator[Path]:
    found = list(folder.glob("*.pid"))
    assert found
    yield from found


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill_server(spec: Spec, name: str) -> Result:
    os.kill(os.getppid(), 9)
    return Result(name, spec.root, Outcome.UNCHANGED, "")


@pytest.mark.skipif(sys.platform != "linux", reason="the server is the parent where processes are forked")
def test_the_server_itself_dies(spec: Spec) -> None:
    results = list(over_processes(kill_server, spec, ["m0", "m2"], 1, lambda name: None))
    assert [result.text for result in results] == [NOTHING, NOTHING]
