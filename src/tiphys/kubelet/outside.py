"""A plan for a host whose kernel gives no mount namespaces: volumes lie where they are, and words are changed instead.

Changed are commands, arguments, variables, working directories, and the files that an argument names (a script): every
path at or below a mounted one, and below `/tmp`, becomes the place where it really is. What a program itself puts
together or has compiled in is not changed; an Event on the pod says so. Pure; called by the kubelet after `plan.make`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace

from tiphys.kubelet.plan import ContainerPlan, Place, Plan, Volume

__all__ = ["DIFFERENCE", "outside", "rewrite"]

DIFFERENCE = (
    "no mount namespaces on this machine: volumes are not at their mount paths; the paths in commands, arguments, "
    "variables and scripts were changed instead (see `tiphys doctor`)"
)
_TMP = "/tmp"  # noqa: S108 - the path as manifests write it


def outside(plan: Plan, place: Place) -> Plan:
    """The plan, with paths of the host in place of the container's."""
    every = (*plan.init, *plan.containers)
    places = {one.name: _places(one, place) for one in every}
    moved = {one.name: _container(one, places[one.name]) for one in every}
    named = {word: places[one.name] for one in every for word in moved[one.name].argv}
    return replace(
        plan,
        volumes=[_volume(volume, named) for volume in plan.volumes],
        init=[moved[one.name] for one in plan.init],
        containers=[moved[one.name] for one in plan.containers],
        captures=[replace(c, file=rewrite(c.file, places.get(c.container, {}))) for c in plan.captures],
    )


def _places(container: ContainerPlan, place: Place) -> dict[str, str]:
    places = {path: path for path in place.kept} | {
        _TMP: f"{place.directory}/{container.name}.tmp",
        container.termination_path: f"{place.directory}/{container.name}.message",
    }
    for mount in container.mounts:
        places[mount.path] = f"{mount.source}/{mount.sub_path}".rstrip("/")
    return places


def _container(one: ContainerPlan, places: Mapping[str, str]) -> ContainerPlan:
    return replace(
        one,
        argv=[rewrite(word, places) for word in one.argv],
        env={name: rewrite(value, places) for name, value in one.env.items()} | {"TMPDIR": places[_TMP]},
        cwd=rewrite(one.cwd, places),
        termination_path=places[one.termination_path],
    )


def rewrite(text: str, places: Mapping[str, str]) -> str:
    """`text` with every path at or below one of `places` moved there; longer ones first."""
    if "/" not in text or not places:
        return text
    either = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))
    return re.sub(rf"(?<![\w.\-/])({either})(?![\w.\-])", lambda found: places[found[1]], text)


def _volume(volume: Volume, named: Mapping[str, Mapping[str, str]]) -> Volume:
    if volume.files is None:
        return volume
    files = []
    for file in volume.files:
        places = named.get(f"{volume.path}/{file['path']}")
        if places is not None:
            text = base64.b64decode(file["data"]).decode(errors="surrogateescape")
            data = base64.b64encode(rewrite(text, places).encode(errors="surrogateescape")).decode()
            file = {**file, "data": data}
        files.append(file)
    return replace(volume, files=files)
