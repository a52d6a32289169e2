import { performance } from 'node:perf_hooks'
import type { KubeObject, ObjectRef } from '../../../src/kubernetes/objects.ts'
import { refOf } from '../../../src/kubernetes/objects.ts'
import { type CasePolicy, differences, expectedVerdicts, type PolicyCase, type Verdict } from './expectation.ts'
import { namespaces } from './fixture.ts'
import type { PolicyLab } from './lab.ts'

/** How long what is seen may differ from what is expected. Far more than the agent needs: the figure is recorded. */
const convergeMs = 20_000
const goneMs = 60_000
/** How long a dropped dial is waited for. The look that confirms waits longer: nothing that is let through may be missed for a busy machine. */
const dialMs = 800
const confirmDialMs = 1_600

export interface Outcome {
  /** From the API's answer to the beginning of the first look that was as expected. */
  readonly settledMs: number
  /** What was still different at the end; empty when it held. */
  readonly wrong: readonly string[]
}

/** Applies a case's policies, looks until all is as expected and then once more, and removes the policies, whatever was seen. */
export async function playCase(lab: PolicyLab, policyCase: PolicyCase): Promise<Outcome> {
  const objects = policyCase.policies.map((policy, i) => networkPolicy(lab, policy, `case-${i}`))
  try {
    await Promise.all(objects.map((object) => lab.kubernetes.apply(object)))
    return await settle(lab, expectedVerdicts(policyCase.expected))
  } finally {
    await deleteAll(lab, objects.map(refOf))
  }
}

/** Without policies everything must be reached: else a time-out would prove nothing. */
export function positiveControl(lab: PolicyLab): Promise<Outcome> {
  return settle(lab, expectedVerdicts([]))
}

async function settle(lab: PolicyLab, expected: ReadonlyMap<string, Verdict>): Promise<Outcome> {
  const started = performance.now()
  for (;;) {
    const settledMs = performance.now() - started
    let wrong = differences(expected, await lab.look(dialMs))
    if (wrong.length === 0) {
      wrong = differences(expected, await lab.look(confirmDialMs))
      return { settledMs, wrong }
    }
    if (performance.now() - started > convergeMs) return { settledMs, wrong }
  }
}

export function networkPolicy(lab: PolicyLab, policy: CasePolicy, name: string): KubeObject {
  const text = JSON.stringify(policy.spec).replace(/\{(\w+(?:\/\w+)?)\}/g, (_, key: string) => {
    const address = lab.addresses.get(key)
    if (address === undefined) throw new Error(`no pod or node ${key}`)
    return address
  })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: namespaces[policy.namespace].name },
    spec: JSON.parse(text) as object,
  }
}

/** Resolves when all are gone: what is only being deleted still counts, and would take the next object of its name along. */
export async function deleteAll(lab: PolicyLab, refs: readonly ObjectRef[]): Promise<void> {
  await Promise.all(
    refs.map(async (ref) => {
      const { kind, apiVersion, name, namespace = '' } = ref
      await lab.kubernetes.delete(ref)
      await lab.kubernetes.until(
        `${kind} ${name} gone`,
        { apiVersion, kind },
        { namespace },
        {
          timeoutMs: goneMs,
          done: (all) => all.every((one) => one.metadata.name !== name),
          explain: () => 'still there',
        },
      )
    }),
  )
}
