"""Faults come as JSON; what cannot be honoured is refused by its name."""

import json

import pytest

from tiphys_simulators.redfish.behaviour import Behaviour, BehaviourError, Rule, TaskStep, as_json, merged


def test_values_are_laid_over_the_defaults() -> None:
    behaviour = merged(Behaviour(), {"etag": "weak", "lockout": {"kind": "ip", "threshold": 3}, "task_seconds": 5})
    assert behaviour.etag == "weak"
    assert behaviour.lockout.kind == "ip"
    assert behaviour.lockout.threshold == 3
    assert behaviour.password == Behaviour().password


def test_rules_and_steps_are_lists_of_objects() -> None:
    document = {
        "rules": [{"action": "lose-answer", "method": "PATCH", "path": "/Accounts/"}],
        "task_steps": [{"state": "Running", "percent": 98, "seconds": None}],
    }
    behaviour = merged(Behaviour(), document)
    assert behaviour.rules == (Rule("lose-answer", method="PATCH", path="/Accounts/"),)
    assert behaviour.task_steps == (TaskStep("Running", percent=98, seconds=None),)


def test_what_is_shown_can_be_sent_back() -> None:
    behaviour = merged(Behaviour(), {"rules": [{"action": "delay", "seconds": 60}], "reboot": {"refused": 1}})
    assert merged(Behaviour(), json.loads(json.dumps(as_json(behaviour)))) == behaviour


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"etags": "weak"}, "no such name: etags"),
        ({"lockout": {"kindd": "ip"}}, "lockout: no such name: kindd"),
        ({"etag": "strange"}, "etag: 'strange' is none of none, weak"),
        ({"max_sessions": "8"}, "max_sessions: '8' is not of type int"),
        ({"busy": 1}, "busy: 1 is not of type bool"),
        ({"max_sessions": True}, "max_sessions: True is not of type int"),
        ({"rules": {"action": "delay"}}, "rules: a list is needed"),
        ({"rules": [{"method": "GET"}]}, "rules[0]: an object with 'action' is needed"),
        ({"rules": [{"action": "explode"}]}, "rules[0].action: 'explode'"),
        ([], "a JSON object is needed"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(document: object, said: str) -> None:
    with pytest.raises(BehaviourError) as refusal:
        merged(Behaviour(), document)
    assert said in str(refusal.value)
