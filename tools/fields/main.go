// Prints the fields of the kinds of Argo Workflows, with their types, as the table that tiphys.workflow.spec.fields reads:
//
//	go run . > ../../src/tiphys/workflow/spec/data/fields.json
//
// One object a type: field name to type. A type is written as string, boolean, integer, int32, number, bytes, time, quantity,
// intorstring (a number or a text), scalar (a text, number or boolean), any, or the name of a type of the table; "[" before
// it is a list of it, "{" a map, and "!" after it says that the field must be there. What a status holds is left out: the
// controller writes it.
package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"

	argo "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

type fields map[string]string

type table map[string]fields

const argoPackage = "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

// Types that are not written as their Go structure says.
var special = map[string]string{
	argoPackage + ".CronWorkflowStatus":               "any",
	argoPackage + ".WorkflowStatus":                   "any",
	argoPackage + ".WorkflowTaskSetStatus":            "any",
	argoPackage + ".Amount":                           "number",
	argoPackage + ".AnyString":                        "scalar",
	argoPackage + ".Item":                             "any",
	argoPackage + ".Object":                           "any",
	argoPackage + ".ParallelSteps":                    "[WorkflowStep",
	argoPackage + ".Plugin":                           "any",
	"encoding/json.RawMessage":                        "any",
	"k8s.io/api/core/v1.PersistentVolumeClaimStatus":  "any",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":   "quantity",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":   "string",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":   "any",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":  "time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":       "time",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString": "intorstring",
}

// Fields that v4.1 has and v3.6 has not.
var later = table{
	"Backoff":                  {"cap": "string"},
	"ArtifactLocation":         {"plugin": "PluginArtifact"},
	"ArtifactRepository":       {"plugin": "PluginArtifactRepository"},
	"Mutex":                    {"database": "boolean"},
	"PluginArtifact":           {"name": "string", "configuration": "string", "connectionTimeoutSeconds": "int32", "key": "string!"},
	"PluginArtifactRepository": {"name": "string!", "keyFormat": "string", "configuration": "string!"},
	"SemaphoreRef":             {"database": "SyncDatabaseRef"},
	"SyncDatabaseRef":          {"key": "string!"},
	"Template":                 {"annotations": "{string", "pendingTimeout": "string", "podResources": "ResourceRequirements"},
	"WorkflowSpec":             {"podResources": "ResourceRequirements"},
}

// Fields that must be there by their Go tags, and need not be by Argo's own CRDs: the one container of a template has no
// name, a script may be all arguments; v4.1 has `schedules` only; a cache of memoized results needs no key.
var optional = map[string][]string{
	"ConfigMapKeySelector":      {"key"},
	"Container":                 {"name"},
	"CronWorkflowSpec":          {"schedule"},
	"GRPCAction":                {"service"},
	"ProjectedVolumeSource":     {"sources"},
	"ScriptTemplate":            {"name", "source"},
	"TypedLocalObjectReference": {"apiGroup"},
	"TypedObjectReference":      {"apiGroup"},
}

// The other way round: without it there is nothing to run.
var required = map[string]string{"WorkflowTemplateRef": "name"}

func main() {
	found := table{}
	for _, root := range []any{
		argo.Workflow{}, argo.WorkflowTemplate{}, argo.ClusterWorkflowTemplate{}, argo.CronWorkflow{},
		argo.WorkflowTaskResult{}, argo.WorkflowTaskSet{}, argo.WorkflowStep{},
	} {
		found.add(reflect.TypeOf(root))
	}
	found.addLater()
	for message, names := range optional {
		for _, field := range names {
			found[message][field] = strings.TrimSuffix(found[message][field], "!")
		}
	}
	for message, field := range required {
		found[message][field] += "!"
	}
	found.print()
}

// What Kubernetes' types are called of which Argo has one of the same name.
var renamed = map[string]string{"k8s.io/api/core/v1.HTTPHeader": "KubernetesHTTPHeader"}

var packageOf = map[string]string{}

// name of a structure in the table.
func name(t reflect.Type) string {
	short := t.Name()
	if other, clashes := renamed[t.PkgPath()+"."+short]; clashes {
		short = other
	}
	if owner, taken := packageOf[short]; taken && owner != t.PkgPath() {
		panic(short + " is a type of " + owner + " and of " + t.PkgPath())
	}
	packageOf[short] = t.PkgPath()
	return short
}

// add describes a structure, and those it is made of.
func (found table) add(t reflect.Type) {
	if _, done := found[name(t)]; done {
		return
	}
	found[name(t)] = fields{}
	found.describe(t, found[name(t)])
}

func (found table) describe(t reflect.Type, into fields) {
	for i := range t.NumField() {
		member := t.Field(i)
		tag, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		inner := member.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-" || !member.IsExported():
		case tag == "" && (member.Anonymous || strings.Contains(options, "inline")):
			found.describe(inner, into)
		case strings.Contains(options, "omitempty"):
			into[orElse(tag, member.Name)] = found.kind(member.Type)
		default:
			into[orElse(tag, member.Name)] = found.kind(member.Type) + "!"
		}
	}
}

func orElse(tag, other string) string {
	if tag != "" {
		return tag
	}
	return other
}

func (found table) kind(t reflect.Type) string {
	if code, known := special[t.PkgPath()+"."+t.Name()]; known {
		return code
	}
	switch t.Kind() {
	case reflect.Pointer:
		return found.kind(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + found.kind(t.Elem())
	case reflect.Map:
		return "{" + found.kind(t.Elem())
	case reflect.Struct:
		found.add(t)
		return name(t)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Int32:
		return "int32"
	case reflect.Int, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Interface:
		return "any"
	}
	panic("no rule for " + t.String())
}

// addLater completes the types of v3.6; a type that embeds a completed one gets the fields too.
func (found table) addLater() {
	for message, known := range found {
		if known["s3"] != "" && known["raw"] != "" {
			found[message]["plugin"] = later["ArtifactLocation"]["plugin"]
		}
	}
	for message, more := range later {
		if found[message] == nil {
			found[message] = fields{}
		}
		for field, kind := range more {
			found[message][field] = kind
		}
	}
}

func (found table) print() {
	names := make([]string, 0, len(found))
	for message := range found {
		names = append(names, message)
	}
	sort.Strings(names)
	for i, message := range names {
		line, err := json.Marshal(found[message])
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n%q:%s", map[bool]string{true: "{", false: ","}[i == 0], message, line)
	}
	fmt.Print("\n}\n")
}
