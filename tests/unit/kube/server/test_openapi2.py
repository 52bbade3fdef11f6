"""/openapi/v2: what kubectl before 1.28 and other old clients go by."""

import re

from tiphys.kit.codec import decode
from tiphys.kube.objects.resources import RESOURCES
from tiphys.workflow.spec import fields


class Message:
    """A protobuf message whose fields are all of wire types 0 and 2."""

    def __init__(self, data: bytes) -> None:
        self._fields, at = [], 0
        while at < len(data):
            tag, at = self._number(data, at)
            value, at = self._number(data, at)
            if tag & 7 == 2:
                assert at + value <= len(data)
                self._fields.append((tag >> 3, data[at : at + value]))
                at += value
            else:
                assert tag & 7 == 0

    @staticmethod
    def _number(data: bytes, at: int) -> tuple[int, int]:
        size = next(i for i, byte in enumerate(data[at:]) if byte < 0x80) + 1
        return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data[at : at + size])), at + size

    def each(self, *numbers: int):
        """The messages at a path."""
        found = (Message(value) for number, value in self._fields if number == numbers[0])
        for one in found:
            yield from one.each(*numbers[1:]) if numbers[1:] else (one,)

    def at(self, number: int):
        return next(self.each(number))

    def text(self, number: int) -> str:
        return next(value.decode() for key, value in self._fields if key == number)


def test_old_clients_get_all_schemas_in_one_document(serving):
    async def scenario(http) -> None:
        answer = await http("GET", "/openapi/v2")
        found = answer.value
        assert found["swagger"] == "2.0"
        named = {
            (kind["group"], kind["version"], kind["kind"])
            for schema in found["definitions"].values()
            for kind in schema.get("x-kubernetes-group-version-kind", ())
        }
        assert named == {(r.group, version, r.kind) for r in RESOURCES for version in r.versions}
        references = set(re.findall(rb'"\$ref":"#/definitions/([^"]*)"', answer.body))
        assert references
        assert {name.decode() for name in references} <= found["definitions"].keys()
        assert answer.body.count(b'"$ref"') == answer.body.count(b'"$ref":"#/definitions/')
        patch = found["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"]
        assert patch["x-kubernetes-group-version-kind"]["kind"] == "ConfigMap"
        assert {"name": "dryRun", "in": "query", "type": "string"} in patch["parameters"]

    serving(scenario, fields={"argoproj.io": fields})


def test_what_swagger_2_does_not_know_is_said_otherwise(serving):
    async def scenario(http) -> None:
        text = (await http("GET", "/openapi/v2")).body
        assert b"oneOf" not in text
        found = decode(text)["definitions"]["io.k8s.api.core.v1.TCPSocketAction"]["properties"]["port"]
        assert found == {"type": "string", "format": "int-or-string"}

    serving(scenario, fields={"argoproj.io": fields})


def test_the_protobuf_form_has_what_the_json_form_has(serving):
    """Read by the rules of protobuf, with the numbers of gnostic's OpenAPIv2.proto."""

    async def scenario(http) -> None:
        found = (await http("GET", "/openapi/v2")).value
        accept = {"accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
        answer = await http("GET", "/openapi/v2", headers=accept)
        assert answer.header("content-type") == ["application/com.github.proto-openapi.spec.v2.v1.0+protobuf"]
        document = Message(answer.body)
        assert document.text(1) == "2.0"
        definitions = {entry.text(1): entry.at(2) for entry in document.each(9, 1)}
        assert definitions.keys() == found["definitions"].keys()
        for name, schema in found["definitions"].items():
            read = definitions[name]
            assert {entry.text(1) for entry in read.each(25, 1)} == schema.get("properties", {}).keys(), name
            assert [one.text(1) for one in read.each(22)] == [schema["type"]]
        configmap = {e.text(1): e.at(2) for e in definitions["io.k8s.api.core.v1.ConfigMap"].each(25, 1)}
        assert configmap["data"].at(21).at(1).at(22).text(1) == "string"
        assert configmap["metadata"].text(1) == "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        containers = {e.text(1): e.at(2) for e in definitions["io.k8s.api.core.v1.PodSpec"].each(25, 1)}["containers"]
        assert containers.at(23).at(1).text(1) == "#/definitions/io.k8s.api.core.v1.Container"
        paths = {entry.text(1): entry.at(2) for entry in document.each(8, 2)}
        assert paths.keys() == found["paths"].keys()
        patch = paths["/api/v1/namespaces/{namespace}/configmaps/{name}"].at(8)
        (kind,) = (e.at(2).text(2) for e in patch.each(13) if e.text(1) == "x-kubernetes-group-version-kind")
        assert decode(kind.encode()) == {"group": "", "version": "v1", "kind": "ConfigMap"}
        queries = [query.text(4) for query in patch.each(8, 1, 2, 3)]
        assert queries == ["dryRun", "fieldManager", "fieldValidation"]
        assert [body.text(2) for body in patch.each(8, 1, 1)] == ["body"]
        assert patch.at(9).at(1).text(1) == "200"

    serving(scenario, fields={"argoproj.io": fields})
