import { type CheckContext, fail, type Outcome, pass, skipped } from '../check.ts'
import { converge, summarize } from '../converge.ts'
import type { SuiteEnvironment } from '../environment.ts'
import { explainNoEndpoints, readNamespace } from '../service-state.ts'

/** S1.endpoints: by the API alone, so it holds also where no probe pod runs. */
export async function endpointsReady(context: CheckContext, environment: SuiteEnvironment): Promise<Outcome> {
  const { kubernetes, namespace } = environment
  const seen = await converge(
    context,
    async () => {
      const state = await readNamespace(kubernetes, namespace)
      const findings = state.services.flatMap((service) => {
        const why = explainNoEndpoints(state, service)
        return why === undefined ? [] : [{ service: service.metadata.name, ...why }]
      })
      const differences = findings.filter((one) => one.fault).map((one) => `Service ${one.service}: ${one.text}`)
      return { value: { state, findings }, differences }
    },
    { timeoutMs: environment.convergeMs, intervalMs: 1_000 },
  )
  const { state, findings } = seen.value
  const observations = {
    services: state.services.map((service) => service.metadata.name),
    withoutEndpoints: findings.map((one) => `${one.service}: ${one.text}`),
  }
  if (!seen.matched) {
    return fail(summarize(seen.differences), {
      observations,
      evidence: findings
        .filter((one) => one.fault)
        .map((one) => ({
          text: `Service ${one.service}: ${one.text}`,
          command: `kubectl -n ${namespace} describe service ${one.service}`,
        })),
    })
  }
  if (state.services.length === 0) return skipped(`namespace ${namespace} has no Services`)
  const idle =
    findings.length === 0 ? '' : `; without endpoints on purpose: ${findings.map((one) => one.service).join(', ')}`
  return pass(`${state.services.length} Services${idle}`, { observations, timeToConvergeMs: seen.timeToConvergeMs })
}
