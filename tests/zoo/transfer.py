"""`python -m tests.zoo.transfer`: does what is compiled at one config say the same surgery at another?

Classes of transformers, spread over all of it, with a few layers on meta; judged at a config that the compiler did not
see. `docs/transfer.tsv` has the totals, and a row with the reason for each miss.
"""

import argparse
import copy
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig

import archit_codegen as archit
from tests.zoo.discovery import NotBuilt, TooSlow, discover, named, reason, time_limit
from tests.zoo.places import NotApplicable
from tests.zoo.run import one_line, where
from tests.zoo.structure import MetaJudgement, Snapshot
from tests.zoo.transferred import SURGERIES, build

ROOT = Path(__file__).parents[2]
LEDGER, STATE = ROOT / "docs" / "transfer.tsv", ROOT / "build" / "zoo" / "transfer.jsonl"
HEADER = "class\tsurgery\toutcome\tjudged at\treason"
TRANSFERRED, NOTED, REFUSED, WRONG, NOT_APPLICABLE = "transferred", "noted", "refused", "WRONG", "n/a"
CRASH = "CRASH"
DEPTH = re.compile(r"(^|_)(layers|n_layer)$")
WIDTHS = ("hidden_size", "d_model", "n_embd", "intermediate_size", "d_ff", "n_inner", "ffn_dim", "encoder_ffn_dim")
WIDTHS += ("decoder_ffn_dim", "dim", "hidden_dim", "embed_dim", "hidden_sizes")
SMALL, CELL_SECONDS = 4, 120
Row = tuple[str, str, str, str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo.transfer", description=__doc__)
    parser.add_argument("--classes", type=int, default=80, help="how many classes, spread over all of transformers")
    parser.add_argument("--each", type=int, default=4, help="how many surgeries for each, in rotation")
    parser.add_argument("--only", help="classes whose name (`bert.BertModel`) contains this")
    parser.add_argument("--surgery", choices=list(SURGERIES), help="this one alone")
    parser.add_argument("--fresh", action="store_true", help="forget what a run that broke off had done")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.fresh:
        STATE.unlink(missing_ok=True)
    rows = list(progress(list(chosen(options))))
    print("\n".join(totals(rows)))
    if not (options.only or options.surgery):
        write(rows)
        STATE.unlink(missing_ok=True)
    return int(any(row[2] in (WRONG, CRASH) for row in rows))


def chosen(options: argparse.Namespace) -> Iterator[tuple[type, str]]:
    """One class of a folder of transformers after the other, and surgeries in rotation."""
    classes = [cls for cls in discover().classes if not options.only or options.only in named(cls)]
    if not options.only:
        by_folder = {named(cls).partition(".")[0]: cls for cls in reversed(classes)}
        heads = sorted(by_folder.values(), key=named)
        classes = heads[:: max(1, len(heads) // options.classes)][: options.classes]
    names = list(SURGERIES)
    for step in range(1 if options.surgery else options.each):
        for place, cls in enumerate(classes):
            yield cls, options.surgery or names[(place * options.each + step) % len(names)]


def progress(cells: list[tuple[type, str]]) -> Iterator[Row]:
    STATE.parent.mkdir(parents=True, exist_ok=True)
    lines = STATE.read_text().splitlines() if STATE.exists() else []
    done = {tuple(row[:2]): tuple(row) for row in map(json.loads, lines)}
    start = time.monotonic()
    with STATE.open("a") as log:
        for index, (cls, surgery) in enumerate(cells, 1):
            row = done.get((named(cls), surgery))
            if row is None:
                row = run(cls, surgery)
                log.write(json.dumps(row) + "\n")
                log.flush()
                print(f"{index}/{len(cells)} {time.monotonic() - start:.0f} s", *row, flush=True)
            yield row


def run(cls: type, surgery: str) -> Row:
    """Never raises."""
    try:
        with time_limit(CELL_SECONDS):
            outcome, at, why = judged(cls, surgery)
    except (TooSlow, NotBuilt) as error:
        outcome, at, why = NOT_APPLICABLE, "", str(error)
    return named(cls), surgery, outcome, at, one_line(why)


def judged(cls: type, surgery: str) -> tuple[str, str, str]:
    built = build(cls, surgery)
    try:
        config = small(cls.config_class())
        on_meta(built, config)
        at, live = elsewhere(built, config)
    except NotApplicable as error:
        return NOT_APPLICABLE, "", str(error)
    except TooSlow:
        raise
    except Exception as error:
        raise NotBuilt(reason(error)) from error
    try:
        with torch.device("meta"):
            package = archit.compile_surgery(built, config, name="zoo_model", suffix="WithZoo")
    except archit.ArchitError as error:
        return REFUSED, at, f"{type(error).__name__}: {error}"
    except TooSlow:
        raise
    except Exception as error:
        return CRASH, at, f"{reason(error)} at {where(error)}"
    try:
        MetaJudgement(live, package, Snapshot(live)).judge()
    except TooSlow:
        raise
    except Exception as error:  # a difference, or a class that cannot be built from that config
        said = [note for note in package.notes if "follow" in note]  # the compiler told
        return (NOTED, at, said[0]) if said else (WRONG, at, reason(error))
    return TRANSFERRED, at, ""


def on_meta(built: Any, config: PreTrainedConfig) -> Any:
    with torch.device("meta"):
        return built(copy.deepcopy(config))


def elsewhere(built: Any, config: PreTrainedConfig) -> tuple[str, Any]:
    """The surgery at a config that is deeper, wider and has another vocabulary, as far as the class bears that."""
    attempts = {"depth, widths, vocabulary": (True, True), "depth, widths": (True, False), "depth": (False, False)}
    for name, (wider, words) in attempts.items():
        other = copy.deepcopy(config)
        for one in inner(other):
            change(one, wider, words)
        try:
            other = type(other).from_dict(other.to_dict())  # fields that are computed from others are so again
            return name, on_meta(built, other)
        except TooSlow:
            raise
        except Exception as error:
            failure = error
    raise NotBuilt(f"no other config builds ({reason(failure)})")


def change(config: PreTrainedConfig, wider: bool, words: bool) -> None:
    stretch(config, lambda depth: depth + 5)
    for name in WIDTHS if wider else ():
        value = vars(config).get(name)
        if isinstance(value, int):
            setattr(config, name, value * 6)
        elif isinstance(value, list):
            setattr(config, name, [item * 6 for item in value])
    if words and isinstance(vars(config).get("vocab_size"), int):
        config.vocab_size += 100


def small(config: PreTrainedConfig) -> PreTrainedConfig:
    for one in inner(config):
        stretch(one, lambda depth: min(depth, SMALL))
    return config


def stretch(config: PreTrainedConfig, depth_of: Any) -> None:
    """Another depth, with the lists that have an entry for each layer."""
    for name, value in list(vars(config).items()):
        if DEPTH.search(name) and type(value) is int and value:
            depth = depth_of(value)
            for other, entries in list(vars(config).items()):
                if isinstance(entries, (list, tuple)) and len(entries) == value:
                    setattr(config, other, type(entries)([*entries, *entries * 5][:depth]))
            setattr(config, name, depth)


def inner(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    yield config
    for value in list(vars(config).values()):
        if isinstance(value, PreTrainedConfig):
            yield from inner(value)


def totals(rows: Iterable[Row]) -> list[str]:
    rows = list(rows)
    count = Counter(row[2] for row in rows)
    applied = len(rows) - count[NOT_APPLICABLE]
    classes = len({row[0] for row in rows if row[2] != NOT_APPLICABLE})
    share = 100 * count[TRANSFERRED] / applied if applied else 0.0
    return [
        f"{applied} surgeries on {classes} classes judged at another config, {count[NOT_APPLICABLE]} not applicable",
        f"{count[TRANSFERRED]} transferred ({share:.2f} %), {count[NOTED]} not, with a note, "
        f"{count[REFUSED]} refused, {count[WRONG]} not, without a word, {count[CRASH]} crashes",
    ]


def write(rows: Iterable[Row]) -> None:
    listed = ["\t".join(row) for row in sorted(rows) if row[2] != TRANSFERRED]
    LEDGER.write_text("\n".join([*(f"# {line}" for line in totals(rows)), HEADER, *listed]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
