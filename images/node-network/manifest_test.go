package main

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// readManifest renders manifest.yaml as kind does and returns its documents by kind.
func readManifest(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range []string{"would you kindly template this file", "would you kindly patch this file"} {
		if !bytes.Contains(content, []byte(sentence)) {
			t.Errorf("the sentence %q that kind looks for is missing", sentence)
		}
	}
	parsed, err := template.New("manifest").Parse(string(content))
	if err != nil {
		t.Fatal(err)
	}
	var rendered strings.Builder
	if err := parsed.Execute(&rendered, struct{ PodSubnet string }{"10.244.0.0/16"}); err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, document := range strings.Split(rendered.String(), "\n---\n") {
		var meta struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &meta); err != nil {
			t.Fatal(err)
		}
		documents[meta.Kind] = document
	}
	return documents
}

func TestManifestFitsTheProgram(t *testing.T) {
	var set appsv1.DaemonSet
	if err := yaml.UnmarshalStrict([]byte(readManifest(t)["DaemonSet"]), &set); err != nil {
		t.Fatal(err)
	}
	pod := set.Spec.Template.Spec
	container := pod.Containers[0]

	// kind appends CONTROL_PLANE_ENDPOINT to the first container's environment.
	variables := map[string]string{"NODE_NAME": "kind-worker", "CONTROL_PLANE_ENDPOINT": "kind-control-plane:6443"}
	for _, variable := range container.Env {
		if variable.Value != "" {
			variables[variable.Name] = variable.Value
		}
	}
	got, err := parseSettings(container.Args, environment(variables), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, probe := range map[string]*corev1.Probe{"liveness": container.LivenessProbe, "readiness": container.ReadinessProbe} {
		if address := probe.HTTPGet.Host + ":" + probe.HTTPGet.Port.String(); address != got.listen {
			t.Errorf("the %s probe asks %s, the program listens on %s", name, address, got.listen)
		}
	}
	paths := map[string]string{}
	for _, volume := range pod.Volumes {
		paths[volume.Name] = volume.HostPath.Path
	}
	for i, directory := range []string{got.cniDirectory, got.runDirectory} {
		if mount := container.VolumeMounts[i]; mount.MountPath != directory || paths[mount.Name] != directory {
			t.Errorf("mounted is %s of the node at %s, the program uses %s", paths[mount.Name], mount.MountPath, directory)
		}
	}
	if !pod.HostNetwork || container.SecurityContext.Privileged != nil ||
		!slices.Equal(container.SecurityContext.Capabilities.Add, []corev1.Capability{"NET_ADMIN"}) {
		t.Error("the pod needs the node's network and NET_ADMIN, and nothing else")
	}
}

func TestManifestGrantsNoMoreThanIsFollowed(t *testing.T) {
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(readManifest(t)["ClusterRole"]), &role); err != nil {
		t.Fatal(err)
	}
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes", "pods", "namespaces"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: []string{"list", "watch"}},
	}
	if !reflect.DeepEqual(role.Rules, want) {
		t.Errorf("rules %+v, want %+v", role.Rules, want)
	}
}
