"""Renders the heads of a package from the templates of their tasks: one file, each definition once."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidDeclaration
from .basefacts import CACHED, BaseFacts
from .importing import sort_imports
from .ir import Literal
from .literal import write_literal
from .names import free_globals
from .render import has_template, render
from .tasks import FIELDS, TASKS, Task, template_of, title_of

FIELD = re.compile(rf"\bconfig\.({'|'.join(FIELDS)})\b")


@dataclass(frozen=True, slots=True)
class BaseNames:
    """How the heads' file names what it stands on; ``imports`` are the statements that it needs for that."""

    base: str
    pretrained: str
    stem: str
    suffix: str
    imports: tuple[str, ...]
    switches: tuple[str, ...] = ()  # the statements that freeze what is frozen in the base model
    definition: str = ""  # of the class that all task classes inherit from, where that stands in the heads' file


@dataclass(frozen=True, slots=True)
class OwnHead:
    """A head class of the user's, by its name in the heads' file."""

    name: str
    statement: str  # its import
    resets: bool  # whether it has `reset_parameters` of its own


@dataclass(frozen=True, slots=True)
class HeadsFile:
    """The text of all heads, their class by task, and the config fields that they read (name, annotation, default)."""

    imports: tuple[str, ...]
    own_imports: tuple[str, ...]
    texts: tuple[str, ...]
    classes: Mapping[str, str]
    exports: tuple[str, ...]
    autos: Mapping[str, str]  # the Auto class of each head class that has one
    fields: tuple[tuple[str, str, Literal], ...]


def heads_file(
    tasks: Mapping[str, OwnHead | None], facts: BaseFacts, names: BaseNames, directory: Path | None = None
) -> HeadsFile:
    """The heads for these tasks, each with its own architecture or with a head of the user's.

    Raises:
        InvalidDeclaration: an unknown task, one that this base model cannot have, or templates that contradict each
            other or are no Python.
    """
    imports: list[str] = []
    definitions = {names.pretrained: names.definition} if names.definition else {}
    for name, own in tasks.items():
        text = render(_template(name, own, facts, directory), values(name, own, facts, names), directory)
        found_imports, found = split(name, text)
        imports.extend(found_imports)
        for defined, definition in found.items():
            if definitions.setdefault(defined, definition) != definition:
                raise InvalidDeclaration(f"The templates of two tasks define {defined} differently.")
    used = free_globals("\n\n".join(definitions.values()))
    statements = [*imports, *names.imports, *(own.statement for own in tasks.values() if own and own.statement)]
    needed = sort_imports(statement for statement in statements if _binds(statement) in used)
    classes = {name: class_name(name, names) for name in tasks}
    return HeadsFile(
        imports=tuple(statement for statement in needed if not _is_own(statement)),
        own_imports=tuple(statement for statement in needed if _is_own(statement)),
        texts=tuple(sorted(definitions.values(), key=_is_class)),  # what classes call stands above them all
        classes=classes,
        exports=tuple(sorted(name for name, text in definitions.items() if _is_class(text) and name[0] != "_")),
        autos={classes[name]: TASKS[name].auto or "AutoModel" if name in TASKS else "AutoModel" for name in tasks},
        fields=fields("\n".join(definitions.values()), facts),
    )


def class_name(task: str, names: BaseNames) -> str:
    return f"{names.stem}For{title_of(task)}{names.suffix}"


def check_task(name: str, own: object, facts: BaseFacts) -> None:
    """Raises `InvalidDeclaration` where this base model cannot have the task, or the task no head of the user's."""
    task = TASKS.get(name)
    if task is None:
        return
    if task.vocabulary and facts.vocab_size is None:
        raise InvalidDeclaration(f"{name}: the config of the base model has no vocab_size.")
    if task.by_token and facts.by_token is False:
        raise InvalidDeclaration(f"{name}: the base model does not give one hidden state for each token.")
    if task.causal and facts.causal is False:
        raise InvalidDeclaration(
            f"{name}: the base model lets tokens see those after them. If its config has `is_decoder`, set it before "
            f"the model is built."
        )
    if own is not None and not task.free:
        raise InvalidDeclaration(f"{name}: takes the heads of its config, and no other head class.")


def values(name: str, own: OwnHead | None, facts: BaseFacts, names: BaseNames) -> dict[str, Any]:
    """What a template may use. Every value is an expression, an identifier or a flag."""
    task = TASKS.get(name, Task(name, f"{title_of(name)}Head"))
    pooler = 'config.head_pooling == "pooler"'
    several = (
        'any(\n    entry.get("task") == "sequence-classification"\n'
        '    and entry.get("head_pooling", config.head_pooling) == "pooler"\n'
        "    for entry in config.heads.values()\n)"
    )
    arguments = {"base_arguments": "False", "pooled_arguments": pooler, "multi_arguments": several}
    default = f"{names.stem}{task.head}{names.suffix}"
    resets = [own.name] if own is not None and own.resets else [default] if own is None else []
    if task.by_token and not task.vocabulary and name != "multi-task":
        resets.append(f"{names.stem}TokenStates{names.suffix}")
    return {
        "class_name": class_name(name, names),
        "stem": names.stem,
        "suffix": names.suffix,
        "base": names.base,
        "pretrained": names.pretrained,
        "switches": names.switches,
        "prefix": facts.prefix,
        "base_model_prefix": facts.prefix if facts.own_prefix else "",
        "passed": [(name, kind) for name, kind in facts.passed if name not in CACHED],
        "cached": facts.passed,
        "passes_mask": facts.passes_mask,
        "mask_of_states": "None" if facts.by_token is False else "attention_mask",
        "decoder_start": facts.decoder_start and f"self.{facts.decoder_start}",
        "takes_embeddings": any(name == "inputs_embeds" for name, _ in facts.passed),
        "hidden_size": facts.hidden_size,
        "embedding_size": facts.embedding_size,
        "vocab_size": facts.vocab_size,
        "dropout": facts.dropout,
        "initializer_range": facts.initializer_range,
        "norm_eps": facts.norm_eps,
        "hidden_activation": facts.hidden_activation,
        "experts": facts.experts,
        "filler": f"self.{facts.prefix}" if facts.fills_below else "",
        "window": facts.window,
        "states": _of_outputs(facts.states, facts),
        "states_name": facts.states if facts.states in facts.gives else "",
        "attentions": _of_outputs(facts.attentions, facts),
        "tied": facts.embedding_path,
        "causal_tied": facts.embedding_path if facts.as_wide else None,
        "head": None if own is None else own.name,
        "own_head": own is not None,
        "resets": f"({', '.join(resets)})" if len(resets) > 1 else "".join(resets),
        **{
            key: f"config, add_pooling_layer={value}" if facts.optional_parts else "config"
            for key, value in arguments.items()
        },
    }


def _of_outputs(name: str, facts: BaseFacts) -> str:
    """Some outputs have no place for attentions, or for hidden states."""
    return f"outputs.{name}" if name in facts.gives else f'outputs.get("{name}")'


def fields(text: str, facts: BaseFacts) -> tuple[tuple[str, str, Literal], ...]:
    """The config fields that the text reads, with the defaults that suit the base model."""
    read = {match.group(1) for match in FIELD.finditer(text)}
    if "_tied_weights_keys" in text:
        read.add("tie_word_embeddings")
    wanted = sorted(read - facts.declared)
    return tuple((name, FIELDS[name][0], Literal(write_literal(defaults(facts)[name]))) for name in wanted)


def defaults(facts: BaseFacts) -> dict[str, object]:
    """The default of every field, for this base model."""
    plain = {name: default for name, (_, default) in FIELDS.items()}
    return {**plain, "head_pooling": facts.pooling, "head_activation": facts.activation}


def _template(name: str, own: object, facts: BaseFacts, directory: Path | None) -> str:
    check_task(name, own, facts)
    template = template_of(name)
    if not has_template(f"tasks/{template}", directory):
        known = ", ".join(TASKS)
        raise InvalidDeclaration(f"There is no task {name!a}: there is {known}, and what stands in `templates`.")
    return f"tasks/{template}"


def split(name: str, text: str) -> tuple[list[str], dict[str, str]]:
    """The imports of a rendered template, one name each, and its definitions with the comments above them."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InvalidDeclaration(
            f"The template of {name} gives no Python: {error.msg}, line {error.lineno}."
        ) from error
    imports: list[str] = []
    definitions: dict[str, str] = {}
    lines, end = text.splitlines(), 0
    for node in tree.body:
        start, end = end, node.end_lineno or 0
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.extend(_statements(node))
            continue
        definitions[_defined(name, node)] = "\n".join(lines[start:end]).strip() + "\n"
    return imports, definitions


def _defined(task: str, node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    raise InvalidDeclaration(f"The template of {task} has a statement that is no import, definition or constant.")


def _statements(node: ast.Import | ast.ImportFrom) -> list[str]:
    found = [ast.unparse(ast.alias(alias.name, alias.asname)) for alias in node.names]
    if isinstance(node, ast.Import):
        return [f"import {alias}" for alias in found]
    return [f"from {'.' * node.level}{node.module or ''} import {alias}" for alias in found]


def _binds(statement: str) -> str:
    """The name that a statement of one import binds."""
    name = statement.split()[-1]
    return name.partition(".")[0] if statement.startswith("import ") and " as " not in statement else name


def _is_class(text: str) -> bool:
    return isinstance(ast.parse(text).body[0], ast.ClassDef)


def _is_own(statement: str) -> bool:
    return statement.startswith("from .")
