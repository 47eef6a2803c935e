"""Mutants of a module: one condition, constant or order in a function becomes another."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


LARGE = 100
# Arguments whose value no caller can notice.
WITHOUT_EFFECT = {"batch_size", "strict", "chunk_size"}


@dataclass(frozen=True)
class Mutant:
    """One change: the node of a module with this number becomes another one.

    A test can notice the change if it runs a line from `line` to `end`.
    """

    path: str
    number: int
    line: int
    end: int
    function: str
    source: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} {self.function}: {self.source}: {self.what}"


def changed(node: ast.AST) -> tuple[ast.AST, str] | None:  # noqa: PLR0911 - one for each kind
    """Return a copy of the node with one change, and the change in words."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare() if type(new.ops[0]) in COMPARISONS:
            old = type(new.ops[0])
            new.ops[0] = COMPARISONS[old]()
            return new, f"{old.__name__} becomes {COMPARISONS[old].__name__}"
        case ast.BoolOp():
            new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
            return new, f"becomes {type(new.op).__name__}"
        case ast.UnaryOp(op=ast.Not()):
            return new.operand, "not is removed"
        case ast.Constant(value=bool(value)):
            return ast.copy_location(
                ast.Constant(not value), node
            ), f"{value} becomes {not value}"
        case ast.Constant(value=int(value)):
            # A second more changes no duration, so that large numbers are doubled.
            other = value * 2 if value > LARGE else value + 1
            return ast.copy_location(ast.Constant(other), node), f"{value} becomes {other}"
        case ast.Call(
            func=ast.Attribute(attr="order_by"), args=[ast.Constant(value=str(name)), *_]
        ):
            other = name[1:] if name.startswith("-") else f"-{name}"
            new.args[0] = ast.copy_location(ast.Constant(other), node)
            return new, f"order by {other}"
    return None


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """Yield all mutants in bodies of functions, and of constants of the module."""
    tree = ast.parse(text)
    source = text.splitlines()
    numbers = {node: number for number, node in enumerate(ast.walk(tree))}
    silent = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in WITHOUT_EFFECT
    }
    for name, statement in statements(tree):
        for node in ast.walk(statement):
            if node in silent or (isinstance(node, ast.stmt) and node is not statement):
                continue
            if own_statement(statement, node) and (change := changed(node)) is not None:
                line = source[statement.lineno - 1].strip()[:100]
                end = node.end_lineno or statement.lineno
                yield Mutant(path, numbers[node], statement.lineno, end, name, line, change[1])


def own_statement(statement: ast.stmt, node: ast.AST) -> bool:
    """Return whether the node belongs to the statement, and not to one inside it."""
    inner = (
        child
        for child in ast.walk(statement)
        if isinstance(child, ast.stmt) and child is not statement
    )
    return not any(node is deeper for child in inner for deeper in ast.walk(child))


def statements(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the statements of functions and the module's constants, with the function's name."""
    for top in tree.body:
        if isinstance(top, ast.Assign):
            yield "", top
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in function.body:
                for node in ast.walk(part):
                    if isinstance(node, ast.stmt) and not isinstance(
                        node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assert
                    ):
                        yield function.name, node


def mutated(text: str, number: int) -> ast.Module:
    """Return the tree of a module with the change at this node."""
    tree = ast.parse(text)
    target = next(node for at, node in enumerate(ast.walk(tree)) if at == number)
    made = changed(target)
    assert made is not None

    class Swap(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return made[0] if node is target else self.generic_visit(node)

    return ast.fix_missing_locations(Swap().visit(tree))
