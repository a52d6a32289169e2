module k8s-platform/seal-probe

go 1.22
