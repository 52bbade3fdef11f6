package clientgo

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func workflow(name string) *unstructured.Unstructured {
	main := map[string]any{
		"name":      "main",
		"container": map[string]any{"image": "python:3", "command": []any{"echo"}, "args": []any{"hi"}},
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1",
		"kind":       "Workflow",
		"metadata":   map[string]any{"name": name, "labels": map[string]any{"app": "x"}},
		"spec":       map[string]any{"entrypoint": "main", "templates": []any{main}},
	}}
}

func TestDynamicClientRunsAWorkflow(t *testing.T) {
	w := start(t)
	client := w.dynamic().Resource(workflows).Namespace(w.ns)
	_, err := client.Create(w.ctx, workflow("w"), metav1.CreateOptions{})
	w.must(err)
	w.until(workflows, func(object *unstructured.Unstructured) bool {
		phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		return phase == "Succeeded"
	})
	_, err = client.Patch(w.ctx, "w", types.MergePatchType, []byte(`{"metadata": {"labels": {"y": "z"}}}`), metav1.PatchOptions{})
	w.must(err)
	found, err := client.List(w.ctx, metav1.ListOptions{LabelSelector: "y in (z)"})
	w.must(err)
	w.equal(len(found.Items), 1)
	templates := schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflowtemplates"}
	template := workflow("t")
	template.SetKind("WorkflowTemplate")
	_, err = w.dynamic().Resource(templates).Namespace(w.ns).Apply(w.ctx, "t", template, metav1.ApplyOptions{FieldManager: "go"})
	w.must(err)
	foreground := metav1.DeletePropagationForeground
	w.must(client.Delete(w.ctx, "w", metav1.DeleteOptions{PropagationPolicy: &foreground}))
	w.must(client.DeleteCollection(w.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=x"}))
	_, err = w.dynamic().Resource(workflows.GroupVersion().WithResource("nopes")).Namespace(w.ns).List(w.ctx, metav1.ListOptions{})
	w.is(apierrors.IsNotFound, err)
}

// follow puts what an informer tells into a channel: "+a" added, "~a" changed, "=a" seen again, "-a" deleted.
func follow(w *world, informer cache.SharedIndexInformer) <-chan string {
	w.Helper()
	told := make(chan string, 1000)
	name := func(object any) string {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		w.must(err)
		return strings.TrimPrefix(key, w.ns+"/")
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { told <- "+" + name(object) },
		UpdateFunc: func(before, now any) {
			sign := "~"
			if before.(metav1.Object).GetResourceVersion() == now.(metav1.Object).GetResourceVersion() {
				sign = "="
			}
			told <- sign + name(now)
		},
		DeleteFunc: func(object any) { told <- "-" + name(object) },
	})
	w.must(err)
	return told
}

func await(w *world, told <-chan string, wanted string) {
	w.Helper()
	for next(w, told, wanted) != wanted {
	}
}

func TestInformersFollowResyncAndStreamTheirLists(t *testing.T) {
	w := start(t)
	client := w.typed()
	maps := client.CoreV1().ConfigMaps(w.ns)
	_, err := maps.Create(w.ctx, config("a", nil), create)
	w.must(err)
	factory := informers.NewSharedInformerFactoryWithOptions(client, time.Second, informers.WithNamespace(w.ns))
	informer := factory.Core().V1().ConfigMaps()
	told := follow(w, informer.Informer())
	ctx, stop := context.WithCancel(w.ctx)
	defer factory.Shutdown()
	defer stop()
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		w.equal(kind.String()+" "+map[bool]string{true: "synced", false: "not synced"}[synced], kind.String()+" synced")
	}
	await(w, told, "+a")
	_, err = maps.Patch(w.ctx, "a", types.MergePatchType, []byte(`{"data": {"k": "v"}}`), metav1.PatchOptions{})
	w.must(err)
	await(w, told, "~a")
	await(w, told, "=a")
	found, err := informer.Lister().ConfigMaps(w.ns).Get("a")
	w.must(err)
	w.equal(found.Data["k"], "v")
	w.must(maps.Delete(w.ctx, "a", remove))
	await(w, told, "-a")
	streamed, listed := false, false
	for _, one := range w.requests("/" + w.ns + "/configmaps") {
		streamed = streamed || strings.Contains(one.query, "sendInitialEvents=true")
		listed = listed || one.method == "GET" && !strings.Contains(one.query, "watch=true")
	}
	w.equal(streamed, true)
	w.equal(listed, false)
}

func TestDynamicAndMetadataInformersFollow(t *testing.T) {
	w := start(t)
	about, err := metadata.NewForConfig(w.config)
	w.must(err)
	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	whole := dynamicinformer.NewFilteredDynamicSharedInformerFactory(w.dynamic(), 0, w.ns, nil)
	heads := metadatainformer.NewFilteredSharedInformerFactory(about, 0, w.ns, nil)
	kinds := []schema.GroupVersionResource{workflows, corev1.SchemeGroupVersion.WithResource("configmaps")}
	channels := map[string]<-chan string{}
	for _, kind := range kinds {
		channels["whole "+kind.Resource] = follow(w, whole.ForResource(kind).Informer())
		channels["head of "+kind.Resource] = follow(w, heads.ForResource(kind).Informer())
	}
	whole.Start(ctx.Done())
	heads.Start(ctx.Done())
	_, err = w.dynamic().Resource(workflows).Namespace(w.ns).Create(w.ctx, workflow("w"), metav1.CreateOptions{})
	w.must(err)
	_, err = w.typed().CoreV1().ConfigMaps(w.ns).Create(w.ctx, config("w", nil), create)
	w.must(err)
	for _, told := range channels {
		await(w, told, "+w")
	}
	head, err := about.Resource(workflows).Namespace(w.ns).Get(w.ctx, "w", get)
	w.must(err)
	w.equal(head.Labels["app"], "x")
	listed, err := about.Resource(kinds[1]).Namespace(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=x"})
	w.must(err)
	w.equal(listed.Items[0].Name, "w")
}

func TestOneOfTwoLeads(t *testing.T) {
	w := start(t)
	leads := make(chan string, 10)
	elect := func(ctx context.Context, name string) {
		lock := &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: w.ns},
			Client:     w.typed().CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name},
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 100 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { leads <- name },
				OnStoppedLeading: func() {},
			},
		})
	}
	first, end := context.WithCancel(w.ctx)
	defer end()
	go elect(first, "one")
	w.equal(next(w, leads, "the first leader"), "one")
	second, stop := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() { elect(second, "two"); close(done) }()
	w.until(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, renewed("one"))
	w.equal(len(leads), 0)
	end()
	w.equal(next(w, leads, "the second leader"), "two")
	lease, err := w.typed().CoordinationV1().Leases(w.ns).Get(w.ctx, "leader", get)
	w.must(err)
	w.equal(*lease.Spec.HolderIdentity, "two")
	w.equal(*lease.Spec.LeaseTransitions, 1)
	stop()
	next(w, done, "the second to stop")
}

// renewed accepts a lease that its holder has renewed twice while it was looked at.
func renewed(holder string) func(*unstructured.Unstructured) bool {
	seen := map[string]bool{}
	return func(object *unstructured.Unstructured) bool {
		who, _, _ := unstructured.NestedString(object.Object, "spec", "holderIdentity")
		seen[object.GetResourceVersion()] = true
		return who == holder && len(seen) > 2
	}
}

func TestDiscoveryAndSchemas(t *testing.T) {
	w := start(t)
	client, err := discovery.NewDiscoveryClientForConfig(w.config)
	w.must(err)
	_, resources, err := client.ServerGroupsAndResources()
	w.must(err)
	count := 0
	for _, one := range resources {
		count += len(one.APIResources)
	}
	w.equal(count > 20, true)
	preferred, err := client.ServerPreferredNamespacedResources()
	w.must(err)
	w.equal(len(preferred) > 4, true)
	version, err := client.ServerVersion()
	w.must(err)
	w.equal(version.Major, "1")
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client))
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "external-secrets.io", Kind: "ExternalSecret"})
	w.must(err)
	w.equal(mapping.Resource.Version, "v1")
	old, err := client.OpenAPISchema()
	w.must(err)
	names := map[string]bool{}
	for _, one := range old.GetDefinitions().GetAdditionalProperties() {
		names[one.GetName()] = true
	}
	w.equal(names["io.k8s.api.core.v1.Pod"] && names["io.argoproj.v1alpha1.Workflow"], true)
	paths, err := client.OpenAPIV3().Paths()
	w.must(err)
	w.equal(len(paths) > 5, true)
	root := openapi3.NewRoot(client.OpenAPIV3())
	for path := range paths {
		group, err := schema.ParseGroupVersion(strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/"))
		w.must(err)
		spec, err := root.GVSpec(group)
		w.must(err)
		w.equal(len(spec.Components.Schemas) > 0, true)
	}
}
