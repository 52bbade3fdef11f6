"""withItems, withParam, withSequence, and `when` of a step that is spread out."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, dag_of, outcomes, run_of, step, steps_of, values, workflow

SHOW = run_of("show")


def spread(**fields: Any) -> World:
    """One step over something, played to the end."""
    return World(workflow(steps_of(step("a", "show", **fields), templates=(SHOW,)))).play()


def shown(world: World) -> dict[str, str]:
    """What each item's step was given."""
    return {
        node["displayName"]: node["inputs"]["parameters"][0]["value"]
        for node in world.status["nodes"].values()
        if node["type"] == "Pod"
    }


def test_items_of_every_kind_name_their_nodes_and_fill_their_tags() -> None:
    items = ["x (y)", 7, True, 1.5, {"k": "v", "a": 1}, ["b", 2]]
    assert shown(spread(withItems=items, p="{{item}}")) == {
        "a(0:x y)": "x (y)",
        "a(1:7)": "7",
        "a(2:true)": "true",
        "a(3:1.5)": "1.5",
        "a(4:a:1,k:v)": '{"a":1,"k":"v"}',
        "a(5:[b 2])": '["b",2]',
    }


def test_members_of_an_item_that_is_a_map() -> None:
    assert shown(spread(withItems=[{"os": "debian", "version": 12}], p="{{item.os}}-{{item.version}}")) == {
        "a(0:os:debian,version:12)": "debian-12"
    }


def test_an_expression_of_the_item_and_of_an_input() -> None:
    spec = steps_of(
        step("a", "show", withSequence={"count": "2"}, p="{{= int(item) + int(inputs.parameters.from) }}"),
        templates=(SHOW,),
    )
    spec["templates"][0]["inputs"] = {"parameters": [{"name": "from", "value": "12"}]}
    assert shown(World(workflow(spec)).play()) == {"a(0:0)": "12", "a(1:1)": "13"}


def test_when_may_compare_the_item_with_an_input() -> None:
    spec = steps_of(
        step("a", "show", withItems=["x", "y"], p="{{item}}", when="{{= item == inputs.parameters.only }}"),
        templates=(SHOW,),
    )
    spec["templates"][0]["inputs"] = {"parameters": [{"name": "only", "value": "y"}]}
    assert shown(World(workflow(spec)).play()) == {"a(1:y)": "y"}


def test_a_parameter_that_is_a_list() -> None:
    assert shown(spread(withParam='["x", {"k": 1}]', p="{{item}}")) == {"a(0:x)": "x", "a(1:k:1)": '{"k":1}'}


def test_a_list_that_another_step_put_out() -> None:
    spec = steps_of(
        step("list", "pod"),
        step("a", "show", withParam="{{steps.list.outputs.result}}", p="{{item}}"),
        templates=(SHOW, {"name": "pod", "container": {"image": "x"}}),
    )
    world = World(workflow(spec), outcomes(list={"result": "[1, 2]"})).play()
    assert {"a(0:1)": "1", "a(1:2)": "2"}.items() <= {
        node["displayName"]: (node.get("inputs") or {"parameters": [{"value": ""}]})["parameters"][0]["value"]
        for node in world.status["nodes"].values()
    }.items()


@pytest.mark.parametrize(
    ("sequence", "items"),
    [
        ({"count": 3}, ["0", "1", "2"]),
        ({"count": "2", "start": "5"}, ["5", "6"]),
        ({"start": 3, "end": 1}, ["3", "2", "1"]),
        ({"end": "1"}, ["0", "1"]),
        ({"start": 8, "end": 10, "format": "host%02d"}, ["host08", "host09", "host10"]),
        ({"count": 2, "start": 15, "format": "0x%X"}, ["0xF", "0x10"]),
    ],
)
def test_a_sequence(sequence: dict[str, Any], items: list[str]) -> None:
    assert shown(spread(withSequence=sequence, p="{{item}}")) == {f"a({n}:{i})": i for n, i in enumerate(items)}


@pytest.mark.parametrize("loop", [{"withParam": "[]"}, {"withSequence": {"count": 0}}])
def test_a_loop_over_nothing_is_skipped(loop: dict[str, Any]) -> None:
    world = spread(**loop, p="{{item}}")
    assert (world.node("a")["phase"], world.node("a")["message"]) == ("Skipped", "Skipped, empty params")
    assert world.status["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        ({"withParam": "no list"}, "withParam value could not be parsed as a JSON list: no list: "),
        ({"withParam": '{"a": 1}'}, 'withParam value could not be parsed as a JSON list: {"a": 1}: '),
        ({"withSequence": {"count": "many"}}, 'strconv.Atoi: parsing "many": invalid syntax'),
        ({"withSequence": {"start": 1}}, "neither end nor count was specified in withSequence"),
        ({"withSequence": {"count": 100_000_000}}, "100000000 items"),
    ],
)
def test_a_loop_over_what_is_no_list_says_why(loop: dict[str, Any], words: str) -> None:
    world = spread(**loop, p="{{item}}")
    assert world.status["phase"] == "Failed"
    assert words in world.node("wf[0]")["message"]


def test_each_item_decides_whether_it_runs() -> None:
    world = spread(withSequence={"count": 3}, when="{{item}} == 1", p="{{item}}")
    assert {name: node for name, node in world.phases().items() if "(" in name} == {
        "wf[0].a(0:0)": "Skipped",
        "wf[0].a(1:1)": "Succeeded",
        "wf[0].a(2:2)": "Skipped",
    }


@pytest.mark.parametrize(
    ("when", "items"),
    [
        ("{{=asInt(item.n) > 1}}", [{"n": 1}, {"n": 2}]),
        ("{{item.n}} > 1 && {{workflow.parameters.go}} == yes", [{"n": 1}, {"n": 2}]),
        ("{{=workflow.parameters.go == 'yes'}} && '{{item}}' =~ '^b'", ["a", "b"]),
        ("{{item}} in ({{workflow.parameters.list}})", ["a", "b"]),
    ],
)
def test_conditions_in_both_languages_speak_of_the_item(when: str, items: list[Any]) -> None:
    spec = steps_of(step("a", "show", withItems=items, when=when, p="x"), templates=(SHOW,))
    world = World(workflow({**spec, "arguments": {"parameters": values(go="yes", list="b, c")}})).play()
    phases = [phase for name, phase in sorted(world.phases().items()) if "(" in name]
    assert phases == ["Skipped", "Succeeded"]


def test_a_condition_that_is_false_for_all_leaves_the_loop_unread() -> None:
    world = spread(withParam="no list", when="1 == 2", p="{{item}}")
    assert world.status["phase"] == "Succeeded"


def test_lists_over_a_loop_hold_what_succeeded_in_the_order_of_the_items() -> None:
    giver = {"name": "give", "container": {"image": "x"}, "outputs": {"parameters": [
        {"name": "o", "valueFrom": {"path": "/o"}}]}}  # fmt: skip
    spec = steps_of(
        step("a", "give", withSequence={"count": 12}, continueOn={"failed": True}),
        [
            step("results", "show", p="{{steps.a.outputs.result}}"),
            step("column", "show", p="{{steps.a.outputs.parameters.o}}"),
            step("rows", "show", p="{{steps.a.outputs.parameters}}"),
        ],
        templates=(SHOW, giver),
    )

    def answer(command: Any) -> Any:
        index = command.node_name.partition(":")[2].rstrip(")")
        if index == "3":
            return outcomes(a="Failed")(command)
        return outcomes(a={"result": index or "-", "parameters": values(o=f"o{index}")})(command)

    world = World(workflow(spec), answer)
    world.begin()
    for node_id in reversed(list(world.pods)):  # the order in which they end does not matter
        world.handle(world.answer(world.pods.pop(node_id)))
    world.play()
    kept = [n for n in range(12) if n != 3]
    inputs = {name: world.node(name)["inputs"]["parameters"][0]["value"] for name in ("results", "column", "rows")}
    assert inputs["results"] == "[" + ",".join(map(str, kept)) + "]"
    assert inputs["column"] == "[" + ",".join(f'"o{n}"' for n in kept) + "]"
    assert inputs["rows"] == "[" + ",".join(f'{{"o":"o{n}"}}' for n in kept) + "]"


def test_a_column_of_lists_and_maps_holds_them_as_they_are() -> None:
    giver = {"name": "give", "container": {"image": "x"}, "outputs": {"parameters": [
        {"name": "o", "valueFrom": {"path": "/o"}}]}}  # fmt: skip
    spec = steps_of(
        step("a", "give", withItems=[1]),
        step("b", "show", p="{{steps.a.outputs.parameters.o}}"),
        templates=(SHOW, giver),
    )
    world = World(workflow(spec), outcomes(a={"parameters": values(o='{"x": [1]}')})).play()
    assert world.node("b")["inputs"]["parameters"][0]["value"] == '[{"x":[1]}]'


TALK = {"name": "talk", "script": {"image": "python", "command": ["python"], "source": "print(1)"}}
NO_JSON = "invalid character 'h' looking for beginning of value"


def test_results_of_a_loop_that_are_no_json_are_an_error_of_the_steps() -> None:
    spec = steps_of(
        step("each", "talk", withItems=[1, 2]),
        step("all", "show", p="{{steps.each.outputs.result}}"),
        templates=(TALK, SHOW),
    )
    world = World(workflow(spec), outcomes(**{"each": {"result": "heads"}})).play()
    assert world.status["message"] == f"error in entry template execution: {NO_JSON}"
    assert (world.node("wf")["phase"], world.node("wf")["message"]) == ("Error", NO_JSON)
    assert (world.node("wf[0]")["phase"], "wf[1]" in world.phases()) == ("Succeeded", False)


def test_results_of_a_loop_that_nobody_asks_for_may_be_anything() -> None:
    spec = steps_of(step("each", "talk", withItems=[1]), step("b", "show", p="x"), templates=(TALK, SHOW))
    assert World(workflow(spec), outcomes(**{"each": {"result": "heads"}})).play().status["phase"] == "Succeeded"


def test_results_of_a_loop_that_are_no_json_are_an_error_of_the_task_that_asks() -> None:
    spec = dag_of(
        step("each", "talk", withItems=[1, 2]),
        step("all", "show", p="{{tasks.each.outputs.result}}", dependencies=["each"]),
        templates=(TALK, SHOW),
    )
    world = World(workflow(spec), outcomes(**{"each": {"result": "heads"}})).play()
    assert (world.node("all")["phase"], world.node("all")["message"]) == ("Error", NO_JSON)
    assert world.status["phase"] == "Error"


def test_an_exit_handler_that_speaks_of_such_a_list_is_the_errors_of_its_template() -> None:
    told = {"exit": {"template": "show", "arguments": {"parameters": [{"name": "p", "value": "x"}]}}}
    told["exit"]["expression"] = "tasks.each.outputs.result != ''"
    spec = dag_of(
        step("each", "talk", withItems=[1]),
        step("b", "show", p="x", dependencies=["each"], hooks=told),
        templates=(TALK, SHOW),
    )
    world = World(workflow(spec), outcomes(**{"each": {"result": "heads"}})).play()
    assert (world.status["phase"], world.node("wf")["message"]) == ("Error", NO_JSON)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("heads", NO_JSON),
        ("[1,", "unexpected end of JSON input"),
        ("[1 2]", "invalid character '2' after array element"),
        ('{"a":1}', "json: cannot unmarshal object into Go value of type []v1alpha1.Item"),
        ('"x"', "json: cannot unmarshal string into Go value of type []v1alpha1.Item"),
        ("12", "json: cannot unmarshal number into Go value of type []v1alpha1.Item"),
        ("true", "json: cannot unmarshal bool into Go value of type []v1alpha1.Item"),
    ],
)
def test_what_is_no_list_is_told_in_gos_words(text: str, why: str) -> None:
    world = spread(withParam=text, p="{{item}}")
    assert world.node("wf[0]")["message"] == f"withParam value could not be parsed as a JSON list: {text}: {why}"


def test_a_list_that_is_null_is_empty() -> None:
    assert spread(withParam="null", p="{{item}}").node("a")["message"] == "Skipped, empty params"


@pytest.mark.parametrize(("shape", "role", "stands_for_it"), [(steps_of, "steps", "wf[0]"), (dag_of, "tasks", "wf.a")])
def test_a_loop_has_the_id_and_the_status_of_the_node_that_stands_for_it(
    shape: Any, role: str, stands_for_it: str
) -> None:
    told = step("b", "show", p=f"{{{{{role}.a.status}}}} {{{{{role}.a.id}}}}")
    told |= {"dependencies": ["a"]} if shape is dag_of else {}
    world = World(workflow(shape(step("a", withItems=[1, 2]), told, templates=(POD, run_of("show"))))).play()
    assert world.created[-1].template["container"]["command"][1] == f"Succeeded {world.node(stands_for_it)['id']}"
