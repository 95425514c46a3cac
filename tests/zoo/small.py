"""Small models with real weights: which rung of `shrink` and which kind of `inputs` serve a class is searched once.

`docs/zoo-small.tsv` keeps what was found, one row for each class: the search takes most of an hour, and its result
follows from the class and the installed version of transformers alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from tests.judge import poisoned_memory
from tests.models import liven
from tests.zoo.discovery import NotBuilt, TooSlow, named, reason, time_limit
from tests.zoo.inputs import Inputs, NoInputs, find_inputs, make
from tests.zoo.shrink import Rung, rungs, shrink

TABLE = Path(__file__).parents[2] / "docs" / "zoo-small.tsv"
HEADER = "class\trung\tinputs\tparameters\tremark"
MOST_PARAMETERS = 3_000_000
SEARCH_SECONDS, FORWARD_SECONDS = 60, 10
SEED = 3


@dataclass(frozen=True, slots=True)
class Small:
    """The row of one class: the rung where it builds, the kind of inputs that runs, or why there is none."""

    cls: str
    rung: str
    inputs: str
    parameters: int
    remark: str

    @property
    def builds(self) -> bool:
        return bool(self.rung)

    @property
    def runs(self) -> bool:
        return bool(self.inputs)


def read(path: Path = TABLE) -> dict[str, Small]:
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#") and line != HEADER]
    return {row[0]: Small(row[0], row[1], row[2], int(row[3]), row[4]) for row in rows}


def write(rows: dict[str, Small], path: Path = TABLE) -> None:
    path.parent.mkdir(exist_ok=True)
    ordered = [rows[name] for name in sorted(rows)]
    lines = [f"{row.cls}\t{row.rung}\t{row.inputs}\t{row.parameters}\t{row.remark}" for row in ordered]
    built, runs = sum(row.builds for row in ordered), sum(row.runs for row in ordered)
    totals = f"# {built} of {len(ordered)} classes have a small config, {runs} of them run on made inputs"
    path.write_text("\n".join([totals, HEADER, *lines]) + "\n")


def search(cls: type[PreTrainedModel]) -> Small:
    """The first rung on which the model runs; else the first on which it is built."""
    built: Small | None = None
    why = "no rung builds"
    try:
        with time_limit(SEARCH_SECONDS):
            for rung, model in small_models(cls):
                built = built or Small(named(cls), str(rung), "", count(model), why)
                try:
                    number, _ = find_inputs(model)
                    return Small(named(cls), str(rung), str(number), count(model), "")
                except NoInputs as error:
                    built = Small(built.cls, built.rung, "", built.parameters, built_remark(built, error))
    except TooSlow as error:
        why = str(error)
    except NotBuilt as error:
        why = str(error)
    return built or Small(named(cls), "", "", 0, why)


def built_remark(built: Small, error: NoInputs) -> str:
    """The reason on the first rung: it is the one that was built."""
    return built.remark if built.remark != "no rung builds" else str(error)


def small_models(cls: type[PreTrainedModel]) -> Iterator[tuple[Rung, PreTrainedModel]]:
    """A model for each rung on which the class builds within the budget, smallest first."""
    try:
        default = cls.config_class()
        steps = list(rungs(default))
    except Exception as error:
        raise NotBuilt(reason(error)) from error
    failures = []
    for rung in steps:
        try:
            config = shrink(default, rung)
            with torch.device("meta"):
                size = count(cls(config))
            if size > MOST_PARAMETERS:
                failures.append(f"{size} parameters")
                continue
            yield rung, real(cls, rung)
        except TooSlow:
            raise
        except Exception as error:
            failures.append(reason(error))
    if failures:
        raise NotBuilt(failures[-1])


def real(cls: type[PreTrainedModel], rung: Rung) -> PreTrainedModel:
    """The same weights each time, none of them zero by chance of initialisation."""
    torch.manual_seed(SEED)
    with poisoned_memory():  # some classes never fill a parameter: garbage, another one each time
        model = cls(shrink(cls.config_class(), rung)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[parameter.isnan()] = 0.0
    liven(model)
    return model


def build(cls: type[PreTrainedModel], row: Small) -> tuple[PreTrainedModel, Inputs]:
    """The small model of a class whose row says that it runs, and its inputs."""
    model = real(cls, Rung.read(row.rung))
    return model, make(model, int(row.inputs))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
