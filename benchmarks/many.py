"""How the commands grow with the number of models in a spec."""

from benchmarks import growth, results
from benchmarks.specs import write_spec
from benchmarks.startup import COMMANDS, COMPILER, ENTRY, folder, measured
from tests.prepared import project

NOTHING_STALE = (1, 5, 10, 50, 100, 200)
ALL_STALE = (4, 16, 64, 200)
ROUNDS = 5


def nothing_to_do() -> dict[float, growth.Point]:
    """Processor seconds of `check` and `generate` where all packages are fresh."""
    points: dict[float, growth.Point] = {}
    for count in NOTHING_STALE:
        with folder() as root:
            project(root, count)
            points[count] = {
                name: min(measured(COMMANDS[name], root).processor for _ in range(ROUNDS))
                for name in ("check", "generate")
            }
    return points


def all_to_do() -> dict[float, growth.Point]:
    """Processor seconds of compiling every model, beyond those of the imports."""
    points: dict[float, growth.Point] = {}
    for count in ALL_STALE:
        with folder() as root:
            write_spec(root, count)
            imports = measured(COMPILER, root).processor
            points[count] = {"generate all": measured(["-c", ENTRY, "generate"], root).processor - imports}
            print(f"{'models':16} {count:12g} {points[count]['generate all']:8.3f}", flush=True)
    return points


def measure() -> None:
    found = {**growth.summary(nothing_to_do()), **growth.summary(all_to_do())}
    results.keep(growth.SECTION, {**results.read().get(growth.SECTION, {}), "models": found}, part="models")
