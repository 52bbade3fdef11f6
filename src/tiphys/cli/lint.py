"""`tiphys lint`: what is wrong with manifests, before they are submitted. Exit code 1 if anything is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tiphys.cli.advice import advice_on
from tiphys.cli.checking import Lookup, unknown_fields
from tiphys.cli.command import Command, at_least
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.manifests import Source, objects, walk
from tiphys.cli.render.lint import Finding, finding_text, summary_text
from tiphys.cli.session import Object, Session, in_argos_words, say, style_of, warn
from tiphys.errors import UsageError

__all__ = ["COMMAND", "OUTPUT", "STRICT", "lint", "run"]

_KINDS = {
    "workflows": "Workflow",
    "wf": "Workflow",
    "workflowtemplates": "WorkflowTemplate",
    "wftmpl": "WorkflowTemplate",
    "cronworkflows": "CronWorkflow",
    "cronwf": "CronWorkflow",
    "clusterworkflowtemplates": "ClusterWorkflowTemplate",
    "cwftmpl": "ClusterWorkflowTemplate",
}
_ALL = ("workflows", "workflowtemplates", "cronworkflows", "clusterworkflowtemplates")
_TEMPLATES = ("WorkflowTemplate", "ClusterWorkflowTemplate")

OUTPUT = Flag(
    "output", "string", "Linting results output format", short="o", choices=("pretty", "simple"), default="pretty"
)
STRICT = Flag("strict", "bool", "Perform strict workflow validation", default="true")


def run(options: Options, session: Session) -> int:
    """Lint files and directories."""
    kinds = options.texts("kinds")
    if not kinds or "all" in kinds:
        kinds = list(_ALL)
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(f"unknown kind: {kind}; there are {', '.join(_ALL)}")
    return lint(options, session, {_KINDS[kind] for kind in kinds}, offline=options.on("offline"), names=("no-color",))


def lint(
    options: Options, session: Session, kinds: set[str], *, offline: bool = False, names: tuple[str, ...] = ()
) -> int:
    """Print the findings about objects of these kinds, and a summary; the exit code.

    Args:
        options: with --output, --strict and the files as arguments.
        session: for the templates they refer to.
        kinds: others are passed over.
        offline: templates referred to are looked for in the files only.
        names: which of the flags of `style_of` the command has.
    """
    style, pretty = style_of(options, names), options.text("output") == "pretty"
    sources = list(walk(options.arguments))
    given = _templates_in(sources) if offline else None
    found: list[Finding] = []
    for source in sources:
        finding = _lint_source(source, kinds, session, given, strict=options.on("strict"))
        say(finding_text(finding, style, pretty=pretty))
        found.append(finding)
    say(summary_text(found, style, pretty=pretty))
    for advice in sorted({advice_on(error) for one in found for error in one.errors} - {""}):
        warn(advice)
    return int(any(one.errors for one in found) or not any(one.linted for one in found))


def _templates_in(sources: Sequence[Source]) -> dict[tuple[str, str], Object]:
    found = {}
    for source in sources:
        for one in _objects(source):
            if one.get("kind") in _TEMPLATES:
                found[one["kind"], (one.get("metadata") or {}).get("name", "")] = one
    return found


def _objects(source: Source) -> list[Object]:
    try:
        return objects(source)
    except UsageError:
        return []  # said when it is that file's turn


def _lint_source(
    source: Source, kinds: set[str], session: Session, given: Mapping[tuple[str, str], Object] | None, *, strict: bool
) -> Finding:
    try:
        documents = objects(source)
    except UsageError as error:
        return Finding(source.name, True, (str(error),))
    errors: list[str] = []
    linted = False
    for index, one in enumerate(documents):
        kind = one.get("kind")
        if kind not in kinds:
            continue
        linted = True
        meta = one.get("metadata") or {}
        name = meta.get("name") or meta.get("generateName") or f"object #{index + 1}"
        find = Lookup(session, "" if given is not None else meta.get("namespace") or session.namespace, given)
        errors += [f'in "{name}" ({kind}): {message}' for message in _errors(one, find, strict=strict)]
    return Finding(source.name, linted, tuple(errors))


def _errors(manifest: Object, find: Lookup, *, strict: bool) -> list[str]:
    from tiphys.workflow.spec.validate import problems

    if strict and (complaint := unknown_fields(manifest)):
        return [complaint]
    found = [problem.message for problem in problems(manifest, find, lint=True)]
    return [in_argos_words(find.refused[text]) if text in find.refused else text for text in found]


COMMAND = Command(
    "lint FILE...",
    "validate files or directories of manifests",
    (
        Flag("kinds", "slice", f"Which kinds will be linted. Can be: {'|'.join(_ALL)}", default="all"),
        Flag("no-color", "bool", "Disable colorized output"),
        Flag(
            "offline",
            "bool",
            "perform offline linting. For resources referencing other resources, the references will be resolved from "
            "the provided args",
        ),
        OUTPUT,
        STRICT,
    ),
    run,
    at_least(1),
    "  tiphys lint ./manifests\n  cat manifests.yaml | tiphys lint --kinds=workflows,cronworkflows -\n",
)
