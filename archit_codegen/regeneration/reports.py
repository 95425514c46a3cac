"""What `archit check` found, for machines: JSON, GitHub's annotations, JUnit."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from .freshness import Status

GITHUB_TEXT = {"%": "%25", "\r": "%0D", "\n": "%0A"}
GITHUB_PROPERTY = {**GITHUB_TEXT, ":": "%3A", ",": "%2C"}
NOT_XML = {code: "\N{REPLACEMENT CHARACTER}" for code in range(32) if chr(code) not in "\t\n\r"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A judged package with its difference, where one was asked for, and with what mends it."""

    status: Status
    diff: str
    mend: tuple[str, ...]

    @property
    def reasons(self) -> list[str]:
        """["stale: surgery/hel.py changed"]"""
        return [f"{problem.kind}: {problem.text}" for problem in self.status.problems]


def as_json(findings: Sequence[Finding]) -> str:
    """An object with `fresh` and `models`; paths are relative to the working directory."""
    models = [
        {
            "name": finding.status.name,
            "package": _path(finding.status.package),
            "fresh": finding.status.fresh,
            "problems": [
                {"kind": str(problem.kind), "text": problem.text, "file": problem.path}
                for problem in finding.status.problems
            ],
            "unverified": list(finding.status.unverified),
            "diff": finding.diff,
            "mend": list(finding.mend),
        }
        for finding in findings
    ]
    return json.dumps({"fresh": all(finding.status.fresh for finding in findings), "models": models}, indent=2)


def as_github(findings: Sequence[Finding]) -> str:
    """One workflow command for each problem, and a notice for each package that is unverified."""
    lines = [line for finding in findings for line in _annotations(finding)]
    return "\n".join(lines)


def as_junit(findings: Sequence[Finding]) -> str:
    """A test suite with one case for each package."""
    failed = sum(not finding.status.fresh for finding in findings)
    suite = ElementTree.Element("testsuite", name="archit", tests=str(len(findings)), failures=str(failed))
    for finding in findings:
        case = ElementTree.SubElement(suite, "testcase", classname="archit.check", name=finding.status.name)
        if finding.reasons:
            said = "\n".join([*finding.reasons, *(f"mend with: {line}" for line in finding.mend), finding.diff])
            message = "; ".join(finding.reasons).translate(NOT_XML)
            ElementTree.SubElement(case, "failure", message=message).text = said.translate(NOT_XML)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


FORMATS: Mapping[str, Callable[[Sequence[Finding]], str]] = {
    "json": as_json,
    "github": as_github,
    "junit": as_junit,
}


def _annotations(finding: Finding) -> list[str]:
    status = finding.status
    mend = f" Mend with: {' or '.join(finding.mend)}"
    lines = [
        f"::error file={_escape(_path(status.package / problem.path), GITHUB_PROPERTY)},title=archit"
        f"::{_escape(f'{status.name}: {problem.text}.{mend}', GITHUB_TEXT)}"
        for problem in status.problems
    ]
    if status.unverified:
        said = f"{status.name}: unverified on {', '.join(status.unverified)}"
        lines.append(f"::notice title=archit::{_escape(said, GITHUB_TEXT)}")
    return lines


def _escape(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)


def _path(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()
