"""Which expressions of a user's module are evaluated again: those that run nothing of anybody's but Python's own."""

import ast
import logging
import types

import pytest
import transformers

from archit_codegen.declaration.agreement import UNKNOWN
from archit_codegen.declaration.constants import evaluate


def get_logger(name: str) -> logging.Logger:
    raise AssertionError("it ran")


def elsewhere(module: str) -> types.FunctionType:
    """The function above, as if it had been written in another module."""
    moved = types.FunctionType(get_logger.__code__, {"__name__": module}, "get_logger")
    moved.__module__ = module
    return moved


def value_of(text: str, **names: object) -> object:
    return evaluate(ast.parse(text, mode="eval").body, {"__name__": __name__, **names})


def test_loggers_of_libraries_are_loggers() -> None:
    ours = transformers.utils.logging
    assert value_of("logging.get_logger(__name__)", logging=ours) is ours.get_logger(__name__)
    assert value_of("get_logger(__name__)", get_logger=ours.get_logger) is ours.get_logger(__name__)
    assert value_of("logging.getLogger('a')", logging=logging) is logging.getLogger("a")


@pytest.mark.parametrize("module", ["__main__", "torch.nn", "transformers.trainer", "tests.logging"])
def test_what_is_only_called_so_does_not_run(module: str) -> None:
    assert value_of("get_logger(__name__)", get_logger=elsewhere(module)) is UNKNOWN


def test_an_object_that_is_only_called_so_does_not_run() -> None:
    class Pretender:
        __name__ = "get_logger"
        __module__ = "transformers.utils.logging"

        def __call__(self, name: str) -> None:
            raise AssertionError("it ran")

    assert value_of("get_logger('a')", get_logger=Pretender()) is UNKNOWN
