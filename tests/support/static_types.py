"""Finds what the expressions in the code of the service stand for, by its annotations.

Knows as much as reading the code for the functions that it names needs, and no more.
"""

import ast
import builtins
import importlib
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from inspect import get_annotations, getattr_static, unwrap
from pathlib import Path
from types import FunctionType, ModuleType, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

PACKAGES = ("domain", "application", "projections", "interface")
WITH_CLASSES = (*PACKAGES[:3], "interface.web", "interface.api", "interface.outgoing")


class Known(NamedTuple):
    """An expression that names this module, class, function or constant."""

    value: Any


class Of(NamedTuple):
    """An expression that is of this type."""

    hint: Any


class Foreign:
    """The type of objects that are not the service's and hold none of its objects."""


Value = Known | Of | None
"""None: nothing is known."""


class Scope:
    """The names of a function, and what they stand for.

    `attributes` are those that it sets on `self`.
    """

    def __init__(self, function: FunctionType) -> None:
        self.attributes: dict[str, Value] = {}
        self._globals = function.__globals__
        self._locals: dict[str, Value] = {}
        node, owner = node_of(function), _owner_of(function)
        if owner and node.args.args and node.args.args[0].annotation is None:
            is_class = isinstance(getattr_static(owner, function.__name__, None), classmethod)
            self._locals[node.args.args[0].arg] = Known(owner) if is_class else Of(owner)
        for _ in range(2):  # because a name may be bound by one that is bound below
            for each in ast.walk(node):
                if each is not node:
                    self._bind(each)

    def value(self, node: ast.expr) -> Value:
        """Returns what an expression in the function stands for."""
        match node:
            case ast.Name(id=name) if name in self._locals:
                return self._locals[name]
            case ast.Name(id=name):
                return Known(self._globals.get(name, getattr(builtins, name, None)))
            case ast.Attribute(value=holder, attr=name):
                return _attribute(self.value(holder), name)
            case ast.Call(func=function, args=arguments):
                return _result(self.value(function), [self.value(each) for each in arguments])
            case ast.Subscript(value=container):
                return _item(self.value(container))
            case ast.IfExp(body=first, orelse=second) | ast.BoolOp(values=[first, second]):
                return self.value(first) or self.value(second)
            case ast.NamedExpr(value=bound):
                return self.value(bound)
            case ast.Constant() | ast.JoinedStr():
                return Of(Foreign)
            case ast.Dict() | ast.DictComp() | ast.List() | ast.ListComp():
                return Of(dict[Any, Any])  # a container of what is unknown
        return None

    def _bind(self, node: ast.AST) -> None:
        """Notes what is bound here. Of several places, the first with a known type counts."""
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=True):
                    self._bind(ast.Assign([target], value))
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                self.attributes[name] = self.value(node.value)
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                self.attributes[name] = _hinted(node.annotation, self._globals)
            case ast.arg(arg=name) | ast.AnnAssign(target=ast.Name(id=name)):
                self._name(name, _hinted(node.annotation, self._globals))
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.NamedExpr(target=ast.Name(id=name)):
                self._name(name, self.value(node.value))
            case ast.withitem(optional_vars=ast.Name(id=name)):
                self._name(name, _entered(self.value(node.context_expr)))
            case ast.For(target=ast.Name(id=name)) | ast.comprehension(target=ast.Name(id=name)):
                self._name(name, _item(self.value(node.iter)))
            case ast.ExceptHandler(name=str(name), type=ast.expr() as kind):
                match self.value(kind):
                    case Known(type() as caught):
                        self._name(name, Of(caught))
            case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                self._name(name, None)

    def _name(self, name: str, value: Value) -> None:
        self._locals[name] = self._locals.get(name) or value


def node_of(function: FunctionType) -> ast.FunctionDef:
    """Returns the code of a function of the service."""
    return _functions_in(function.__code__.co_filename)[function.__code__.co_firstlineno]


def function_of(member: Any) -> FunctionType | None:
    """Returns the function of the service that a name or an attribute stands for, if any."""
    match member:
        case property(fget=function) | cached_property(func=function):
            pass
        case classmethod() | staticmethod():
            function = member.__func__
        case _:
            function = member
    function = unwrap(function) if callable(function) else None
    is_written = isinstance(function, FunctionType) and (
        _is_ours(function.__module__) and function.__code__.co_filename.endswith(".py")
    )
    return function if is_written else None  # others are made, such as those of a dataclass


@cache
def members(kind: type, name: str) -> list[Any]:
    """Returns the methods and properties that an attribute of such an object can stand for.

    They are those of the class and of all that derive from it; of a protocol, those of any class.
    """
    is_any = kind is object or getattr(kind, "_is_protocol", False)
    kinds = {kind, *(each for each in _our_classes() if is_any or kind in each.__mro__)}
    found = [getattr_static(each, name, None) for each in kinds]
    return [each for each in found if function_of(each)]


def classes_of(hint: Any) -> set[type]:
    """Returns the classes that an object of this type can be of."""
    if get_origin(hint) in (Union, UnionType):
        return {kind for each in get_args(hint) for kind in classes_of(each)}
    if isinstance(hint, TypeVar):
        return classes_of(hint.__bound__)
    kind = get_origin(hint) or hint
    return {kind} if isinstance(kind, type) else set()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


@cache
def _functions_in(file: str) -> dict[int, ast.FunctionDef]:
    """Returns the functions of a file by the line at which they begin, decorators included."""
    return {
        min([node.lineno, *(each.lineno for each in node.decorator_list)]): node
        for node in ast.walk(ast.parse(Path(file).read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@cache
def _our_classes() -> frozenset[type]:
    """Returns all classes that can be meant where the type of an object is unknown."""
    packages = [importlib.import_module(name) for name in WITH_CLASSES]
    modules = [
        importlib.import_module(found.name)
        for package in packages
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    kinds = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return frozenset(each for each in kinds if _is_ours(each.__module__))


def _owner_of(function: FunctionType) -> type | None:
    """Returns the class whose method this is."""
    holder: Any = None
    for name in function.__qualname__.split(".")[:-1]:
        holder = vars(holder).get(name) if holder else function.__globals__.get(name)
    return holder if isinstance(holder, type) else None


def _hinted(annotation: Any, names: dict[str, Any]) -> Value:
    """Returns what an annotation says: a piece of code, a text, or what that stands for."""
    if isinstance(annotation, ast.expr):
        annotation = ast.unparse(annotation)
    if isinstance(annotation, str):
        all_names = _names_for_types(names["__file__"]) | names
        try:
            return _hinted(eval(annotation, all_names), names)  # noqa: S307 - our own code
        except (NameError, TypeError):
            return None
    return _of(annotation)


def _of(hint: Any) -> Value:
    return None if hint in (None, Any) else Of(hint)


@cache
def _names_for_types(file: str) -> dict[str, Any]:
    """Returns what a module imports only for type checkers. What does not exist is foreign."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(Path(file).read_text())):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=imports):
                for each in imports:
                    if isinstance(each, ast.ImportFrom):
                        found |= {alias.asname or alias.name: Foreign for alias in each.names}
                        with suppress(ImportError):
                            exec(ast.unparse(each), found)  # noqa: S102 - our own code
    return found


def _returned(function: FunctionType) -> Value:
    return _hinted(function.__annotations__.get("return"), function.__globals__)


def _result(called: Value, arguments: list[Value]) -> Value:
    """Returns what a call gives."""
    match called:
        case Known(type() as kind):
            return Of(kind)
        case Of(hint) if hint is Foreign:
            return called
        case Of(hint) if get_origin(hint) is Callable:
            return _of(get_args(hint)[1])
        case Known(named) if function := function_of(named):
            match _returned(function):
                case Of(TypeVar()):  # the class that was passed, as in get(Calendar, …)
                    kinds = [each.value for each in arguments if isinstance(each, Known)]
                    return Of(kinds[0]) if kinds else None
                case returned:
                    return returned
        case Known() if all(each == Of(Foreign) for each in arguments):
            return Of(Foreign)
    return None


def _attribute(holder: Value, name: str) -> Value:
    """Returns what `holder.name` stands for."""
    match holder:
        case Known(ModuleType() | type() as known):
            return Known(getattr_static(known, name, None))
        case Of(hint):
            for kind in classes_of(hint) - {type(None)}:
                return _attribute_of(kind, name, hint)
    return None


def _attribute_of(kind: type, name: str, hint: Any) -> Value:
    member = getattr_static(kind, name, None)
    if function := function_of(member):
        is_property = isinstance(member, property | cached_property)
        return _returned(function) if is_property else Known(member)
    if kind not in _our_classes():
        return None if get_args(hint) else Of(Foreign)
    for base in kind.__mro__:
        if name in (annotations := get_annotations(base)):
            names = vars(sys.modules[base.__module__])
            return _with_parameter(_hinted(annotations[name], names), hint)
        if name in (attributes := _attributes_of(base)):
            return attributes[name]
    return None


_ATTRIBUTES: dict[type, dict[str, Value]] = {}


def _attributes_of(kind: type) -> dict[str, Value]:
    """Returns the attributes that a class sets when an object is made."""
    if kind not in _ATTRIBUTES:
        _ATTRIBUTES[kind] = {}  # for whoever asks while they are being read
        if function := function_of(vars(kind).get("__init__")):
            _ATTRIBUTES[kind] = Scope(function).attributes
    return _ATTRIBUTES[kind]


def _with_parameter(value: Value, holder: Any) -> Value:
    """Puts a type in the place of its parameter: for T, the int of a Written[int]."""
    match value:
        case Of(TypeVar() as parameter):
            parameters = getattr(get_origin(holder), "__parameters__", ())
            return dict(zip(parameters, map(_of, get_args(holder)), strict=False)).get(parameter)
    return value


def _item(container: Value) -> Value:
    """Returns what an element of a container is."""
    match container:
        case Of(hint):
            kinds = [each for each in get_args(hint) if each is not ...]
            return _of(kinds[0]) if len(kinds) == 1 else None
    return None


def _entered(manager: Value) -> Value:
    """Returns what `with … as` binds."""
    match manager:
        case Of(hint):
            for kind in classes_of(hint):
                enter = function_of(getattr_static(kind, "__enter__", None))
                return _returned(enter) if enter else _item(manager)
    return None
