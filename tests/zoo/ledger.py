"""The tracked record of the zoo: what is refused or does not apply, and a hash for what was rebuilt.

`docs/zoo-ledger.tsv` has one row for each class and modification that was not rebuilt, with the reason.
`docs/zoo-hashes.txt` has one line for each class: which modifications were rebuilt, and a hash of the emitted text, so
that after a change of the compiler only what changed is judged again.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.zoo.run import CRASH, NOT_APPLICABLE, NOT_BUILT, NOT_NATIVELY, REBUILT, REFUSED, WRONG, Row

DOCS = Path(__file__).parents[2] / "docs"
LEDGER, HASHES = DOCS / "zoo-ledger.tsv", DOCS / "zoo-hashes.txt"
EVERY = "*"
BADNESS = {REBUILT: 0, NOT_APPLICABLE: 1, NOT_BUILT: 1, NOT_NATIVELY: 0, REFUSED: 2, CRASH: 3, WRONG: 4}
HEADER = "class\tmodification\toutcome\treason"
Key = tuple[str, str]
Rows = dict[Key, Row]


def key(row: Row) -> Key:
    """A class that cannot be built has one row, whatever the modification."""
    return row.cls, EVERY if row.outcome == NOT_BUILT else row.modification


def read(ledger: Path = LEDGER, hashes: Path = HASHES) -> Rows:
    rows = [*read_ledger(ledger), *read_hashes(hashes)]
    return {key(row): row for row in rows}


def read_ledger(path: Path) -> list[Row]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [Row(*line.split("\t")) for line in lines if line and not line.startswith("#") and line != HEADER]


def read_hashes(path: Path) -> list[Row]:
    """Modifications are numbered by the order of the first line, which only ever grows."""
    lines = path.read_text().splitlines() if path.exists() else []
    if not lines:
        return []
    names = lines[0].split()
    cells = [(line.split(), cell.partition(":")) for line in lines[1:] for cell in line.split()[1:]]
    return [Row(parts[0], names[int(number)], REBUILT, text) for parts, (number, _, text) in cells]


def write(
    rows: Rows,
    modifications: Iterable[str],
    ledger: Path = LEDGER,
    hashes: Path = HASHES,
    heads: Iterable[str] | None = None,
) -> None:
    """`heads` are the lines of totals; by default those of the structural zoo."""
    ledger.parent.mkdir(exist_ok=True)
    ordered = [rows[name] for name in sorted(rows)]
    listed = ["\t".join((row.cls, key(row)[1], row.outcome, row.text)) for row in ordered if row.outcome != REBUILT]
    heads = totals(ordered) if heads is None else heads
    ledger.write_text("\n".join([*(f"# {line}" for line in heads), HEADER, *listed]) + "\n")
    names = hashes.read_text().splitlines()[0].split() if hashes.exists() else []
    names += [name for name in modifications if name not in names]
    hashes.write_text("\n".join([" ".join(names), *hash_lines(ordered, names)]) + "\n")


def hash_lines(ordered: Iterable[Row], names: list[str]) -> list[str]:
    number = {name: index for index, name in enumerate(names)}
    by_class: dict[str, list[str]] = {}
    for row in ordered:
        if row.outcome == REBUILT:
            by_class.setdefault(row.cls, []).append(f"{number[row.modification]}:{row.text}")
    return [" ".join((cls, *cells)) for cls, cells in by_class.items()]


def totals(rows: Iterable[Row]) -> list[str]:
    """The figures of the README: rebuilt and refused are parts of what applies."""
    rows = list(rows)
    count = Counter(row.outcome for row in rows)
    built = len({row.cls for row in rows if row.outcome != NOT_BUILT})
    applied = sum(count[outcome] for outcome in (REBUILT, NOT_NATIVELY, REFUSED, CRASH, WRONG))
    rebuilt = count[REBUILT] + count[NOT_NATIVELY]
    share = 100 * rebuilt / applied if applied else 0.0
    return [
        f"{built} classes built, {count[NOT_BUILT]} that cannot be built with their default config",
        f"{applied} modifications applied, {count[NOT_APPLICABLE]} not applicable",
        f"{rebuilt} rebuilt ({share:.2f} %), {count[NOT_NATIVELY]} of them where the native class changes its own "
        f"config; {count[REFUSED]} refused, {count[CRASH]} crashes, {count[WRONG]} silently wrong",
    ]


def worse(before: Row | None, now: Row) -> bool:
    """A crash or a wrong result always is; else what the ledger says is compared."""
    if BADNESS[now.outcome] >= BADNESS[CRASH]:
        return True
    return before is not None and BADNESS[now.outcome] > BADNESS[before.outcome]


def merged(known: Rows, new: Iterable[Row]) -> Rows:
    """What was found now takes the place of what was known, a class that builds now loses its row for all."""
    rows = dict(known)
    for row in new:
        if row.outcome == NOT_BUILT:
            rows = {name: kept for name, kept in rows.items() if name[0] != row.cls}
        else:
            rows.pop((row.cls, EVERY), None)
        rows[key(row)] = row
    return rows
