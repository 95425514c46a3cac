"""The arguments of a function in its text."""

from collections.abc import Container

import libcst as cst


def without_arguments(text: str, names: Container[str]) -> str:
    """A function that does not take these arguments."""
    module = cst.parse_module(text)
    function = cst.ensure_type(module.body[0], cst.FunctionDef)
    kept = {
        kind: [
            parameter.with_changes(comma=cst.MaybeSentinel.DEFAULT)
            for parameter in getattr(function.params, kind)
            if parameter.name.value not in names
        ]
        for kind in ("posonly_params", "params", "kwonly_params")
    }
    star = function.params.star_arg
    if not kept["kwonly_params"] and isinstance(star, cst.ParamStar):
        star = cst.MaybeSentinel.DEFAULT
    params = function.params.with_changes(**kept, star_arg=star)
    return module.with_changes(body=[function.with_changes(params=params)]).code
