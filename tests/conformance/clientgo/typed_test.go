package clientgo

import (
	"encoding/json"
	"io"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/retry"
)

var (
	create, get, update = metav1.CreateOptions{}, metav1.GetOptions{}, metav1.UpdateOptions{}
	list, remove        = metav1.ListOptions{}, metav1.DeleteOptions{}
)

// every makes, reads, changes, lists, watches and deletes objects of the built-in kinds.
func every(w *world, client *kubernetes.Clientset) {
	w.Helper()
	core, access := client.CoreV1(), client.RbacV1()
	maps := core.ConfigMaps(w.ns)
	made, err := maps.Create(w.ctx, config("c", map[string]string{"a": "1"}), create)
	w.must(err)
	w.equal(made.Data, map[string]string{"a": "1"})
	made.BinaryData = map[string][]byte{"b": {0, 255}}
	made, err = maps.Update(w.ctx, made, update)
	w.must(err)
	w.equal(made.BinaryData["b"], []byte{0, 255})
	watch, err := maps.Watch(w.ctx, metav1.ListOptions{ResourceVersion: made.ResourceVersion})
	w.must(err)
	defer watch.Stop()
	secret, err := core.Secrets(w.ns).Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{"n": "m"}},
		StringData: map[string]string{"k": "v"},
	}, create)
	w.must(err)
	w.equal(string(secret.Data["k"]), "v")
	no := false
	_, err = core.ServiceAccounts(w.ns).Create(w.ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "sa"}, AutomountServiceAccountToken: &no,
	}, create)
	w.must(err)
	_, err = access.Roles(w.ns).Create(w.ctx, &rbac.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "r"},
		Rules:      []rbac.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}},
	}, create)
	w.must(err)
	_, err = access.RoleBindings(w.ns).Create(w.ctx, &rbac.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "rb"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "Role", Name: "r"},
		Subjects:   []rbac.Subject{{Kind: "ServiceAccount", Name: "sa", Namespace: w.ns}},
	}, create)
	w.must(err)
	holder, now := "me", metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC))
	lease, err := client.CoordinationV1().Leases(w.ns).Create(w.ctx, &coordination.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "l"},
		Spec:       coordination.LeaseSpec{HolderIdentity: &holder, RenewTime: &now},
	}, create)
	w.must(err)
	w.equal(lease.Spec.RenewTime.UTC(), now.UTC())
	_, err = core.Events(w.ns).Create(w.ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "e"},
		InvolvedObject: corev1.ObjectReference{Kind: "ConfigMap", Name: "c", Namespace: w.ns},
		Reason:         "Tried", FirstTimestamp: metav1.Now(),
	}, create)
	w.must(err)
	ran, err := core.Pods(w.ns).Create(w.ctx, pod("p", "sh", "-c", "echo hi"), create)
	w.must(err)
	w.equal(ran.Spec.ServiceAccountName, "default")
	w.must(maps.Delete(w.ctx, "c", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(made.UID))}))
	w.equal(next(w, watch.ResultChan(), "the deletion").Type, "DELETED")
	found, err := access.Roles(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "!x", FieldSelector: "metadata.name=r"})
	w.must(err)
	w.equal(found.Items[0].Rules[0].Verbs, []string{"get"})
	w.must(core.Secrets(w.ns).DeleteCollection(w.ctx, remove, list))
	left, err := core.Secrets(w.ns).List(w.ctx, list)
	w.must(err)
	w.equal(len(left.Items), 0)
}

func TestTypedClientsAsTheyAre(t *testing.T) {
	w := start(t)
	every(w, w.typed())
}

func TestTypedClientsThatSendProtobuf(t *testing.T) {
	w := start(t)
	w.config.ContentType = runtime.ContentTypeProtobuf
	w.config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	every(w, w.typed())
	for _, one := range w.requests("/configmaps") {
		if one.method == "POST" {
			w.equal(one.body, runtime.ContentTypeProtobuf)
		}
	}
}

func TestTypedClientsThatAreSetToProtobufAndTakeAnything(t *testing.T) {
	w := start(t)
	w.config.ContentType = runtime.ContentTypeProtobuf
	every(w, w.typed())
}

func TestWhoTakesOnlyProtobufIsToldWhatThereIs(t *testing.T) {
	w := start(t)
	w.config.AcceptContentTypes = runtime.ContentTypeProtobuf
	_, err := w.typed().CoreV1().ConfigMaps(w.ns).List(w.ctx, list)
	w.is(apierrors.IsNotAcceptable, err)
	w.contains(err, "application/json")
}

func TestTypedClientsThatSendJSON(t *testing.T) {
	w := start(t)
	w.config.ContentType, w.config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	every(w, w.typed())
}

func TestErrorsAreOfTheKindsProgramsAskFor(t *testing.T) {
	w := start(t)
	maps := w.typed().CoreV1().ConfigMaps(w.ns)
	made, err := maps.Create(w.ctx, config("c", nil), create)
	w.must(err)
	_, err = maps.Create(w.ctx, config("c", nil), create)
	w.is(apierrors.IsAlreadyExists, err)
	_, err = maps.Get(w.ctx, "nope", get)
	w.is(apierrors.IsNotFound, err)
	_, err = maps.Create(w.ctx, config("Not Valid", nil), create)
	w.is(apierrors.IsInvalid, err)
	stale := made.DeepCopy()
	made.Data = map[string]string{"a": "1"}
	_, err = maps.Update(w.ctx, made, update)
	w.must(err)
	_, err = maps.Update(w.ctx, stale, update)
	w.is(apierrors.IsConflict, err)
	_, err = maps.List(w.ctx, metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: "Exact"})
	if err != nil {
		w.equal(apierrors.IsResourceExpired(err) || apierrors.IsGone(err), true)
	}
	other := rest.CopyConfig(w.config)
	other.Impersonate = rest.ImpersonationConfig{UserName: "joe"}
	joe, err := kubernetes.NewForConfig(other)
	w.must(err)
	_, err = joe.CoreV1().Secrets(w.ns).List(w.ctx, list)
	w.is(apierrors.IsForbidden, err)
	other = rest.CopyConfig(w.config)
	other.BearerToken = "nonsense"
	nobody, err := kubernetes.NewForConfig(other)
	w.must(err)
	_, err = nobody.CoreV1().Secrets(w.ns).List(w.ctx, list)
	w.is(apierrors.IsUnauthorized, err)
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		fresh, err := maps.Get(w.ctx, "c", get)
		w.must(err)
		fresh.Data = map[string]string{"b": "2"}
		_, err = maps.Update(w.ctx, fresh, update)
		return err
	}))
}

func TestWhatIsNotServedIsSaid(t *testing.T) {
	w := start(t)
	client := w.typed()
	_, err := client.CoreV1().Pods(w.ns).Create(w.ctx, pod("p", "sleep", "60"), create)
	w.must(err)
	err = client.PolicyV1().Evictions(w.ns).Evict(w.ctx, &policy.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: w.ns},
	})
	w.is(apierrors.IsNotFound, err)
	w.contains(err, "/pods/p/eviction is not served")
	_, err = client.AppsV1().Deployments(w.ns).List(w.ctx, list)
	w.is(apierrors.IsNotFound, err)
	_, err = client.CoreV1().Services(w.ns).Create(w.ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"}}, create)
	w.is(apierrors.IsMethodNotSupported, err)
	run := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(w.ns).Name("p").SubResource("exec")
	url := run.VersionedParams(&corev1.PodExecOptions{Command: []string{"ls"}, Stdout: true}, scheme.ParameterCodec).URL()
	executor, err := remotecommand.NewSPDYExecutor(w.config, "POST", url)
	w.must(err)
	err = executor.StreamWithContext(w.ctx, remotecommand.StreamOptions{Stdout: io.Discard})
	w.contains(err, "/pods/p/exec is not served")
}

func TestServerSideApply(t *testing.T) {
	w := start(t)
	maps := w.typed().CoreV1().ConfigMaps(w.ns)
	apply := func(manager string, force bool, data map[string]string) (*corev1.ConfigMap, error) {
		wanted := coreapply.ConfigMap("c", w.ns).WithLabels(map[string]string{"by": manager}).WithData(data)
		return maps.Apply(w.ctx, wanted, metav1.ApplyOptions{FieldManager: manager, Force: force})
	}
	_, err := apply("one", false, map[string]string{"a": "1", "b": "2"})
	w.must(err)
	made, err := apply("one", false, map[string]string{"a": "1"})
	w.must(err)
	w.equal(made.Data, map[string]string{"a": "1"})
	_, err = apply("two", false, map[string]string{"a": "3"})
	w.is(apierrors.IsConflict, err)
	made, err = apply("two", true, map[string]string{"a": "3"})
	w.must(err)
	w.equal(made.Labels["by"], "two")
	mine, err := coreapply.ExtractConfigMap(made, "two")
	w.must(err)
	w.equal(mine.Data, map[string]string{"a": "3"})
}

func TestPatches(t *testing.T) {
	w := start(t)
	client := w.typed()
	maps := client.CoreV1().ConfigMaps(w.ns)
	_, err := maps.Create(w.ctx, config("c", nil), create)
	w.must(err)
	for kind, patch := range map[types.PatchType]string{
		types.JSONPatchType:           `[{"op": "add", "path": "/metadata/labels/j", "value": "1"}]`,
		types.MergePatchType:          `{"metadata": {"labels": {"m": "1"}}}`,
		types.StrategicMergePatchType: `{"metadata": {"labels": {"s": "1"}}}`,
	} {
		_, err = maps.Patch(w.ctx, "c", kind, []byte(patch), metav1.PatchOptions{})
		w.must(err)
	}
	made, err := maps.Get(w.ctx, "c", get)
	w.must(err)
	w.equal(made.Labels, map[string]string{"app": "x", "j": "1", "m": "1", "s": "1"})
	_, err = client.CoreV1().Pods(w.ns).Create(w.ctx, pod("p", "true"), create)
	w.must(err)
	image := `{"spec": {"containers": [{"name": "main", "image": "python:3.11"}]}}`
	patched, err := client.CoreV1().Pods(w.ns).Patch(w.ctx, "p", types.StrategicMergePatchType, []byte(image), metav1.PatchOptions{})
	w.must(err)
	w.equal(len(patched.Spec.Containers[0].Command), 1)
}

func TestTokensAndReviews(t *testing.T) {
	w := start(t)
	client := w.typed()
	seconds := int64(1200)
	asked, err := client.CoreV1().ServiceAccounts(w.ns).CreateToken(w.ctx, "default", &authn.TokenRequest{
		Spec: authn.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, create)
	w.must(err)
	who := "system:serviceaccount:" + w.ns + ":default"
	review, err := client.AuthenticationV1().TokenReviews().Create(w.ctx, &authn.TokenReview{
		Spec: authn.TokenReviewSpec{Token: asked.Status.Token},
	}, create)
	w.must(err)
	w.equal(review.Status.User.Username, who)
	other := rest.AnonymousClientConfig(w.config)
	other.BearerToken = asked.Status.Token
	account, err := kubernetes.NewForConfig(other)
	w.must(err)
	me, err := account.AuthenticationV1().SelfSubjectReviews().Create(w.ctx, &authn.SelfSubjectReview{}, create)
	w.must(err)
	w.equal(me.Status.UserInfo.Username, who)
	may, err := account.AuthorizationV1().SelfSubjectAccessReviews().Create(w.ctx, &authz.SelfSubjectAccessReview{
		Spec: authz.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authz.ResourceAttributes{Namespace: w.ns, Verb: "get", Resource: "pods"},
		},
	}, create)
	w.must(err)
	w.equal(may.Status.Allowed, false)
	rules, err := account.AuthorizationV1().SelfSubjectRulesReviews().Create(w.ctx, &authz.SelfSubjectRulesReview{
		Spec: authz.SelfSubjectRulesReviewSpec{Namespace: w.ns},
	}, create)
	w.must(err)
	w.equal(len(rules.Status.ResourceRules) > 0, true)
	told, err := client.AuthorizationV1().SubjectAccessReviews().Create(w.ctx, &authz.SubjectAccessReview{
		Spec: authz.SubjectAccessReviewSpec{
			User: "root", Groups: []string{"system:masters"},
			NonResourceAttributes: &authz.NonResourceAttributes{Path: "/x", Verb: "get"},
		},
	}, create)
	w.must(err)
	w.equal(told.Status.Allowed, true)
}

func TestAPodIsRunAndItsLogFollowed(t *testing.T) {
	w := start(t)
	pods := w.typed().CoreV1().Pods(w.ns)
	_, err := pods.Create(w.ctx, pod("p", "sh", "-c", "echo one; echo two"), create)
	w.must(err)
	kind := corev1.SchemeGroupVersion.WithResource("pods")
	w.until(kind, func(object *unstructured.Unstructured) bool {
		phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		return phase == "Succeeded"
	})
	stream, err := pods.GetLogs("p", &corev1.PodLogOptions{Follow: true, Container: "main"}).Stream(w.ctx)
	w.must(err)
	defer stream.Close()
	text, err := io.ReadAll(stream)
	w.must(err)
	w.equal(string(text), "one\ntwo\n")
	ran, err := pods.Get(w.ctx, "p", get)
	w.must(err)
	w.equal(ran.Status.ContainerStatuses[0].State.Terminated.ExitCode, 0)
	zero := int64(0)
	w.must(pods.Delete(w.ctx, "p", metav1.DeleteOptions{GracePeriodSeconds: &zero}))
}

func TestLongListsComeInPages(t *testing.T) {
	w := start(t)
	maps := w.typed().CoreV1().ConfigMaps(w.ns)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, err := maps.Create(w.ctx, config(name, nil), create)
		w.must(err)
	}
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return maps.List(w.ctx, options)
	}))
	pages.PageSize = 2
	names := ""
	w.must(pages.EachListItem(w.ctx, metav1.ListOptions{LabelSelector: "app=x"}, func(object runtime.Object) error {
		names += object.(*corev1.ConfigMap).Name
		return nil
	}))
	w.equal(names, "abcde")
}

func TestARecorderOfEventsCountsThem(t *testing.T) {
	w := start(t)
	client := w.typed()
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: client.CoreV1().Events(w.ns)})
	about, err := client.CoreV1().ConfigMaps(w.ns).Create(w.ctx, config("c", nil), create)
	w.must(err)
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "test"})
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Tried", "again")
	}
	w.until(corev1.SchemeGroupVersion.WithResource("events"), func(object *unstructured.Unstructured) bool {
		text, err := json.Marshal(object.Object["count"])
		return err == nil && string(text) == "3"
	})
}
