package nodes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ClientOptions say how to reach the API server.
type ClientOptions struct {
	// Kubeconfig is a path; empty means the service account of the pod.
	Kubeconfig string
	// Endpoint is host:port of an API server and replaces the address of the Service
	// `kubernetes`, which answers only once kube-proxy has programmed it. Optional, and used
	// with the service account only.
	Endpoint string
}

// NewClient returns a client for the core/v1 group and the address it talks to.
func NewClient(options ClientOptions) (rest.Interface, string, error) {
	return NewGroupClient(options, "/api", corev1.SchemeGroupVersion, corev1.AddToScheme)
}

// NewGroupClient returns a client for one group and the address it talks to. Only the types of
// the groups asked for are linked in: the whole clientset would triple the program.
func NewGroupClient(options ClientOptions, path string, group schema.GroupVersion, addTypes func(*runtime.Scheme) error) (rest.Interface, string, error) {
	config, err := loadConfig(options)
	if err != nil {
		return nil, "", err
	}
	scheme := runtime.NewScheme()
	if err := addTypes(scheme); err != nil {
		return nil, "", fmt.Errorf("register %s: %w", group, err)
	}
	config.GroupVersion = &group
	config.APIPath = path
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.UserAgent = "node-network"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, "", fmt.Errorf("make API client for %s: %w", config.Host, err)
	}
	return client, config.Host, nil
}

func loadConfig(options ClientOptions) (*rest.Config, error) {
	if options.Kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", options.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("read kubeconfig %s: %w", options.Kubeconfig, err)
		}
		return config, nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("read the pod's service account (outside a cluster give --kubeconfig): %w", err)
	}
	if options.Endpoint != "" {
		config.Host = "https://" + options.Endpoint
	}
	return config, nil
}
