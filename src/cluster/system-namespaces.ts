/** Where a cluster's own workloads live; a namespace that is not there is no fault. */
export const systemNamespaces: readonly string[] = ['kube-system', 'local-path-storage']
