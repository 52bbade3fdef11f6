// Prints the fields of the types of Argo Workflows or External Secrets as the table that the API server reads:
//
//	go run . argo > ../../src/tiphys/kube/server/data/argo.json
//	go run . external-secrets > ../../src/tiphys/kube/server/data/external-secrets.json
//
// A message is a list of [0, JSON name, type, flags], as in kubernetes.json (which has numbers, as its messages travel
// as protobuf too). Types: s string, b bool, i integer, f float, @x special, else a message. Flags: o may be left out,
// p pointer, r list, m map.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	argo "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	esov1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	esov1beta1 "github.com/external-secrets/external-secrets/apis/externalsecrets/v1beta1"
)

type field [4]any

type table map[string][]field

// Where the packages' names come from: their import path, and what their messages are called in the table.
var packages = map[string]string{
	"github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1":           "argo/v1alpha1",
	"github.com/external-secrets/external-secrets/apis/externalsecrets/v1":      "external-secrets/v1",
	"github.com/external-secrets/external-secrets/apis/externalsecrets/v1beta1": "external-secrets/v1beta1",
	"github.com/external-secrets/external-secrets/apis/meta/v1":                 "external-secrets-meta/v1",
	"k8s.io/api/core/v1":                                                        "core/v1",
	"k8s.io/api/policy/v1":                                                      "policy/v1",
	"k8s.io/apimachinery/pkg/apis/meta/v1":                                      "meta/v1",
}

// Types that are not written as their Go structure says.
var special = map[string]string{
	"argo/v1alpha1.Amount":        "f",
	"argo/v1alpha1.AnyString":     "@anystring",
	"argo/v1alpha1.Item":          "@any",
	"argo/v1alpha1.Object":        "@any",
	"argo/v1alpha1.Plugin":        "@any",
	"argo/v1alpha1.ParallelSteps": "@parallelsteps",
	"meta/v1.Duration":            "@duration",
	"meta/v1.FieldsV1":            "@raw",
	"meta/v1.MicroTime":           "@microtime",
	"meta/v1.Time":                "@time",
}

// Fields of Argo Workflows that v3.6 does not have and v4.1 has.
var later = table{
	"argo/v1alpha1.ArtifactLocation":   {{0, "plugin", "argo/v1alpha1.PluginArtifact", "op"}},
	"argo/v1alpha1.ArtifactRepository": {{0, "plugin", "argo/v1alpha1.PluginArtifactRepository", "op"}},
	"argo/v1alpha1.PluginArtifact": {
		{0, "name", "s", "o"}, {0, "configuration", "s", "o"}, {0, "connectionTimeoutSeconds", "i", "o"}, {0, "key", "s", ""},
	},
	"argo/v1alpha1.PluginArtifactRepository": {
		{0, "name", "s", ""}, {0, "keyFormat", "s", "o"}, {0, "configuration", "s", ""},
	},
	"argo/v1alpha1.Mutex":           {{0, "database", "b", "o"}},
	"argo/v1alpha1.SemaphoreRef":    {{0, "database", "argo/v1alpha1.SyncDatabaseRef", "op"}},
	"argo/v1alpha1.SyncDatabaseRef": {{0, "key", "s", ""}},
	"argo/v1alpha1.NodeStatus":      {{0, "failedPodRestarts", "i", "o"}, {0, "restartingPodUID", "s", "o"}},
	"argo/v1alpha1.Template":        {{0, "annotations", "s", "om"}, {0, "pendingTimeout", "s", "o"}},
}

func main() {
	roots := map[string][]any{
		"argo": {
			argo.Workflow{}, argo.WorkflowTemplate{}, argo.ClusterWorkflowTemplate{}, argo.CronWorkflow{},
			argo.WorkflowTaskResult{}, argo.WorkflowTaskSet{},
		},
		"external-secrets": {
			esov1.ExternalSecret{}, esov1.SecretStore{}, esov1.ClusterSecretStore{},
			esov1beta1.ExternalSecret{}, esov1beta1.SecretStore{}, esov1beta1.ClusterSecretStore{},
		},
	}
	if len(os.Args) != 2 || roots[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go run . argo|external-secrets")
		os.Exit(1)
	}
	found := table{}
	for _, root := range roots[os.Args[1]] {
		found.add(reflect.TypeOf(root))
	}
	if os.Args[1] == "argo" {
		found.addLater()
	}
	found.print()
}

func name(t reflect.Type) string {
	if short, known := packages[t.PkgPath()]; known {
		return short + "." + t.Name()
	}
	return t.PkgPath() + "." + t.Name()
}

// add describes a structure, and those it is made of that are not Kubernetes' own.
func (found table) add(t reflect.Type) {
	if _, done := found[name(t)]; done {
		return
	}
	found[name(t)] = []field{}
	found[name(t)] = found.fields(t)
}

func (found table) fields(t reflect.Type) []field {
	described := []field{}
	for i := range t.NumField() {
		member := t.Field(i)
		tag, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		inner := member.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-" || !member.IsExported():
		case tag == "" && inner.Kind() == reflect.Struct && name(inner) == "meta/v1.TypeMeta":
		case tag == "" && (member.Anonymous || strings.Contains(options, "inline")):
			described = append(described, found.fields(inner)...)
		default:
			if tag == "" {
				tag = member.Name
			}
			kind, flags := found.kind(member.Type)
			if strings.Contains(options, "omitempty") {
				flags = "o" + flags
			}
			described = append(described, field{0, tag, kind, flags})
		}
	}
	return described
}

// kind gives the type of a field, and the flags that its Go type implies.
func (found table) kind(t reflect.Type) (string, string) {
	if code, known := special[name(t)]; known {
		return code, ""
	}
	switch name(t) {
	case "k8s.io/apimachinery/pkg/api/resource.Quantity":
		return "@quantity", ""
	case "k8s.io/apimachinery/pkg/util/intstr.IntOrString":
		return "@intorstr", ""
	case "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON", "encoding/json.RawMessage":
		return "@any", ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		kind, flags := found.kind(t.Elem())
		return kind, flags + "p"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "B", ""
		}
		return element(found.kind(t.Elem()))("r")
	case reflect.Map:
		return element(found.kind(t.Elem()))("m")
	case reflect.Struct:
		if !strings.HasPrefix(t.PkgPath(), "k8s.io/") {
			found.add(t)
		}
		return name(t), ""
	case reflect.String:
		return "s", ""
	case reflect.Bool:
		return "b", ""
	case reflect.Float32, reflect.Float64:
		return "f", ""
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return "i", ""
	case reflect.Interface:
		return "@any", ""
	}
	panic("no rule for " + t.String())
}

// element makes a list or a map of a type; a list or map of lists or maps has no flag of its own and is not checked.
func element(kind, flags string) func(string) (string, string) {
	return func(outer string) (string, string) {
		if strings.ContainsAny(flags, "rm") {
			return "@any", outer
		}
		return kind, outer
	}
}

// addLater completes the messages of v3.6; a message that embeds a completed one gets the fields too.
func (found table) addLater() {
	location := later["argo/v1alpha1.ArtifactLocation"]
	for message, fields := range found {
		if has(fields, "s3") && has(fields, "raw") {
			found[message] = append(fields, location...)
		}
	}
	for message, fields := range later {
		for _, one := range fields {
			if !has(found[message], one[1].(string)) {
				found[message] = append(found[message], one)
			}
		}
	}
}

func has(fields []field, name string) bool {
	for _, one := range fields {
		if one[1] == name {
			return true
		}
	}
	return false
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
		start, end := ",", ""
		if i == 0 {
			start = "{"
		}
		if i == len(names)-1 {
			end = "\n}"
		}
		fmt.Printf("%s\n%q: %s%s", start, message, line, end)
	}
	fmt.Println()
}
