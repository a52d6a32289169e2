module github.com/org/k8s-platform/images/pause

go 1.24.0
