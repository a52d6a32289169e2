import { InputError } from '../process/errors.ts'
import type { Check } from './check.ts'
import type { SuiteEnvironment, Target } from './environment.ts'
import { dnsChecks } from './suites/dns.ts'
import { nodeChecks } from './suites/nodes.ts'
import { platformApiChecks } from './suites/platform-apis.ts'
import { serviceRoutingChecks } from './suites/service-routing.ts'
import { stabilityCheck } from './suites/stability.ts'
import { voteFlowChecks } from './suites/vote-flow.ts'
import { workloadChecks } from './suites/workloads.ts'

/** Every suite by name, in the order of reports: what is below comes first. */
const factories: Readonly<Record<string, (environment: SuiteEnvironment) => Check[]>> = {
  readiness: (environment) => [
    ...nodeChecks(environment),
    ...workloadChecks(environment),
    ...platformApiChecks(environment),
    stabilityCheck(environment),
  ],
  dns: dnsChecks,
  'service-routing': serviceRoutingChecks,
  'vote-flow': voteFlowChecks,
}

export const suiteNames: readonly string[] = Object.keys(factories)

export function defaultSuites(target: Target): readonly string[] {
  return target === 'voting-app' ? suiteNames : suiteNames.filter((name) => name !== 'vote-flow')
}

/**
 * The checks of the suites, and those of other suites that they need or that belong to the same proof.
 * @throws InputError for a suite that does not exist.
 */
export function selectChecks(suites: readonly string[], environment: SuiteEnvironment): Check[] {
  const unknown = suites.filter((suite) => !suiteNames.includes(suite))
  if (unknown.length > 0) {
    throw new InputError(
      unknown.map((suite) => ({
        name: 'suites',
        value: suite,
        problem: 'is not a suite',
        allowed: suiteNames.join(', '),
        example: 'readiness,dns',
      })),
    )
  }
  const all = Object.values(factories).flatMap((factory) => factory(environment))
  const byId = new Map(all.map((check) => [check.id, check]))
  const selected = new Set<Check>()
  const select = (check: Check): void => {
    if (selected.has(check)) return
    selected.add(check)
    for (const id of [...check.needs, ...(check.alongside ?? [])]) {
      const other = byId.get(id)
      if (other !== undefined) select(other)
    }
  }
  for (const check of all.filter((one) => suites.includes(one.suite))) select(check)
  return all.filter((check) => selected.has(check))
}
