"""What a template asks for, found before anything is rendered: columns, slots, names. Pure.

Strategy: the code is read as a tree. A name nobody gives, a column the contacts lack or a slot
that cannot be told in advance is refused with its line, not at the millionth message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.deliver.slots import Slot
from pipeline.errors import InputError

if TYPE_CHECKING:
    from jinja2 import nodes

__all__ = ["Needs", "needs_of"]

CONTACT: Final = "contact"
ITEMS: Final = "items"
_ONE_COLUMN: Final = "a column is written by its name: contact.first_name"
_ONE_SLOT: Final = 'a slot is written by its name and a number: items("mail-recommender-1", 6)'


@dataclass(frozen=True, slots=True)
class Needs:
    """What a piece of template code asks for; the lines are where it does so first.

    columns: columns of the contacts, by line
    optional: columns whose absence the code provides for
    names: variables, by line
    slots: how many items of each recommendation type are shown at most, None for all
    """

    columns: dict[str, int] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    slots: dict[str, int | None] = field(default_factory=dict)

    def slot_list(self) -> list[Slot]:
        """The slots in order of their first mention."""
        return [Slot(name, most) for name, most in self.slots.items()]


def needs_of(tree: nodes.Template, *, source: str) -> Needs:
    """What the code of one template asks for.

    Raises:
        InputError: it takes in other files, or asks for what cannot be told in advance.
    """
    from jinja2 import meta, nodes

    for kind in (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport):
        for one in tree.find_all(kind):
            raise _error("a template is one file: it takes in no others", one, source)
    needs = Needs()
    forgiven = {id(name) for name in _forgiven(tree)}
    explained = _columns(tree, needs, forgiven, source) | _slots(tree, needs, source)
    undeclared = meta.find_undeclared_variables(tree)
    for name in tree.find_all(nodes.Name):
        if name.name not in undeclared or id(name) in explained or id(name) in forgiven:
            continue
        if name.name == CONTACT:
            raise _error(_ONE_COLUMN, name, source)
        if name.name == ITEMS:
            raise _error(_ONE_SLOT, name, source)
        needs.names.setdefault(name.name, name.lineno)
    _forgive_tested(tree, needs)
    return needs


def _forgive_tested(tree: nodes.Template, needs: Needs) -> None:
    """What is asked for with ``is defined`` may lack; elsewhere it stands behind that question."""
    from jinja2 import nodes

    for test in tree.find_all(nodes.Test):
        if test.name not in ("defined", "undefined"):
            continue
        if isinstance(test.node, nodes.Name):
            needs.names.pop(test.node.name, None)
        elif isinstance(test.node, nodes.Getattr) and needs.columns.pop(test.node.attr, 0):
            needs.optional.add(test.node.attr)


def _columns(tree: nodes.Template, needs: Needs, forgiven: set[int], source: str) -> set[int]:
    """Note the columns asked for; gives back the names that this explains."""
    from jinja2 import nodes

    explained: set[int] = set()
    accesses: list[nodes.Getattr | nodes.Getitem] = []
    accesses += tree.find_all(nodes.Getattr)
    accesses += tree.find_all(nodes.Getitem)
    for access in accesses:
        if not (isinstance(access.node, nodes.Name) and access.node.name == CONTACT):
            continue
        explained.add(id(access.node))
        if isinstance(access, nodes.Getattr):
            column: object = access.attr
        else:
            column = access.arg.value if isinstance(access.arg, nodes.Const) else None
        if not isinstance(column, str):
            raise _error(_ONE_COLUMN, access, source)
        if id(access) in forgiven:
            needs.optional.add(column)
        else:
            needs.columns.setdefault(column, access.lineno)
    return explained


def _slots(tree: nodes.Template, needs: Needs, source: str) -> set[int]:
    """Note the slots asked for; gives back the names that this explains."""
    from jinja2 import nodes

    explained: set[int] = set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == ITEMS:
            explained.add(id(call.node))
            _slot(call, needs, source)
    return explained


def _slot(call: nodes.Call, needs: Needs, source: str) -> None:
    from jinja2 import nodes

    values = [one.value if isinstance(one, nodes.Const) else None for one in call.args]
    named = bool(call.kwargs or call.dyn_args or call.dyn_kwargs)
    most = values[1] if len(values) == 2 else None
    sound = len(values) == 1 or (type(most) is int and most > 0)
    if named or not 1 <= len(values) <= 2 or not isinstance(values[0], str) or not sound:
        raise _error(_ONE_SLOT, call, source)
    name = values[0]
    if name in needs.slots:
        known = needs.slots[name]
        most = None if most is None or known is None else max(most, known)
    needs.slots[name] = most


def _forgiven(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Expressions whose absence the code provides for: ``x|default("…")``, ``x is defined``."""
    from jinja2 import nodes

    for one in tree.find_all((nodes.Filter, nodes.Test)):
        if one.name in ("default", "d", "defined", "undefined") and one.node is not None:
            yield one.node


def _error(message: str, node: nodes.Node, source: str) -> InputError:
    return InputError(
        message, source=source, position=f"line {node.lineno}", remedy="mend the template"
    )
