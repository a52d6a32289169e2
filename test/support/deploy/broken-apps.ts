import type { KubeObject } from '../../../src/kubernetes/objects.ts'

/** An app that cannot become ready, and what its deployment must say. Stated before anything runs. */
export interface BrokenApp {
  readonly objects: readonly object[]
  /** Labels of its namespace. */
  readonly labels?: Readonly<Record<string, string>>
  /** The message after its beginning, which `early` decides. */
  readonly says: RegExp
  /** Given up before the deadline, as waiting cannot help. */
  readonly early: boolean
}

/** The deadline; what is given up early stands for 20 s first, unless it is certain. */
export const brokenMs = 40_000

const image = 'docker.io/library/node:24-bookworm-slim'
const metadata = { name: 'web' }
const labels = { app: 'web' }

function container(more: object = {}): object {
  return { name: 'web', image, command: ['node', '-e', 'setInterval(() => {}, 1000)'], ...more }
}

function deployment(pod: object, spec: object = {}): object {
  // A second of grace: what a drill leaves is gone at once.
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, ...pod } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { selector: { matchLabels: labels }, template, ...spec },
  }
}

const probe = { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 1 }
const busy = 'require("http").createServer((q, r) => { r.statusCode = 503; r.end("no database") }).listen(8080)'
const node = (program: string): object => ({ command: ['node', '-e', program] })

export const brokenApps = {
  'image that does not exist': {
    objects: [deployment({ containers: [container({ image: 'docker.io/library/node:no-such-tag' })] })],
    says: /Deployment .*\/web: pod web-\S+: (ErrImagePull|ImagePullBackOff): image docker\.io\/library\/node:no-such-tag: .*not found/,
    early: true,
  },
  'image name that is none': {
    objects: [deployment({ containers: [container({ image: 'Docker.io/Library/Node' })] })],
    says: /Deployment .*\/web: pod web-\S+: InvalidImageName: image Docker\.io\/Library\/Node: .*invalid reference format/,
    early: true,
  },
  'program that ends': {
    objects: [
      deployment({ containers: [container(node('console.error("fatal: DB_URL is not set"); process.exit(3)'))] }),
    ],
    says: /Deployment .*\/web: pod web-\S+: (CrashLoopBackOff|Error): container web exited with code 3.*; its log: fatal: DB_URL is not set$/,
    early: false,
  },
  'program that needs more memory than its limit': {
    objects: [
      deployment({
        containers: [
          container({
            ...node('const a = []; setInterval(() => a.push(Buffer.alloc(16e6, 1)), 20)'),
            resources: { limits: { memory: '96Mi' } },
          }),
        ],
      }),
    ],
    says: /Deployment .*\/web: pod web-\S+: (OOMKilled: container web .*was killed for using more memory than its limit of 96Mi|\w+: container web .*was killed from outside \(exit code 137\), maybe for memory: its limit is 96Mi)/,
    early: false,
  },
  'pod that fits no node': {
    objects: [deployment({ containers: [container({ resources: { requests: { cpu: '500' } } })] })],
    says: /Deployment .*\/web: pod web-\S+: Unschedulable: 0\/\d+ nodes are available: .*Insufficient cpu/,
    early: false,
  },
  'claim of a class that is not there': {
    objects: [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { storageClassName: 'fast', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      },
      deployment({
        containers: [container()],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      }),
    ],
    says: /.*storageclass\.storage\.k8s\.io "fast" not found/,
    early: false,
  },
  'quota used up': {
    objects: [
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small' }, spec: { hard: { pods: '0' } } },
      deployment({ containers: [container()] }),
    ],
    says: /Deployment .*\/web: QuotaExceeded: .*exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0/,
    early: true,
  },
  'pod that Pod Security refuses': {
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    objects: [deployment({ containers: [container({ securityContext: { privileged: true } })] })],
    says: /Deployment .*\/web: PodSecurityViolation: .*violates PodSecurity "restricted:latest": .*privileged/,
    early: true,
  },
  'ConfigMap that is missing': {
    objects: [deployment({ containers: [container({ envFrom: [{ configMapRef: { name: 'settings' } }] })] })],
    says: /Deployment .*\/web: pod web-\S+: CreateContainerConfigError: container web: configmap "settings" not found/,
    early: false,
  },
  'Secret volume that is missing': {
    objects: [
      deployment({
        containers: [container({ volumeMounts: [{ name: 'key', mountPath: '/key' }] })],
        volumes: [{ name: 'key', secret: { secretName: 'key' } }],
      }),
    ],
    says: /Deployment .*\/web: pod web-\S+: FailedMount: MountVolume\.SetUp failed for volume "key" : secret "key" not found/,
    early: false,
  },
  'readiness probe that fails': {
    objects: [deployment({ containers: [container({ ...node(busy), readinessProbe: probe })] })],
    says: /Deployment .*\/web: pod web-\S+: Unhealthy: container web runs and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503/,
    early: false,
  },
  'rollout past its progress deadline': {
    objects: [
      deployment({ containers: [container({ ...node(busy), readinessProbe: probe })] }, { progressDeadlineSeconds: 5 }),
    ],
    says: /Deployment .*\/web: pod web-\S+: Unhealthy: .*statuscode: 503; ReplicaSet "web-\S+" has timed out progressing/,
    early: true,
  },
  'Job that fails': {
    objects: [
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'migrate' },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [container(node('console.log("error: no table votes"); process.exit(4)'))],
            },
          },
        },
      },
    ],
    says: /Job .*\/migrate: pod migrate-\S+: Error: container web exited with code 4; failed: Job has reached the specified backoff limit; its log: error: no table votes$/,
    early: true,
  },
  'Deployment that is paused': {
    objects: [deployment({ containers: [container()] }, { paused: true })],
    says: /Deployment .*\/web: Paused: is paused/,
    early: true,
  },
  'load balancer that nobody provides': {
    objects: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: labels },
      },
    ],
    says: /Service .*\/web: NoAddress: has no address from a load balancer$/,
    early: false,
  },
  'StatefulSet whose first pod never is ready': {
    objects: [
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata,
        spec: {
          replicas: 2,
          serviceName: 'web',
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              terminationGracePeriodSeconds: 1,
              containers: [container({ ...node(busy), readinessProbe: { ...probe, httpGet: { path: '/', port: 9 } } })],
            },
          },
        },
      },
    ],
    says: /StatefulSet .*\/web: pod web-0: Unhealthy: .*Readiness probe failed: .*connection refused/,
    early: false,
  },
  'policy that refuses the pod': {
    labels: { 'kp-drill': 'policy' },
    objects: [deployment({ containers: [container()] })],
    says: /Deployment .*\/web: AdmissionRefused: .*ValidatingAdmissionPolicy 'kp-drill' .*denied request: pods need an owner label/,
    early: true,
  },
} as const satisfies Record<string, BrokenApp>

export type BrokenName = keyof typeof brokenApps

/** What the sample in e2e runs; the nightly matrix runs all. */
export const sample: readonly BrokenName[] = [
  'image that does not exist',
  'program that ends',
  'program that needs more memory than its limit',
  'pod that fits no node',
  'quota used up',
  'pod that Pod Security refuses',
  'readiness probe that fails',
  'Job that fails',
]

/** Objects of the cluster that a drill needs beside its own namespace. */
export const policyObjects: readonly KubeObject[] = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'kp-drill' },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
      },
      validations: [{ expression: 'has(object.metadata.labels.owner)', message: 'pods need an owner label' }],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'kp-drill' },
    spec: {
      policyName: 'kp-drill',
      validationActions: ['Deny'],
      matchResources: { namespaceSelector: { matchLabels: { 'kp-drill': 'policy' } } },
    },
  },
]
