module k8s-platform/capless-runtime

go 1.22
