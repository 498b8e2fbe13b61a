"""A template compiled once, and the messages it makes.

Strategy: everything that costs is done once: MJML, CSS, the plain-text part, the Jinja code. A
message is then two or three function calls. What a template asks for is known before the first
message; what still fails while rendering is located by rendering the source as it was written.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline.deliver.inert import one_line
from pipeline.deliver.links import Link, web_address
from pipeline.deliver.markup import Markup, literal
from pipeline.deliver.plain_text import html_to_text, tidy_text
from pipeline.deliver.slots import Picks, Slot
from pipeline.deliver.template_check import Needs, needs_of
from pipeline.deliver.template_file import TemplateFile, read_template
from pipeline.errors import BatchpubError, ConfigurationError, InputError

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from jinja2.runtime import Context

__all__ = ["Content", "MailTemplate", "UnusableLinkError"]

SUBJECT: Final = "subject"
_INDENT: Final = re.compile(r"\s*\n\s*")
_METHODS: Final = frozenset(dir(dict))


class UnusableLinkError(Exception):
    """A link or image of one message would not lead to the web; that message is not made."""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one message."""

    subject: str
    html: str
    text: str


class MailTemplate:
    """Compiles a template; `render` makes the content of one message.

    Args:
        named: The file, .mjml or .html, or ``starter``.
        subject: Instead of the one in the front matter.
        variables: Further names for the template, or other values for those of the front matter.

    Raises:
        ConfigurationError: Jinja and its companions are not installed; no subject; a name that
            nobody gives.
        InputError: the template is missing or cannot be used, with file and line.
    """

    def __init__(
        self, named: str, *, subject: str | None = None, variables: Mapping[str, str]
    ) -> None:
        file = read_template(named)
        self._environments = _environments()
        self._name = file.name
        self._variables = file.variables | dict(variables)
        # The subject comes last: it may use all other names.
        self._variables[SUBJECT] = self._variables.pop(SUBJECT, "")
        if subject is not None:
            self._variables[SUBJECT] = subject
        if not self._variables.get(SUBJECT, "").strip():
            raise ConfigurationError(
                "the messages have no subject",
                source=named,
                remedy="give --subject, or write it into the front matter",
            )
        self._needs: list[tuple[str, Needs, Collection[str]]] = []
        self._templates: list[tuple[Template, Template]] = []
        self._compile(file)
        self._compile_variables()
        self._refuse_unknown_names()

    @property
    def slots(self) -> list[Slot]:
        """The recommendation types shown, with how many items of each at most."""
        merged: dict[str, int | None] = {}
        for _, needs, _ in self._needs:
            for name, most in needs.slots.items():
                known = merged.get(name, 0)
                merged[name] = None if most is None or known is None else max(most, known)
        return [Slot(name, most) for name, most in merged.items()]

    @property
    def columns(self) -> dict[str, tuple[str, int]]:
        """The columns of the contacts that must be there, with the file and line that say so."""
        found: dict[str, tuple[str, int]] = {}
        for source, needs, _ in self._needs:
            for column, line in needs.columns.items():
                found.setdefault(column, (source, line))
        return found

    @property
    def optional_columns(self) -> set[str]:
        """The columns that are shown where they are there."""
        return {column for _, needs, _ in self._needs for column in needs.optional}

    def render(self, contact: Mapping[str, str], picks: Mapping[str, Picks]) -> Content:
        """One message.

        Args:
            contact: The columns of the recipient.
            picks: The items of every slot.

        Raises:
            UnusableLinkError: an address in it is not http or https.
            InputError: the template fails on this recipient, with file and line.
        """
        context: dict[str, Any] = {
            **self._constants,
            "contact": contact,
            "items": lambda name, most=None: picks[name].first(most),
        }
        self._compute(context)
        html, text = (self._rendered(made, written, context) for made, written in self._templates)
        subject = one_line(context.pop(SUBJECT))
        if not subject:
            raise InputError(
                "the subject comes out empty for a recipient",
                source=self._name,
                remedy="give it a text for recipients without the value",
            )
        return Content(subject=subject, html=html, text=tidy_text(text))

    def _compute(self, context: dict[str, Any]) -> None:
        """Add the variables that hold code; each sees those before it."""
        shared: Context | None = None
        for name, template in self._computed.items():
            shared = shared or template.new_context(context, shared=True)
            context[name] = self._rendered(template, template, context, shared).strip()

    def _rendered(
        self,
        made: Template,
        written: Template,
        context: dict[str, Any],
        shared: Context | None = None,
    ) -> str:
        try:
            # As `made.render(context)`, without a copy of the context for each of the templates.
            shared = shared or made.new_context(context, shared=True)
            return "".join(made.root_render_func(shared))
        except UnusableLinkError:
            raise
        except Exception as error:
            raise _located(error, written, context) from error

    def _compile(self, file: TemplateFile) -> None:
        html_environment, text_environment = self._environments
        written = self._template(html_environment, file.markup, file.name)
        markup = Markup(file.markup, html_environment, file.name)
        html = markup.text
        if file.is_mjml:
            from pipeline.deliver.mjml import compile_mjml

            html = markup.settle(compile_mjml(html, line_at=markup.line_at, source=file.name))
        made = html_environment.from_string(
            markup.restore(markup.with_rows(_inlined(markup.with_body(html), file.name)))
        )
        self._templates.append((made, written))
        if file.text is not None:
            text = self._template(text_environment, file.text, file.text_name)
            self._templates.append((text, text))
            return
        derived = literal(html_to_text(markup.seen(html), is_mark=markup.is_mark))
        source = markup.restore_text(derived)
        self._templates.append((text_environment.from_string(source), written))

    def _compile_variables(self) -> None:
        self._constants: dict[str, Any] = dict(self._environments[0].globals)
        self._computed: dict[str, Template] = {}
        code = {
            name: text for name, text in self._variables.items() if "{{" in text or "{%" in text
        }
        self._constants |= {
            name: text for name, text in self._variables.items() if name not in code
        }
        for name, text in code.items():
            names = None if name == SUBJECT else self._constants
            source = f"{self._name} ({name})"
            template = self._template(self._environments[1], text, source, names)
            needs = self._needs[-1][1]
            fixed = set(needs.names) <= set(self._constants)
            fixed = fixed and not (needs.columns or needs.optional or needs.slots)
            if fixed and name != SUBJECT:
                made = self._rendered(template, template, dict(self._constants))
                self._constants[name] = made.strip()
            else:
                self._computed[name] = template

    def _template(
        self, environment: Environment, code: str, name: str, names: Collection[str] | None = None
    ) -> Template:
        """Compile code as it was written; note what it asks for and which names it may use."""
        from jinja2 import TemplateSyntaxError

        try:
            tree = environment.parse(code, name, name)
            compiled = environment.compile(tree, name, name)
            template = environment.template_class.from_code(
                environment, compiled, environment.make_globals(None)
            )
        except TemplateSyntaxError as error:
            raise InputError(
                f"template error: {error.message or 'syntax'}".rstrip("."),
                source=name,
                position=f"line {error.lineno}",
                remedy="mend the template",
            ) from error
        needs = needs_of(environment.parse(code, name, name), source=name)
        self._needs.append((name, needs, self._variables if names is None else names))
        return template

    def _refuse_unknown_names(self) -> None:
        everywhere = {"contact", "items", *self._environments[0].globals}
        for source, needs, names in self._needs:
            for name, line in needs.names.items():
                if name not in everywhere and name not in names:
                    raise ConfigurationError(
                        f"the template uses {name!r}, which nobody gives",
                        source=source,
                        position=f"line {line}",
                        remedy=f"give --variable {name}=…, or write contact.{name} for a column",
                    )


def _environments() -> tuple[Environment, Environment]:
    """For HTML and for plain text: no code of templates reaches beyond the values it is given."""
    try:
        import css_inline  # noqa: F401 - told here, before anything is read
        import mrml  # noqa: F401
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from markupsafe import Markup as Escaped
    except ImportError as error:
        raise ConfigurationError(
            f"newsletters need {error.name}, which is not installed",
            remedy="pip install 'batchpub[newsletter]'",
        ) from error

    class MailEnvironment(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            """A key of a mapping before its methods: a column may be called items."""
            if type(obj) is dict:
                if attribute in obj:
                    return obj[attribute]
                if attribute not in _METHODS:
                    return self.undefined(obj=obj, name=attribute)
            return super().getattr(obj, attribute)

    def web(value: Any) -> str:
        if type(value) is Link:
            return value
        address = web_address(str(value))
        if address is None:
            raise UnusableLinkError
        return Escaped(address) if isinstance(value, Escaped) else address  # noqa: S704 - as escaped as it came

    def image(value: Any) -> str:
        return web(value) if str(value).strip() else ""

    html = MailEnvironment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    text = MailEnvironment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)
    for one in (html, text):
        one.filters["web_address"] = web
        one.filters["image_address"] = image
    return html, text


def _inlined(html: str, name: str) -> str:
    import css_inline

    if "<pre" not in html and "<textarea" not in html:
        html = _INDENT.sub("\n", html)
    inliner = css_inline.CSSInliner(
        keep_style_tags=True, load_remote_stylesheets=False, keep_link_tags=True
    )
    try:
        return str(inliner.inline(html))
    except ValueError as error:
        raise InputError(
            "its styles cannot be inlined", source=name, remedy="check the CSS of the template"
        ) from error


def _located(error: Exception, written: Template, context: dict[str, Any]) -> BatchpubError:
    """The error with the line of the template as it was written."""
    line = _line_when(lambda: written.render(context), written)
    return InputError(
        f"template error: {_told(error)}",
        source=written.filename or written.name,
        position=None if line is None else f"line {line}",
        remedy="mend the template",
    )


def _told(error: Exception) -> str:
    """What went wrong, without values of a recipient: only Jinja's own words about names."""
    from jinja2 import UndefinedError
    from jinja2.exceptions import SecurityError

    if isinstance(error, UndefinedError | SecurityError):
        return str(error).rstrip(".")
    return type(error).__name__


def _line_when(render: Callable[[], object], template: Template) -> int | None:
    try:
        render()
    except Exception as error:  # noqa: BLE001 - it is the one that is being located
        return _line(error, template)
    return None


def _line(error: Exception, template: Template) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [one.lineno for one in frames if one.filename == template.filename]
    return lines[-1] if lines else None
