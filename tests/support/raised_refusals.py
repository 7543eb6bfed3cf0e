"""Finds the refusals that a function can raise, by reading its code and all that it names.

Follows each function, method and property of the service that the code names, whether it is called
there or passed on. Where the type of an object is unknown, all methods count that have this name
and take these arguments, so it may find more than can happen.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from inspect import getattr_static, signature
from types import FunctionType, ModuleType
from typing import Any

from domain.errors import AdmitOneError
from tests.support.static_types import Known, Of, Scope, classes_of, function_of, members, node_of

Kind = type[BaseException]
Kinds = frozenset[type[AdmitOneError]]


def refusals_of(functions: Iterable[FunctionType]) -> Mapping[FunctionType, Kinds]:
    """Returns the kinds of refusals that each of these functions can raise."""
    found: dict[FunctionType, Kinds] = {}
    waiting = [*functions]
    while waiting:
        if (each := waiting.pop()) not in found:
            found[each] = frozenset(_reading_of(each).raised)
            waiting += [named for named, _ in _reading_of(each).named]
    before = None
    while before != found:
        before = dict(found)
        for each in found:
            for named, caught in _reading_of(each).named:
                found[each] |= {kind for kind in found[named] if not issubclass(kind, caught)}
    return found


@cache
def _reading_of(function: FunctionType) -> "_Reading":
    return _Reading(function)


class _Reading(ast.NodeVisitor):
    """The functions that a function names, and the refusals that it raises or returns itself.

    `named` has for each what is caught where it is named.
    """

    def __init__(self, function: FunctionType) -> None:
        self.raised: set[type[AdmitOneError]] = set()
        self.returned: set[Kind] = set()
        self.named: set[tuple[FunctionType, tuple[Kind, ...]]] = set()
        self._caught: tuple[Kind, ...] = ()
        self._scope = Scope(function)
        for statement in node_of(function).body:
            self.visit(statement)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Takes the classes of what is raised.

        A bare `raise` adds nothing: `visit_Try` never counted its exception as caught.
        """
        before = set(self.named)
        self.generic_visit(node)
        kinds = {*self._kinds(node.exc)}
        for maker, _ in self.named - before:
            kinds |= _reading_of(maker).returned
        for kind in kinds:
            if issubclass(kind, AdmitOneError) and not issubclass(kind, self._caught):
                self.raised.add(kind)

    def visit_Return(self, node: ast.Return) -> None:
        """Takes the classes of exceptions that are returned for the caller to raise."""
        self.generic_visit(node)
        self.returned |= {*self._kinds(node.value)}

    def visit_Try(self, node: ast.Try) -> None:
        """Leaves out of the body what a handler catches and does not raise again."""
        caught = [
            kind
            for handler in node.handlers
            if not any(
                isinstance(each, ast.Raise) and each.exc is None for each in ast.walk(handler)
            )
            for kind in self._kinds(handler.type)
        ]
        self._visit_body(node.body, caught)
        for each in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(each)

    def visit_With(self, node: ast.With) -> None:
        """Leaves out of the body what is suppressed."""
        caught: list[Kind] = []
        for item in node.items:
            self.visit(item)
            match item.context_expr:
                case ast.Call(func=ast.Name(id="suppress"), args=kinds):
                    caught += [kind for each in kinds for kind in self._kinds(each)]
        self._visit_body(node.body, caught)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Reads a function inside of the function, which may be called where nothing is caught."""
        outside, self._caught = self._caught, ()
        self.generic_visit(node)
        self._caught = outside

    def visit_Name(self, node: ast.Name) -> None:
        """Takes a function, or what makes an object of a class."""
        match self._scope.value(node):
            case Known(type() as kind):
                makers = ("__init__", "__post_init__")
                self._take(getattr_static(kind, name, None) for name in makers)
            case Known(named):
                self._take([named])

    def visit_Call(self, node: ast.Call) -> None:
        """Takes a method that is called."""
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value)
            self._take_attribute(node.func, node)
        else:
            self.visit(node.func)
        for each in (*node.args, *node.keywords):
            self.visit(each)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Takes a property, a function of a module, or a method that is passed on."""
        self.visit(node.value)
        self._take_attribute(node, None)

    def _take_attribute(self, node: ast.Attribute, call: ast.Call | None) -> None:
        match self._scope.value(node.value):
            case Known(ModuleType() | type() as holder):
                self._take([getattr_static(holder, node.attr, None)])
            case Known(value):
                self._take(members(value.__class__, node.attr))
            case Of(hint):
                for kind in classes_of(hint) - {object}:
                    self._take(members(kind, node.attr))
            case None:
                possible = members(object, node.attr)
                if call is None:
                    self._take(each for each in possible if isinstance(each, property))
                else:
                    self._take(each for each in possible if _takes(each, call))

    def _take(self, named: Iterable[Any]) -> None:
        self.named |= {(each, self._caught) for each in map(function_of, named) if each}

    def _visit_body(self, body: Iterable[ast.stmt], caught: Iterable[Kind]) -> None:
        outside, self._caught = self._caught, (*self._caught, *caught)
        for statement in body:
            self.visit(statement)
        self._caught = outside

    def _kinds(self, node: ast.expr | None) -> Iterator[Kind]:
        """Yields the classes of exceptions that an expression names, makes or holds."""
        if node is None:
            return
        found: Iterable[Any] = ()
        match node, self._scope.value(node):
            case ast.Tuple(elts=parts), _:
                found = [kind for part in parts for kind in self._kinds(part)]
            case _, Known(type() as kind):
                found = [kind]
            case _, Known(tuple() as kinds):
                found = kinds
            case _, Of(hint):
                found = classes_of(hint)
            case ast.Subscript(value=table), _:
                match self._scope.value(table):
                    case Known(dict() as by_key):
                        found = by_key.values()
        for each in found:
            if isinstance(each, type) and issubclass(each, BaseException):
                yield each


def _takes(member: Any, call: ast.Call) -> bool:
    """Returns True if this is a method that can have the arguments of the call."""
    function = function_of(member)
    if function is None or isinstance(member, property):
        return False
    if any(isinstance(each, ast.Starred) for each in call.args):
        return True
    positional = [None] * (len(call.args) + (not isinstance(member, staticmethod)))
    names = [each.arg for each in call.keywords]
    bind = signature(function).bind_partial if None in names else signature(function).bind
    try:
        bind(*positional, **dict.fromkeys(name for name in names if name))
    except TypeError:
        return False
    return True
