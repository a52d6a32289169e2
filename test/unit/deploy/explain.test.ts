import { describe, expect, it } from 'vitest'
import { type ClusterView, explain } from '../../../src/deploy/explain.ts'
import { type Finding, renderFinding } from '../../../src/deploy/finding.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'
import {
  container,
  deployment,
  pod,
  replicaSet,
  rolledOut,
  statefulSet,
  unavailable,
  warning,
} from './kube-fixtures.ts'

/** One Deployment `web` that is not available, with this pod. */
function viewOf(status: object, events: KubeObject[] = []): ClusterView {
  return {
    workloads: [deployment('web', unavailable)],
    replicaSets: [replicaSet('web')],
    pods: [pod('web-2-x', 'replicaset-web-2', status)],
    events,
  }
}

function only(findings: Finding[]): Finding {
  expect(findings).toHaveLength(1)
  return findings[0] as Finding
}

describe('explain', () => {
  it('has nothing to say of what has rolled out', () => {
    expect(explain({ ...viewOf(container({ running: {} })), workloads: [deployment('web', rolledOut)] })).toEqual([])
  })

  it('quotes why an image cannot be pulled, from the event when the back-off does not say', () => {
    const view = viewOf(
      container({
        waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "127.0.0.1:5001/shop/main:1"' },
      }),
      [
        warning('pod-web-2-x', 'Failed', 'Error: ImagePullBackOff', '2026-11-21T09:00:00Z'),
        warning(
          'pod-web-2-x',
          'Failed',
          'Failed to pull image "127.0.0.1:5001/shop/main:1": rpc error: code = NotFound desc = 127.0.0.1:5001/shop/main:1: not found',
        ),
      ],
    )
    const finding = only(explain(view))
    expect(renderFinding(finding)).toBe(
      'Deployment shop/web: pod web-2-x: ImagePullBackOff: image 127.0.0.1:5001/shop/main:1: Failed to pull image "127.0.0.1:5001/shop/main:1": rpc error: code = NotFound desc = 127.0.0.1:5001/shop/main:1: not found',
    )
    expect(finding.permanent).toBe(true)
  })

  it('gives up on an image that may not be pulled and is not there', () => {
    const message = 'Container image "shop/main:1" is not present with pull policy of Never'
    const finding = only(explain(viewOf(container({ waiting: { reason: 'ErrImageNeverPull', message } }))))
    expect(renderFinding(finding)).toContain(`ErrImageNeverPull: image 127.0.0.1:5001/shop/main:1: ${message}`)
    expect(finding.permanent).toBe(true)
  })

  it('says why a node put a pod out', () => {
    const message = 'The node was low on resource: memory.'
    const finding = only(explain(viewOf({ phase: 'Failed', reason: 'Evicted', message })))
    expect(renderFinding(finding)).toBe(`Deployment shop/web: pod web-2-x: Evicted: ${message}`)
  })

  it('takes a registry that does not answer for something that may pass', () => {
    const message = 'failed to pull and unpack image "x": failed to do request: dial tcp 10.0.0.1:443: i/o timeout'
    expect(only(explain(viewOf(container({ waiting: { reason: 'ErrImagePull', message } })))).permanent).toBe(false)
  })

  it('names exit code and restarts of a crash loop and points to the log before the restart', () => {
    const view = viewOf(
      container(
        { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s restarting failed container=main' } },
        { restartCount: 3, lastState: { terminated: { exitCode: 2, reason: 'Error' } } },
      ),
    )
    expect(only(explain(view))).toEqual({
      workload: 'Deployment shop/web',
      pod: 'web-2-x',
      reason: 'CrashLoopBackOff',
      message: 'container main exited with code 2, restarted 3 times',
      permanent: false,
      log: { namespace: 'shop', pod: 'web-2-x', container: 'main', previous: true },
    })
  })

  it('tells a crash for lack of memory from any other', () => {
    const lastState = { terminated: { exitCode: 137, reason: 'OOMKilled' } }
    const finding = only(
      explain(viewOf(container({ waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 1, lastState }))),
    )
    expect(finding.reason).toBe('OOMKilled')
    expect(finding.message).toBe('container main was killed for using more memory than its limit, restarted 1 time')
  })

  it('names the memory limit, also where the runtime did not see who killed it', () => {
    const limited = (terminated: object): string => {
      const view = viewOf(container({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated } }))
      const resources = { limits: { memory: '96Mi' } }
      const pods = view.pods.map((one) => ({ ...one, spec: { containers: [{ name: 'main', image: 'x', resources }] } }))
      return only(explain({ ...view, pods })).message
    }
    expect(limited({ exitCode: 137, reason: 'OOMKilled' })).toContain('more memory than its limit of 96Mi')
    expect(limited({ exitCode: 137, reason: 'Error' })).toContain('maybe for memory: its limit is 96Mi')
  })

  it('quotes the failing probe of a program that runs', () => {
    const view = viewOf(container({ running: { startedAt: '2026-11-21T10:00:00Z' } }, { started: true }), [
      warning('pod-web-2-x', 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503'),
    ])
    expect(only(explain(view)).message).toBe(
      'container main runs and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503',
    )
  })

  it("quotes the scheduler, and the provisioner's trouble with the claim", () => {
    const claim = {
      ...warning('claim', 'ProvisioningFailed', 'storageclass.storage.k8s.io "fast" not found'),
      involvedObject: { kind: 'PersistentVolumeClaim', name: 'data-db-0', uid: 'claim' },
    }
    const status = {
      phase: 'Pending',
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: 'pod has unbound immediate PersistentVolumeClaims',
        },
      ],
    }
    const view: ClusterView = {
      workloads: [statefulSet('db')],
      replicaSets: [],
      pods: [
        pod('db-0', 'statefulset-db', status, { volumes: [{ persistentVolumeClaim: { claimName: 'data-db-0' } }] }),
      ],
      events: [claim],
    }
    expect(renderFinding(only(explain(view)))).toBe(
      'StatefulSet shop/db: pod db-0: Unschedulable: pod has unbound immediate PersistentVolumeClaims; PersistentVolumeClaim data-db-0: storageclass.storage.k8s.io "fast" not found',
    )
  })

  it.each([
    [
      'QuotaExceeded',
      true,
      'pods "web-2-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4',
    ],
    [
      'PodSecurityViolation',
      true,
      'pods "web-2-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
    ],
    ['AdmissionRefused', true, 'admission webhook "policy.example.com" denied the request: no latest tags'],
    ['AdmissionRefused', false, 'Internal error occurred: failed calling webhook "x": connect: connection refused'],
  ])('tells a refusal by its message: %s', (reason, permanent, message) => {
    const conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }]
    const view = {
      workloads: [deployment('web', { conditions })],
      replicaSets: [replicaSet('web')],
      pods: [],
      events: [],
    }
    expect(only(explain(view))).toEqual({ workload: 'Deployment shop/web', reason, message, permanent })
  })

  it("finds a StatefulSet's refusal in its events, only while pods are missing", () => {
    const message =
      'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: violates PodSecurity "restricted:latest"'
    const events = [warning('statefulset-db', 'FailedCreate', message)]
    const view: ClusterView = { workloads: [statefulSet('db')], replicaSets: [], pods: [], events }
    expect(only(explain(view)).reason).toBe('PodSecurityViolation')
    const later = {
      ...view,
      pods: [pod('db-0', 'statefulset-db', container({ waiting: { reason: 'ContainerCreating' } }))],
    }
    expect(only(explain(later)).reason).toBe('Pending')
  })

  it('looks at pods of the newest revision only', () => {
    const view = viewOf(container({ waiting: { reason: 'ContainerCreating' } }))
    const old = pod('web-1-y', 'replicaset-web-1', container({ waiting: { reason: 'CrashLoopBackOff' } }))
    const findings = explain({
      ...view,
      replicaSets: [replicaSet('web', '1'), ...view.replicaSets],
      pods: [old, ...view.pods],
    })
    expect(findings.map((finding) => finding.pod)).toEqual(['web-2-x'])
  })

  it('puts the cause before its consequence: Postgres without an image before the worker that waits for it', () => {
    const view: ClusterView = {
      workloads: [deployment('worker', unavailable), statefulSet('postgres')],
      replicaSets: [replicaSet('worker')],
      pods: [
        pod('worker-2-x', 'replicaset-worker-2', container({ running: {} })),
        pod(
          'postgres-0',
          'statefulset-postgres',
          container({ waiting: { reason: 'ImagePullBackOff', message: 'x: not found' } }),
        ),
      ],
      events: [warning('pod-worker-2-x', 'Unhealthy', 'Readiness probe failed: 503')],
    }
    expect(explain(view).map((finding) => finding.workload)).toEqual([
      'StatefulSet shop/postgres',
      'Deployment shop/worker',
    ])
  })

  it('shows a volume that cannot be mounted', () => {
    const message = 'MountVolume.SetUp failed for volume "credentials" : secret "postgres-credentials" not found'
    const view = viewOf(container({ waiting: { reason: 'ContainerCreating' } }), [
      warning('pod-web-2-x', 'FailedMount', message),
    ])
    expect(only(explain(view))).toMatchObject({ reason: 'FailedMount', message })
  })
})
