"""The command line as a whole: which commands there are, and how each run ends."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from cyclopts import App, Parameter

from pipeline import __version__
from pipeline.cli.failure import Failure, failure
from pipeline.cli.help import PlainHelp, default_text
from pipeline.cli.layers import from_environment, from_file
from pipeline.cli.options import CommonOptions
from pipeline.cli.report import flush_stdout, leave_echo, print_json, print_lines
from pipeline.records import CheckSummary, KlaviyoPushSummary, SmartEmailingPushSummary

__all__ = ["make_app", "run"]

# Help texts stand here because `batchpub --help` must not import the commands.
_COMMANDS: Final = {
    "prepare": ("EXTRACT... -o LIST", "Make the list of active users from extracts."),
    "check": (
        "LIST",
        """Look at a user list before it is sent; nothing is changed.

        Exit 0: it may be sent, duplicates and suspicions are only told. Exit 3: lines that are no
        user, or not what its receipt says. Exit 4: no users, over the size limit, or less than
        --min-match known. Ids are shown masked: # a digit, a dot a letter.""",
    ),
    "explain": (
        "EXTRACT... --id ID",
        """Tell why a user is on the list or not; nothing is written.

        Give the extracts and options that prepare was given, --as-of too; the table [prepare] of
        the file named by --config holds here as well. Shown are all rows that carry the id, and
        those of ids that differ in form only, whole: they are what was typed, but for that form.
        Exit 0 whatever the answer is, also when a guard would stop prepare.""",
    ),
    "upload": (
        "LIST --tracker-id ID",
        """Replace the stored user list of a tracker.

        What was sent is remembered in the state directory. A list that is empty, much shorter or
        longer, nearly another one, old, or the first known one is refused with exit code 4; the
        refusal names the --confirm that lets it pass.

        The private key comes from the environment: BATCHPUB_PRIVATE_KEY holds it,
        BATCHPUB_PRIVATE_KEY_FILE names a file that does, or BATCHPUB_PRIVATE_KEY_COMMAND
        a command that prints it.""",
    ),
    "history": ("[--tracker-id ID]", "List the last uploads: when, how many, what came of it."),
    "parse": ("EXPORT -o FILE", "Turn an export into recommendations per user."),
    "fetch": (
        "URL -o FILE",
        """Download an export and parse it as it arrives.

        An export that has not changed since it became the outputs is not fetched again; remove
        one of them to have it fetched all the same. The outputs change together, when the export
        proved whole and no check refuses it, or not at all.

        A password, token or key comes from the environment: BATCHPUB_EXPORT_SECRET holds it,
        BATCHPUB_EXPORT_SECRET_FILE names a file that does, or BATCHPUB_EXPORT_SECRET_COMMAND a
        command that prints it.""",
    ),
    "deliver newsletter": (
        "-o FILE",
        """Make the messages of a newsletter; they are handed over, not sent.

        Each line of the output is one message: to, subject, html, text, key. A slot without
        personal items shows the default set, then those of --fallback-items, or is left out.""",
    ),
    "deliver klaviyo pull": (
        "-o FILE",
        """Read the recommendations that Klaviyo profiles hold, as `parse` reads an export.

        With --uploaded LIST it shows how many of the uploaded users have any: whether the vendor's
        own integration works. A run that broke off goes on where it was.

        The key comes from the environment: BATCHPUB_KLAVIYO_KEY holds it, BATCHPUB_KLAVIYO_KEY_FILE
        names a file that does, or BATCHPUB_KLAVIYO_KEY_COMMAND a command that prints it. Scopes:
        profiles:read, and lists:read or segments:read with --list-id or --segment-id.""",
    ),
    "deliver klaviyo push": (
        "--recommendations FILE",
        """Write recommendations to Klaviyo profiles, one property per recommendation type.

        For exports taken as a file; where the vendor's integration writes to Klaviyo itself, there
        is nothing to push. A run that broke off goes on where it was. Exit 5: Klaviyo refused
        some profiles, --rejects says which. Exit 7: what became of some is not known.

        The key comes from the environment, as for pull. Scopes: lists:write, profiles:read,
        profiles:write.""",
    ),
    "deliver smartemailing check": (
        "--smartemailing-user NAME",
        """Ask SmartEmailing whether it is there and knows the login.

        The API key comes from the environment: BATCHPUB_SMARTEMAILING_KEY holds it,
        BATCHPUB_SMARTEMAILING_KEY_FILE names a file that does, or
        BATCHPUB_SMARTEMAILING_KEY_COMMAND a command that prints it.""",
    ),
    "deliver smartemailing ids": (
        "--id-field FIELD -o FILE",
        """Read who has which user id: contacts whose custom field holds one.

        The file, .csv or .jsonl, has the columns auth_user_id, email and contact_id, as --contacts
        of the other commands wants them. Blacklisted contacts are left out. The API key comes from
        the environment, see `deliver smartemailing check`.""",
    ),
    "deliver smartemailing push": (
        "--recommendations FILE",
        """Write each contact's recommendations into a custom field, as JSON text.

        Lists and subscriptions are never touched. An address that the account does not know becomes
        a contact on no list. A bad address holds up nobody else; --rejects says which were not
        taken. A run that broke off goes on where it was. Exit 7: what became of some is not known;
        run the same command again. The API key comes from the environment, see
        `deliver smartemailing check`.""",
    ),
    "sandbox": (
        "",
        """Serve a local stand-in of the remote services.

        With --json the first line on stdout tells a client all it needs.""",
    ),
}
_GROUPS: Final[dict[str, str]] = {
    "deliver": "Hand recommendations to what sends the mail: newsletters, Klaviyo, SmartEmailing.",
    "deliver klaviyo": "Read recommendations from Klaviyo profiles, or write them there.",
    "deliver smartemailing": "Read user ids from SmartEmailing, or write recommendations there.",
}
_EPILOGUE: Final = "Options can also be set as BATCHPUB_NAME, or in the file named by --config."
_USAGE_ERROR: Final = 2
# What comes to its end and may be a refusal all the same.
_Report: TypeAlias = CheckSummary | KlaviyoPushSummary | SmartEmailingPushSummary


def make_app() -> App:
    """The commands and what they share; a command's own file is imported when it is called."""
    app = App(
        name="batchpub",
        help="Personal recommendations from Luigi's Box into newsletters.",
        version=f"batchpub {__version__}",
        usage="batchpub COMMAND [OPTIONS]",
        help_formatter=PlainHelp(),
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_env_var=False, show_default=default_text),
    )
    app.config = (from_environment, functools.partial(from_file, app))
    groups = {"": app}
    for position, (name, (arguments, text)) in enumerate(_COMMANDS.items()):
        group, _, leaf = name.rpartition(" ")
        function = name.replace(" ", "_")
        _group(groups, group, position).command(
            f"pipeline.cli.{function}:{function}",
            name=leaf,
            help=inspect.cleandoc(text),
            usage=" ".join(f"batchpub {name} {arguments} [OPTIONS]".split()),
            help_epilogue=_EPILOGUE,
            sort_key=position,
        )
    return app


def _group(groups: dict[str, App], name: str, position: int) -> App:
    """The group of commands called `name`, made when its first command needs it."""
    if name not in groups:
        parent, _, leaf = name.rpartition(" ")
        groups[name] = App(
            name=leaf,
            help=_GROUPS[name],
            usage=f"batchpub {name} COMMAND [OPTIONS]",
            sort_key=position,
        )
        _group(groups, parent, position).command(groups[name])
    return groups[name]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never raises, never prints a traceback."""
    common = CommonOptions(json=_asks_for_json(arguments))
    try:
        command, bound = _parse(make_app(), arguments)
        if "common" not in bound.arguments:
            _show(command, bound)
            return 0 if arguments else _USAGE_ERROR
        from pipeline.cli.logs import set_up_logging

        common = bound.arguments["common"]
        set_up_logging(common)
        answer = command(*bound.args, **bound.kwargs)
        if answer is not None:
            _report(answer, common)
            if isinstance(answer, _Report):
                return _verdict(answer, common)
    except SystemExit as end:  # a command that ends early and has said all it had to say
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - the outermost edge: each has an exit code
        return _fail(error, common)
    return 0


def _show(command: Callable[..., Any], bound: inspect.BoundArguments) -> None:
    """Print help or version."""
    try:
        command(*bound.args, **bound.kwargs)
    except SystemExit:  # rich's answer to a reader that went away, who has what he wanted
        return
    flush_stdout()


def _parse(app: App, arguments: Sequence[str]) -> tuple[Callable[..., Any], inspect.BoundArguments]:
    console = None
    if not arguments:
        from rich.console import Console

        # Help nobody asked for is a message about wrong use: a script with an empty variable
        # must neither succeed nor mistake the text for output.
        console = Console(stderr=True)
    command, bound, _ = app.parse_args(
        _stdin_last(arguments), console=console, exit_on_error=False, print_error=False
    )
    bound.apply_defaults()
    return command, bound


def _stdin_last(arguments: Sequence[str]) -> list[str]:
    """Write ``-`` (stdin) behind ``--``, because cyclopts takes it for an option elsewhere."""
    typed = list(arguments)
    end = typed.index("--") if "--" in typed else len(typed)
    options = [one for one in typed[:end] if one != "-"]
    names = typed[end + 1 :]
    dashes = ["-"] * (end - len(options))
    return [*options, "--", *dashes, *names] if dashes or names else options


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether errors in the arguments themselves are wanted as JSON."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    variable = os.environ.get("BATCHPUB_JSON", "").lower()
    return "--json" in options or variable in {"1", "true", "yes", "y", "on"}


def _report(answer: object, common: CommonOptions) -> None:
    if common.json:
        print_json(answer)
    elif not common.quiet:
        from pipeline.cli.summary import summary_lines

        print_lines(summary_lines(answer))


def _verdict(answer: _Report, common: CommonOptions) -> int:
    """The exit code of a report that may be a refusal; its reason is told like any error."""
    from pipeline.cli.summary import error_line

    line = error_line(answer.error)
    if line is not None and not common.json:
        print_lines([line])
    return answer.exit_code


def _fail(error: BaseException, common: CommonOptions) -> int:
    told: Failure = failure(error)
    if isinstance(error, KeyboardInterrupt):
        leave_echo()
    if os.environ.get("BATCHPUB_DEBUG") == "1" and sys.stderr is not None:
        traceback.print_exception(error)
    if common.json:
        try:
            print_json({"error": told.fields})
        except BaseException:  # noqa: BLE001 - stdout is lost, the line below still tells
            print_lines([told.line])
    else:
        print_lines([told.line])
    return told.exit_code
