// Package clientgo tries client-go, as programs use it, against the API server that KUBECONFIG names.
//
// Each test has a namespace of its own, and waits for what it waits for with the deadline of `within`.
package clientgo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const within = 30 * time.Second

var (
	workflows = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}
	accounts  = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
)

// A sent is a request, and how it was answered.
type sent struct{ method, path, query, accept, body, answer string }

// A world is a server, and a namespace there.
type world struct {
	*testing.T
	ctx    context.Context
	config *rest.Config
	ns     string
	mutex  sync.Mutex
	sent   []sent
}

func start(t *testing.T) *world {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	w := &world{T: t, config: config}
	w.must(err)
	config.QPS, config.Burst = 1000, 1000
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{w, next} })
	ctx, cancel := context.WithTimeout(context.Background(), within)
	w.ctx = ctx
	typed := w.typed()
	made, err := typed.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "go-"},
	}, metav1.CreateOptions{})
	w.must(err)
	w.ns = made.Name
	t.Cleanup(func() {
		cancel()
		typed.CoreV1().Namespaces().Delete(context.Background(), w.ns, metav1.DeleteOptions{})
	})
	w.until(accounts, func(object *unstructured.Unstructured) bool { return object.GetName() == "default" })
	return w
}

// A recorder keeps what was sent.
type recorder struct {
	world *world
	next  http.RoundTripper
}

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	seen := sent{
		request.Method, request.URL.Path, request.URL.RawQuery,
		request.Header.Get("Accept"), request.Header.Get("Content-Type"), "",
	}
	if err == nil {
		seen.answer = response.Header.Get("Content-Type")
	}
	r.world.mutex.Lock()
	defer r.world.mutex.Unlock()
	r.world.sent = append(r.world.sent, seen)
	return response, err
}

// requests are those sent so far whose path ends so.
func (w *world) requests(suffix string) (found []sent) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, one := range w.sent {
		if strings.HasSuffix(one.path, suffix) {
			found = append(found, one)
		}
	}
	return found
}

func (w *world) typed() *kubernetes.Clientset {
	w.Helper()
	client, err := kubernetes.NewForConfig(w.config)
	w.must(err)
	return client
}

func (w *world) dynamic() dynamic.Interface {
	w.Helper()
	client, err := dynamic.NewForConfig(w.config)
	w.must(err)
	return client
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%T: %v", err, err)
	}
}

func (w *world) equal(got, want any) {
	w.Helper()
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		w.Fatalf("got %s, want %s", a, b)
	}
}

func (w *world) contains(err error, part string) {
	w.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		w.Fatalf("%q is not in %v", part, err)
	}
}

func (w *world) is(kind func(error) bool, err error) {
	w.Helper()
	if !kind(err) {
		w.Fatalf("an error of another kind: %T: %v", err, err)
	}
}

// until watches a kind in the namespace until an object is as wanted.
func (w *world) until(kind schema.GroupVersionResource, wanted func(*unstructured.Unstructured) bool) {
	w.Helper()
	watch, err := w.dynamic().Resource(kind).Namespace(w.ns).Watch(w.ctx, metav1.ListOptions{})
	w.must(err)
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if object, ok := event.Object.(*unstructured.Unstructured); ok && wanted(object) {
			return
		}
	}
	w.Fatalf("no %s was as wanted", kind.Resource)
}

// next takes one from a channel.
func next[T any](w *world, channel <-chan T, what string) T {
	w.Helper()
	select {
	case one := <-channel:
		return one
	case <-w.ctx.Done():
		w.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func config(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "x"}}, Data: data}
}

func pod(name string, command ...string) *corev1.Pod {
	main := corev1.Container{Name: "main", Image: "python:3", Command: command}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{main}},
	}
}
