"""Kills a writer of packages, or takes the disk from it: at an instant, or at one of its writing calls.

It forks, so it is run in a process of its own that has imported nothing big: `python -m tests.faults COMMAND FOLDER`.
Each round is judged right after the fault, and once more after the next writer has cleared up.
"""

import errno
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from archit_codegen.disk import tree
from archit_codegen.disk.replacing import recover
from archit_codegen.errors import ArchitError, WriteFailed
from tests.faults.cases import CASES, EDIT, contents, judge, judge_recovered

WRITING = ("mkdir", "write", "fsync", "link", "rename", "unlink", "rmdir", "chmod", "replace")


@contextmanager
def faults(at: int, fault: Callable[[str, Callable[..., Any], tuple[Any, ...]], Any]) -> Iterator[list[str]]:
    """From the ``at``-th writing call on, ``fault`` is called in its place; the names of the calls are collected."""
    seen: list[str] = []
    originals = {name: getattr(os, name) for name in WRITING}
    opening, exchange = os.open, tree.exchange

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            seen.append(name)
            return fault(name, lambda: real(*args, **kwargs), args) if len(seen) >= at else real(*args, **kwargs)

        return call

    for name, real in originals.items():
        setattr(os, name, wrap(name, real))
    os.open, tree.exchange = wrap("open", opening), wrap("exchange", exchange)
    try:
        yield seen
    finally:
        for name, real in originals.items():
            setattr(os, name, real)
        os.open, tree.exchange = opening, exchange


def child(do: Callable[[Path], object], folder: Path, around: AbstractContextManager[object]) -> int:
    """A process that does it; what it refuses to do is none of our business here."""
    process = os.fork()
    if not process:
        try:
            with around, suppress(ArchitError):
                do(folder)
        finally:
            os._exit(0)
    return process


def ended(process: int) -> int:
    return os.waitpid(process, 0)[1]


def killed_at_calls(folder: Path, name: str, moment: str) -> Iterator[str]:
    """Killed before, in the middle of (writes only) or after each writing call of one case."""
    prepare, do, states = CASES[name]
    at = 0
    while True:
        at += 1
        prepare(folder)
        if os.WIFEXITED(ended(child(do, folder, faults(at, dying(moment))))):
            break
        yield judge(folder, states, f"{name} killed {moment} call {at}") or judge_recovered(folder, states, name)


def dying(moment: str) -> Callable[..., Any]:
    def fault(call: str, real: Callable[[], Any], args: tuple[Any, ...]) -> None:
        if moment == "after":
            real()
        elif moment == "in" and call == "write":
            os.pwrite(args[0], bytes(args[1])[: len(args[1]) // 2], 0)
        os.kill(os.getpid(), signal.SIGKILL)

    return fault


SAVES = {"notes/mine.md": "mine, again\n", "lab.txt": "another\n", "modeling_lab.py": EDIT}


def saved_at_calls(folder: Path) -> Iterator[str]:
    """At each writing call the user saves files, as editors do (written elsewhere, renamed); at a later call, or
    never, the writer is killed. Whatever happens, what the user saved is there."""
    prepare, do, _ = CASES["again"]
    prepare(folder)
    with faults(10**6, dying("")) as seen:
        do(folder)
    for at in range(1, len(seen) + 1):
        for end in {at, at + 1, at + 2, (at + len(seen)) // 2, len(seen), 10**6}:
            prepare(folder)
            ended(child(do, folder, faults(at, saving(folder, at, end))))
            with tree.locked(folder):
                recover(folder / "lab")
            found = contents(folder)
            lost = [text for text in SAVES.values() if text not in found.values()]
            yield f"saved at {at}, killed at {end}: lost {lost}" if lost else ""


def saving(folder: Path, at: int, end: int) -> Callable[..., Any]:
    count = at - 1
    rename = os.rename

    def fault(call: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        nonlocal count
        count += 1
        if count == at:
            for path, text in SAVES.items():
                (folder / "unsaved").write_bytes(text.encode())
                rename(folder / "unsaved", folder / "lab" / path)
        if count >= end:
            os.kill(os.getpid(), signal.SIGKILL)
        return real()

    return fault


def refused_calls(folder: Path, name: str, code: int, harmless: tuple[str, ...] = ()) -> Iterator[str]:
    """From each writing call on, the disk refuses them all, but for those that a full disk still allows."""
    prepare, do, states = CASES[name]

    def fault(call: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        if call in harmless:
            return real()
        raise OSError(code, os.strerror(code))

    at = 0
    while True:
        at += 1
        prepare(folder)
        with faults(at, fault) as seen:
            try:
                do(folder)
                failed = False
            except WriteFailed:
                failed = True
        if len(seen) < at:
            break
        told = judge(folder, states, f"{name} refused from call {at}") or judge_recovered(folder, states, name)
        yield told or (
            "" if failed or contents(folder) == states[-1] else f"{name}: call {at} failed, and nobody said so"
        )


def killed_at_instants(folder: Path, rounds: int, seed: int) -> Iterator[str]:
    """Killed at random instants of a write."""
    chance = random.Random(seed)
    names = ["again", "overwrite", "first", "remove-some"]
    begin = time.perf_counter()
    for name in names:
        CASES[name][0](folder)
        CASES[name][1](folder)
    typical = (time.perf_counter() - begin) / len(names)
    for number in range(rounds):
        name = names[number % len(names)]
        prepare, do, states = CASES[name]
        prepare(folder)
        process = child(do, folder, nullcontext())
        time.sleep(chance.uniform(0, typical))
        os.kill(process, signal.SIGKILL)
        ended(process)
        yield judge(folder, states, f"{name}, round {number}") or judge_recovered(folder, states, name)


FULL = ("unlink", "rmdir", "rename", "chmod", "fsync", "exchange", "replace")
COMMANDS: dict[str, Callable[[Path, list[str]], Iterator[str]]] = {
    "instants": lambda folder, rest: killed_at_instants(folder, int(rest[0]), int(rest[1])),
    "calls": lambda folder, rest: (
        t for name in CASES for m in ("before", "in", "after") for t in killed_at_calls(folder, name, m)
    ),
    "saves": lambda folder, rest: saved_at_calls(folder),
    "full": lambda folder, rest: (told for name in CASES for told in refused_calls(folder, name, errno.ENOSPC, FULL)),
    "read-only": lambda folder, rest: (told for name in CASES for told in refused_calls(folder, name, errno.EROFS)),
}

if __name__ == "__main__":
    told = list(COMMANDS[sys.argv[1]](Path(sys.argv[2]), sys.argv[3:]))
    print(json.dumps({"rounds": len(told), "wrong": [text for text in told if text]}))
