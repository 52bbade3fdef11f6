"""What `template` and `cluster-template` have in common: one set of commands over either kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tiphys.cli.checking import check
from tiphys.cli.command import Command, Group, any_number, at_least
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.lint import OUTPUT as LINT_OUTPUT
from tiphys.cli.lint import STRICT, lint
from tiphys.cli.listing import SELECTOR
from tiphys.cli.output import OUTPUT, manifest_output
from tiphys.cli.session import Object, RefusalError, Session, in_argos_words, say, warn
from tiphys.errors import ApiError, TiphysError, UsageError
from tiphys.kube.objects.resources import Resource

__all__ = ["Kind", "template_group"]


class Kind(NamedTuple):
    """One of the two kinds.

    Attributes:
        what: as people call it: "workflow template".
    """

    resource: Resource
    what: str
    usage: str
    aliases: tuple[str, ...] = ()


def template_group(kind: Kind) -> Group:
    """The commands of a kind."""
    return Group(
        kind.usage,
        f"manipulate {kind.what}s",
        {
            "create": _write(kind, "create", _create),
            "delete": Command(
                "delete WORKFLOW_TEMPLATE",
                f"delete a {kind.what}",
                (Flag("all", "bool", f"Delete all {kind.what}s"),),
                lambda options, session: _delete(kind, options, session),
                _names_or_all,
            ),
            "get": Command(
                "get WORKFLOW_TEMPLATE...",
                f"display details about a {kind.what}",
                (OUTPUT,),
                lambda options, session: _get(kind, options, session),
                any_number,
            ),
            "lint": Command(
                "lint (DIRECTORY | FILE1 FILE2 FILE3...)",
                f"validate a file or directory of {kind.what} manifests",
                (LINT_OUTPUT, STRICT),
                lambda options, session: lint(options, session, {kind.resource.kind}),
                at_least(1),
            ),
            "list": Command(
                "list",
                f"list {kind.what}s",
                _list_flags(kind),
                lambda options, session: _list(kind, options, session),
                any_number,
            ),
            "update": _write(kind, "update", _update),
        },
        kind.aliases,
    )


def _write(kind: Kind, verb: str, send: Callable[[Session, Kind, Object, str], Object]) -> Command:
    def run(options: Options, session: Session) -> int:
        from tiphys.cli.manifests import objects_of_kind

        for manifest in objects_of_kind(options.arguments, kind.resource.kind, kind.what):
            say(_text(kind, _sent(session, kind, manifest, verb, options, send), options.text("output"), session))
        return 0

    return Command(f"{verb} FILE1 FILE2...", f"{verb} a {kind.what}", (OUTPUT, STRICT), run, at_least(1))


def _sent(
    session: Session,
    kind: Kind,
    manifest: Object,
    verb: str,
    options: Options,
    send: Callable[[Session, Kind, Object, str], Object],
) -> Object:
    meta = manifest["metadata"]
    namespace = (meta.get("namespace") or session.namespace) if kind.resource.namespaced else ""
    if namespace:
        manifest = {**manifest, "metadata": {**meta, "namespace": namespace}}
    try:
        check(session, manifest, namespace, strict=options.on("strict"))
        stored = send(session, kind, manifest, namespace)
    except (ApiError, RefusalError) as error:
        if isinstance(error, ApiError) and error.code == 403:
            raise  # with the rule that would allow it
        raise UsageError(_failed(kind, verb, meta.get("name", ""), error)) from error
    for text in session.client.warnings:
        warn(text)
    session.client.warnings.clear()
    return stored


def _failed(kind: Kind, verb: str, name: str, error: TiphysError) -> str:
    which = f": {name}, " if not kind.resource.namespaced else ":"
    return f"failed to {verb} {kind.what}{which} {in_argos_words(error)}"


def _create(session: Session, kind: Kind, manifest: Object, namespace: str) -> Object:
    return session.client.create(kind.resource, manifest, namespace).object


def _update(session: Session, kind: Kind, manifest: Object, namespace: str) -> Object:
    name = manifest["metadata"].get("name", "")
    try:
        current = session.client.get(kind.resource, name, namespace)
    except ApiError as error:
        if error.code == 403:
            raise
        raise UsageError(
            f'failed to get existing {kind.what} "{name}" to update: {in_argos_words(error)}; '
            "`create` makes one that is not there"
        ) from error
    meta = {**manifest["metadata"], "resourceVersion": current.resource_version}
    return session.client.update(kind.resource, {**manifest, "metadata": meta}).object


def _text(kind: Kind, value: Object, output: str, session: Session) -> str:
    if output in ("name", "json", "yaml"):
        return manifest_output(value, output)
    from tiphys.cli.render.humanize import moment, timestamp
    from tiphys.cli.render.workflow import field

    meta = value["metadata"]
    namespace = field("Namespace:", meta["namespace"]) if kind.resource.namespaced else ""
    created = timestamp(moment(meta.get("creationTimestamp")), session.now())
    return field("Name:", meta["name"]) + namespace + field("Created:", created)


def _get(kind: Kind, options: Options, session: Session) -> int:
    for name in options.arguments:
        found = session.client.get(kind.resource, name, _namespace(kind, session)).object
        say(_text(kind, found, options.text("output"), session))
    return 0


def _list(kind: Kind, options: Options, session: Session) -> int:
    namespaced = kind.resource.namespaced
    everywhere = namespaced and options.on("all-namespaces")
    selector = options.text("selector") if namespaced else ""
    namespace = "" if everywhere else _namespace(kind, session)
    listed = [item.object for item in session.client.list(kind.resource, namespace, label_selector=selector).items]
    session.found_nothing = not listed and bool(namespace)
    if options.text("output") == "name":
        say("".join(f"{one['metadata']['name']}\n" for one in listed))
        return 0
    from tiphys.cli.render.tables import template_table

    say(template_table(listed, namespaces=everywhere))
    return 0


def _delete(kind: Kind, options: Options, session: Session) -> int:
    namespace = _namespace(kind, session)
    names = options.arguments
    if options.on("all"):
        names = [item.name for item in session.client.list(kind.resource, namespace).items]
    for name in names:
        session.client.delete(kind.resource, name, namespace)
        say(f"{kind.resource.kind} '{name}' deleted\n")
    return 0


def _names_or_all(options: Options) -> str:
    return "" if options.arguments or options.on("all") else "requires a name or --all"


def _namespace(kind: Kind, session: Session) -> str:
    return session.namespace if kind.resource.namespaced else ""


def _list_flags(kind: Kind) -> tuple[Flag, ...]:
    output = Flag("output", "string", "Output format", short="o", choices=("wide", "name"))
    if not kind.resource.namespaced:
        return (output,)
    return (Flag("all-namespaces", "bool", "Show workflows from all namespaces", short="A"), output, SELECTOR)
