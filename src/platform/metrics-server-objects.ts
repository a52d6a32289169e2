import type { KubeObject } from '../kubernetes/objects.ts'

/** The version whose objects these are; image-source packages builds the same one. */
export const metricsServerVersion = '0.7.2'

const name = 'metrics-server'
const namespace = 'kube-system'
const labels = { 'k8s-app': name }

/**
 * What `manifests/base` of the Go module sigs.k8s.io/metrics-server v0.7.2 describes, written for throw-away clusters. Differences, each on purpose:
 * `--kubelet-insecure-tls`, because kubeadm gives kubelets certificates that nobody signed; metrics every 10 s, the shortest it takes, and a readiness probe
 * without its first 20 s of waiting, because somebody waits for us.
 */
export function metricsServerObjects(
  image = `registry.k8s.io/metrics-server/metrics-server:v${metricsServerVersion}`,
): KubeObject[] {
  const subject = { kind: 'ServiceAccount', name, namespace }
  const rbac = 'rbac.authorization.k8s.io/v1'
  const roleRef = (kind: string, role: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: role })
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels } },
    {
      apiVersion: rbac,
      kind: 'ClusterRole',
      metadata: {
        name: 'system:aggregated-metrics-reader',
        labels: {
          ...labels,
          'rbac.authorization.k8s.io/aggregate-to-view': 'true',
          'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
          'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
        },
      },
      rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: rbac,
      kind: 'ClusterRole',
      metadata: { name: 'system:metrics-server', labels },
      rules: [
        { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
        { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
      ],
    },
    {
      apiVersion: rbac,
      kind: 'RoleBinding',
      metadata: { name: 'metrics-server-auth-reader', namespace, labels },
      roleRef: roleRef('Role', 'extension-apiserver-authentication-reader'),
      subjects: [subject],
    },
    {
      apiVersion: rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'metrics-server:system:auth-delegator', labels },
      roleRef: roleRef('ClusterRole', 'system:auth-delegator'),
      subjects: [subject],
    },
    {
      apiVersion: rbac,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system:metrics-server', labels },
      roleRef: roleRef('ClusterRole', 'system:metrics-server'),
      subjects: [subject],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, labels },
      spec: { selector: labels, ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 'https' }] },
    },
    deployment(image),
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.k8s.io', labels },
      spec: {
        service: { name, namespace },
        group: 'metrics.k8s.io',
        version: 'v1beta1',
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    },
  ]
}

function deployment(image: string): KubeObject {
  const probe = (path: string): object => ({ httpGet: { path, port: 'https', scheme: 'HTTPS' }, failureThreshold: 3 })
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          priorityClassName: 'system-cluster-critical',
          nodeSelector: { 'kubernetes.io/os': 'linux' },
          volumes: [{ name: 'tmp-dir', emptyDir: {} }],
          containers: [
            {
              name,
              image,
              imagePullPolicy: 'IfNotPresent',
              args: [
                '--cert-dir=/tmp',
                '--secure-port=10250',
                '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
                '--kubelet-use-node-status-port',
                '--kubelet-insecure-tls',
                // Figures after two scrapes: 20 s instead of 30. It refuses to start unless a scrape must end before the next begins.
                '--metric-resolution=10s',
                '--kubelet-request-timeout=5s',
              ],
              ports: [{ name: 'https', containerPort: 10250, protocol: 'TCP' }],
              readinessProbe: { ...probe('/readyz'), periodSeconds: 2 },
              livenessProbe: { ...probe('/livez'), periodSeconds: 10 },
              resources: { requests: { cpu: '100m', memory: '200Mi' } },
              securityContext: {
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                runAsUser: 1000,
                allowPrivilegeEscalation: false,
                seccompProfile: { type: 'RuntimeDefault' },
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [{ name: 'tmp-dir', mountPath: '/tmp' }],
            },
          ],
        },
      },
    },
  }
}
