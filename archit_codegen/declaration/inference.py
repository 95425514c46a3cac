"""Candidates for the call that made a module, most trusted first: named by hand, recorded, inferred."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count, product, takewhile
from typing import Any

import torch
from torch import nn

from .ir import Argument, ClassRef, Opaque, Value
from .origins import is_config
from .parametrized import plain_class
from .record import Call
from .signature import bound_arguments, constructor_parameters

Original = tuple[ClassRef, Call | None]
OF_TENSORS = (nn.ParameterList, nn.ParameterDict)  # made empty: the tensors that they were given have no expression


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call to try. ``certain`` ones are believed as they are; others are judged by what they build."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    certain: bool
    text: str | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[int | str, str] = field(default_factory=dict)

    def evaluate(self, config: Any) -> Any:
        """The value of an expression named by hand, with ``config`` in its scope."""
        return eval(self.text or "", {**self.names, "config": config})  # the user's own expression, as it will stand


class _Missing(Exception):
    """A parameter without a value."""


def candidates(
    module: nn.Module,
    expression: str | None,
    call: Call | None,
    original: Original | None,
    live_config: Any,
    config: Any,
    declared: nn.Module | None = None,
) -> Iterator[Candidate]:
    """The calls that may have made ``module`` in the place of ``original``: the class and the recorded call of the
    module that was ``declared`` there."""
    if expression is not None:
        yield Candidate((), {}, True, expression, _names_for(module))
        return
    native = plain_class(module).__init__.__module__.startswith("torch.")
    if declared is not None and original is not None and original[1] is not None and not native:
        yield from _adjusted(module, declared, original[1])
    if call is not None and call.args is not None and call.cls is plain_class(module) not in OF_TENSORS:
        args, kwargs = _held_by(module, call)
        yield Candidate(args, kwargs, not (call.copied or native), texts=call.texts)
        if not (call.copied or native):
            return  # copies, and what torch itself constructs, may have been given other attributes since
    for prefer_original, named in product((True, False), _namings(module)):
        try:
            yield _inferred(module, original, live_config, prefer_original, named)
        except _Missing:
            continue
    own = None if original is None else original[1]
    if own is not None and own.args is not None and issubclass(plain_class(module), own.cls):
        hints = {key: f"?{name}" for name, _, key, _ in bound_arguments(own.cls, own.args, own.kwargs)}
        yield Candidate(own.args, own.kwargs, False, texts=hints)


def _adjusted(module: nn.Module, declared: nn.Module, call: Call) -> Iterator[Candidate]:
    """The declared call with other arguments: those that an attribute holds which is another now."""
    if call.cls is not plain_class(module) or call.args is None:
        return
    args, kwargs, texts = list(call.args), dict(call.kwargs), dict(call.texts)
    for name, _, key, value in bound_arguments(call.cls, call.args, call.kwargs):
        new = _held_config(module, name, value) if is_config(value) else _held_now(module, declared, value)
        if new is not None:
            texts[key] = f"?{name}"
            if isinstance(key, int):
                args[key] = new
            else:
                kwargs[key] = new
    if texts != call.texts:
        yield Candidate(tuple(args), kwargs, False, texts=texts)


def _held_by(module: nn.Module, call: Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """The arguments of a call: of the modules among them, those that stand there now. One may have been replaced
    since, and a copy of the module holds copies."""
    args, kwargs = list(call.args or ()), dict(call.kwargs)
    for name, _, key, value in bound_arguments(call.cls, tuple(args), kwargs):
        if isinstance(value, nn.Module):
            held = _part_of_copy(module, name, value) if call.copied else _part(module, name, value)
            if isinstance(key, int):
                args[key] = held
            else:
                kwargs[key] = held
    return tuple(args), kwargs


def _part_of_copy(module: nn.Module, name: str, value: nn.Module) -> nn.Module:
    parts = [getattr(module, name, None), *list(module.modules())[1:]]
    return next((part for part in parts if type(part) is type(value)), value)


def _part(module: nn.Module, name: str, value: nn.Module) -> nn.Module:
    if any(part is value for part in module.modules()):
        return value
    standing = module._modules.get(name)
    return value if standing is None else standing


def _held_now(module: nn.Module, declared: nn.Module, value: Any) -> Any:
    """What the attributes hold that held an argument, if they agree; None where nothing changed."""
    if type(value) not in (int, float, str, tuple):
        return None
    held = [name for name, item in vars(declared).items() if type(item) is type(value) and item == value]
    now = [vars(module)[name] for name in held if name in vars(module)]
    return now[0] if now and now[0] != value and all(item == now[0] for item in now) else None


def _held_config(module: nn.Module, name: str, value: Any) -> Any:
    """The config that the module, or the modules below it, were built from, if that is another."""
    held = [vars(part).get(name) for part in module.modules()]
    found = next((config for config in held if type(config) is type(value)), None)
    return None if found is None or found.to_dict() == value.to_dict() else found


def _names_for(module: nn.Module) -> Mapping[str, Any]:
    cls = plain_class(module)
    initialise = inspect.unwrap(cls.__init__)
    return {"torch": torch, "nn": nn, **getattr(initialise, "__globals__", {}), cls.__name__: cls}


def _inferred(
    module: nn.Module, original: Original | None, config: Any, prefer_original: bool, named: bool
) -> Candidate:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    texts: dict[int | str, str] = {}
    given = _original_arguments(original)
    for parameter in constructor_parameters(type(module)):
        if parameter.kind is parameter.VAR_POSITIONAL:
            args.extend(_starred(module, named))
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        else:
            value = _value(module, parameter, original, given if prefer_original else {}, config)
            if not hasattr(module, parameter.name) and any(value is known for known in args if _is_module(known)):
                raise _Missing(parameter.name)  # the module that is held was an argument already
            if value is parameter.default:
                continue
            if parameter.kind is parameter.KEYWORD_ONLY or kwargs or _skipped(parameter, module, args):
                kwargs[parameter.name] = value
                texts[parameter.name] = f"?{parameter.name}"
            else:
                texts[len(args)] = f"?{parameter.name}"
                args.append(value)
    return Candidate(tuple(args), kwargs, False, texts=texts)


def _is_module(value: Any) -> bool:
    return isinstance(value, nn.Module)


def _skipped(parameter: inspect.Parameter, module: nn.Module, args: list[Any]) -> bool:
    """Whether a parameter before this one was left to its default, so that this one needs its keyword."""
    names = [p.name for p in constructor_parameters(type(module))]
    usual = parameter.default is parameter.empty or parameter.name == "modules"  # nn.ModuleList([...])
    return names.index(parameter.name) > len(args) or not usual


def _members(module: nn.Module) -> list[Any]:
    """The members of a list, as far as their names are their places: others were added by name."""
    names = takewhile(lambda item: item[0] == str(item[1]), zip(module._modules, count(), strict=False))
    return [module._modules[name] for name, _ in names]


def _namings(module: nn.Module) -> tuple[bool, ...]:
    """Whether to try the members by name: a constructor of the user's own may be what gave them other names."""
    named = isinstance(module, nn.Sequential) and len(_members(module)) < len(module._modules)
    return (True, False) if named else (False,)


def _starred(module: nn.Module, named: bool) -> list[Any]:
    """The members, each an argument or all by name; `nn.Module` itself takes none."""
    if type(module).__init__ is nn.Module.__init__:
        return []
    return [OrderedDict(module._modules)] if named else list(module._modules.values())


def _original_arguments(original: Original | None) -> Mapping[str, Any]:
    if original is None or original[1] is None or original[1].args is None:
        return {}
    call = original[1]
    return {name: value for name, _, _, value in bound_arguments(call.cls, call.args or (), call.kwargs)}


def _value(
    module: nn.Module, parameter: inspect.Parameter, original: Original | None, given: Mapping[str, Any], config: Any
) -> Any:
    """Attribute of the object, else the declared module's own argument, else the config field, else the default."""
    name, default = parameter.name, parameter.default
    if name == "modules" and isinstance(module, nn.ModuleList):
        return _members(module)
    if name == "modules" and isinstance(module, nn.ModuleDict):
        return dict(module._modules)
    found = _attribute(module, name, default)
    plain = given.get(name, default)
    if isinstance(found, nn.Module) and isinstance(plain, int | float | str):
        return plain  # `dropout: float` became `self.dropout = nn.Dropout(dropout)`
    if found is not parameter.empty:
        return found
    if name == "config" and config is not None and not is_config(given.get(name)):
        return config
    if name in given and not isinstance(given[name], nn.Module):
        return given[name]
    below = _from_children(module, name)
    if below is not parameter.empty:
        return below
    if default is not parameter.empty:
        return default
    if original is not None and (inner := _only_child_of(module, original[0])) is not None:
        return inner
    if config is not None and hasattr(config, name):
        return getattr(config, name)
    raise _Missing(name)


def _attribute(module: nn.Module, name: str, default: Any) -> Any:
    if name in ("device", "dtype") or not hasattr(module, name):
        return inspect.Parameter.empty
    value = getattr(module, name)
    if isinstance(value, torch.Tensor):
        # `bias=True` becomes the parameter `bias`.
        return True if isinstance(default, bool) else inspect.Parameter.empty
    if inspect.ismethod(value):
        return inspect.Parameter.empty
    return False if value is None and isinstance(default, bool) else value


def _from_children(module: nn.Module, name: str) -> Any:
    """An index such as ``layer_idx`` is often kept only by a module further down."""
    values = {repr(vars(m)[name]): vars(m)[name] for m in module.modules() if m is not module and name in vars(m)}
    (value,) = values.values() if len(values) == 1 else (inspect.Parameter.empty,)
    return value if type(value) in (int, str, bool, float) else inspect.Parameter.empty


def _only_child_of(module: nn.Module, cls: ClassRef) -> nn.Module | None:
    found = [
        child
        for child in module._modules.values()
        if child is not None and (type(child).__module__, type(child).__qualname__) == (cls.module, cls.qualname)
    ]
    return found[0] if len(found) == 1 else None


def over_declared(
    arguments: tuple[Argument, ...], call: Call, declared: Call | None, copied: Callable[[Any, str, Any], Value | None]
) -> tuple[Argument, ...]:
    """Configs of which no more than a description is known, as copies of those that the declared call was given."""
    if declared is None or not any(isinstance(argument.value, Opaque) for argument in arguments):
        return arguments
    now, before = (_configs(each) for each in (call, declared))
    copies = {
        argument: copied(now[argument.name], argument.name, before[argument.name])
        for argument in arguments
        if isinstance(argument.value, Opaque) and argument.name in now and argument.name in before
    }
    return tuple(replace(argument, value=copies.get(argument) or argument.value) for argument in arguments)


def _configs(call: Call) -> dict[str, Any]:
    """The configs that a call was given, by the names of the arguments."""
    bound = bound_arguments(call.cls, call.args or (), call.kwargs)
    return {name: value for name, _, _, value in bound if is_config(value)}


def holds_modules(value: Any) -> bool:
    """Whether an argument is a list or dict with a module in it."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(map(_is_module, members))


def over_members(value: Any, change: Callable[[Any], Any]) -> Any:
    """A list or dict of what its members are changed to."""
    if not isinstance(value, dict):
        return type(value)(map(change, value))
    kind = OrderedDict if isinstance(value, OrderedDict) else dict
    return kind((key, change(item)) for key, item in value.items())
