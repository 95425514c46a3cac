"""A project with one generated model, compiled once and copied for each scenario."""

from pathlib import Path

import pytest

from tests import repository
from tests.repository import Repository


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("scenarios")
    return repository.project(repository.tools(folder / "tools"), folder / "first project")


@pytest.fixture
def project(original: Repository, tmp_path: Path) -> Repository:
    return repository.copy(original, tmp_path / "a project")


@pytest.fixture(params=["archit-check", "archit-generate"])
def hooked(request: pytest.FixtureRequest, project: Repository) -> Repository:
    """The project with one of the hooks installed."""
    return use(project, request.param)


def use(project: Repository, *hooks: str) -> Repository:
    """Install these hooks, and commit that."""
    project.hooks(*hooks)
    project.git("add", ".pre-commit-config.yaml")
    project.git("commit", "-qm", "hooks", "--no-verify")
    project.log()
    return project
