package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/org/k8s-platform/images/node-network/internal/netnstest"
)

// putNamespace adds or changes a namespace, whose labels are given as name=value.
func (c *testCluster) putNamespace(name string, labels ...string) {
	c.api.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelMap(labels)}})
}

// putPod adds or changes a pod that is running.
func (c *testCluster) putPod(namespace, name, node, address string, labels ...string) {
	c.api.Put(runningPod(namespace, name, node, address, labels...))
}

func runningPod(namespace, name, node, address string, labels ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid-of-pod", Labels: labelMap(labels)}}
	pod.Spec.NodeName = node
	pod.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "echo", ContainerPort: 9000, Protocol: corev1.ProtocolUDP}}}}
	pod.Status.Phase = corev1.PodRunning
	if address != "" {
		pod.Status.PodIPs = []corev1.PodIP{{IP: address}}
	}
	return pod
}

// putPolicy adds or changes a policy, given its spec in YAML.
func (c *testCluster) putPolicy(namespace, name, spec string) {
	c.t.Helper()
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &policy.Spec); err != nil {
		c.t.Fatal(err)
	}
	c.api.Put(policy)
}

func labelMap(pairs []string) map[string]string {
	labels := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		labels[name] = value
	}
	return labels
}

// newPolicyCluster is a cluster with agents on both nodes and a second pod on node a.
func newPolicyCluster(t *testing.T) (c *testCluster, a, b *program, podC *netnstest.Namespace) {
	t.Helper()
	c = newCluster(t)
	podC = netnstest.AddPod(t, c.a, "10.244.1.6")
	netnstest.Echo(t, podC, "10.244.1.6")
	c.putNamespace("x", "team=red")
	c.putNamespace("y", "team=blue")
	c.putPod("x", "a", "a", "10.244.1.5", "app=a")
	c.putPod("y", "b", "b", "10.244.2.5", "app=b")
	c.putPod("x", "c", "a", "10.244.1.6", "app=c")
	c.serveAPI()
	a, b = start(t, c.a, "a", t.TempDir()), start(t, c.b, "b", t.TempDir())
	c.expectAll()
	return c, a, b, podC
}

func TestDeniedIsDroppedAndPoliciesAddUp(t *testing.T) {
	c, _, _, podC := newPolicyCluster(t)
	c.putPolicy("x", "deny-all", `{podSelector: {}, policyTypes: [Ingress, Egress]}`)
	c.expect("from another node", c.podB, "10.244.1.5", "")
	c.expect("to another node", c.podA, "10.244.2.5", "")
	c.expect("on the same node", podC, "10.244.1.5", "")
	c.expect("out of the cluster", c.podA, netnstest.OutsideAddress, "")
	c.expect("the node to its pod", c.a, "10.244.1.5", "10.244.1.1")

	c.putPolicy("x", "allow-y", `{podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}], ports: [{protocol: UDP, port: echo}]}]}`)
	c.expect("allowed by a second policy", c.podB, "10.244.1.5", "10.244.2.5")
	c.expect("still denied", podC, "10.244.1.5", "")
	c.putNamespace("y", "team=green")
	c.expect("after the namespace's label changed", c.podB, "10.244.1.5", "")

	c.api.Remove("networkpolicies", "x/deny-all")
	c.api.Remove("networkpolicies", "x/allow-y")
	c.expectAll()
}
