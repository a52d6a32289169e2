import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { allActions } from '../../../actions/all-actions.ts'
import type { AnyAction } from '../../../src/action/define-action.ts'
import { jobClusterName } from '../../../src/action/job-cluster.ts'
import { jobSettings } from '../../../src/action/job-settings.ts'
import { inputVariable } from '../../../src/action/parse-inputs.ts'
import { clusterNameProblem } from '../../../src/cluster/cluster-name.ts'
import { createArgs } from '../../../src/cluster/kind-command.ts'
import { type DeployInputs, deployRequest } from '../../../src/deploy/deploy-request.ts'
import { givenValues, upgradeArgs } from '../../../src/deploy/helm.ts'
import { requireKind } from '../../../src/spec/settings.ts'
import { recordFault } from '../../support/fault-results.ts'
import { cases, hostileText, hugeText, patience } from '../../support/hostile-text.ts'
import { type StepBody, stepRunner } from '../../support/step-case.ts'

const mixed = (valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: valid },
    { weight: 2, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.jsonValue() },
  )

/** A platform.yaml whose every place may hold anything. */
const spec: fc.Arbitrary<string> = fc.oneof(
  hostileText,
  fc
    .tuple(fc.constantFrom('cluster', 'app', 'assertions', 'x'), hostileText, hostileText)
    .map(([part, key, value]) => `apiVersion: k8s-platform/v1\n${part}:\n  ${key}: ${value}\n`),
  fc
    .record(
      {
        apiVersion: mixed(fc.constant('k8s-platform/v1')),
        cluster: mixed(
          fc.record(
            {
              name: mixed(fc.constant('demo')),
              kubernetesVersion: mixed(fc.constant('1.36')),
              workers: mixed(fc.integer({ min: 0, max: 5 })),
              nodeImage: mixed(fc.constant('kindest/node:v1.36.1')),
              config: mixed(fc.constant('kind.yaml')),
              extraArgs: mixed(fc.array(hostileText, { maxLength: 2 })),
              downloadBaseUrl: mixed(fc.constant('https://mirror.example.com')),
              registry: mixed(fc.record({ mirror: mixed(fc.constant('https://mirror.example.com')) })),
              timeout: mixed(fc.constant('10m')),
            },
            { requiredKeys: [] },
          ),
        ),
        app: mixed(fc.record({ namespace: mixed(fc.constant('shop')), values: mixed(fc.constant('values.yaml')) })),
        profiles: mixed(fc.dictionary(fc.oneof(fc.constant('nightly'), hostileText), mixed(fc.constant({})))),
        [`unknown`]: hostileText,
      },
      { requiredKeys: ['apiVersion'] },
    )
    .map((value) => stringify(value)),
)

interface Case {
  readonly action: string
  readonly inputs: Readonly<Record<string, string>>
  readonly spec: string | undefined
  readonly runner: Readonly<Record<string, string>>
}

const runnerVariables = [
  ...[
    'GITHUB_REF',
    'GITHUB_REF_NAME',
    'GITHUB_HEAD_REF',
    'GITHUB_BASE_REF',
    'GITHUB_JOB',
    'GITHUB_WORKFLOW',
    'GITHUB_ACTOR',
  ],
  ...['GITHUB_ACTION', 'GITHUB_RUN_ID', 'GITHUB_RUN_ATTEMPT', 'GITHUB_EVENT_PATH', 'RUNNER_NAME', 'RUNNER_TRACKING_ID'],
]

const anyCase: fc.Arbitrary<Case> = fc.constantFrom(...allActions).chain((action) => {
  const names = Object.keys(action.inputs)
  const value = fc.tuple(fc.constantFrom(...names), hostileText, fc.nat({ max: 9 })).map(([name, text, kind]) => {
    const example = action.inputs[name]?.example ?? ''
    return [
      name,
      kind < 5 ? example : kind < 7 ? text : kind === 7 ? `${example}${text}` : `${text}${example}`,
    ] as const
  })
  const entries = fc.oneof(
    { weight: 12, arbitrary: value },
    { weight: 1, arbitrary: fc.tuple(hostileText, hostileText) },
  )
  return fc.record({
    action: fc.constant(action.name),
    inputs: fc.array(entries, { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs) as Record<string, string>),
    spec: fc.option(spec, { nil: undefined }),
    runner: fc.dictionary(fc.constantFrom(...runnerVariables), hostileText, { maxKeys: 4 }),
  })
})

const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-hostile-'))
const specFile = path.join(folder, 'platform.yaml')
const runStep = stepRunner()

/** All of an action that needs no cluster: settings, names, and everything given said, put out and summed up. */
const body: StepBody = async (context) => {
  const inputs = context.inputs as Record<string, unknown>
  const settings = await jobSettings({
    ...context,
    inputs: { spec: inputs['spec'] as string | undefined, profile: inputs['profile'] as string | undefined },
  })
  requireKind(settings)
  const name = settings.cluster.name ?? jobClusterName(context.environment)
  expect(clusterNameProblem(name)).toBeUndefined()
  const chosen = { name, image: settings.cluster.nodeImage ?? 'kindest/node', kubeconfig: '/tmp/kubeconfig' }
  const created = createArgs({ ...chosen, extraArgs: [] })
  // One argument each, and none that could be read as an option.
  for (const value of Object.values(chosen)) expect(created.filter((argument) => argument === value)).toHaveLength(1)
  const upgraded = upgradeArgs(
    { helm: 'helm', kubeconfig: chosen.kubeconfig, namespace: settings.app.namespace },
    { release: 'app', chart: '/chart', labels: {}, values: [givenValues, settings.app.values ?? 'values.yaml'] },
  )
  expect(upgraded).toContain(`--namespace=${settings.app.namespace}`)
  for (const word of [chosen.name, chosen.image, settings.app.namespace]) expect(word).not.toMatch(/^-|[\s\0]/)
  for (const argument of [...created, ...upgraded]) expect(argument).not.toMatch(/\p{Cc}/u)
  context.state.set('cluster-name', name)
  await context.host.log.group(`inputs ${JSON.stringify(inputs)}`, async () => {
    for (const [key, value] of Object.entries(inputs)) {
      context.host.log.info(`${key}: ${String(value)}`)
      context.outputs.set(key, String(value))
    }
  })
  context.host.log.warning(`ref ${context.environment.raw['GITHUB_HEAD_REF']}`, { title: String(inputs['profile']) })
}

/** What `deploy` asks of a cluster, from its inputs alone. */
const deployBody: StepBody = async (context) => {
  const inputs = context.inputs as unknown as DeployInputs
  const request = deployRequest(context.host, inputs)
  expect(request.release).toMatch(/^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/)
  await body(context)
}

async function tryCase({ action: wanted, inputs, spec: text, runner }: Case): Promise<'refused' | 'run'> {
  const action = allActions.find(({ name }) => name === wanted) as AnyAction
  const given: Record<string, string> = { ...inputs }
  if (text !== undefined && 'spec' in action.inputs) {
    writeFileSync(specFile, text)
    given['spec'] = specFile
  }
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [inputVariable(name), value]))
  const step = await runStep(action, { ...runner, ...env }, wanted === 'deploy' ? deployBody : body)
  const told = step.commands.filter(({ name }) => name !== 'group' && name !== 'endgroup')
  expect(step.printed).not.toContain('unexpected: please report')
  // What the action names stays within its contract, whatever the names given.
  for (const name of Object.keys(step.outputs)) expect(Object.keys(action.inputs)).toContain(name)
  expect(step.variables).toEqual({})
  expect(step.folders).toEqual([])
  const rows = step.summary.split('\n').filter((line) => line.startsWith('|'))
  const outputs = Object.keys(step.outputs).length
  expect(rows).toHaveLength(step.code === 0 && outputs > 0 ? outputs + 2 : 0)
  if (step.code === 0) {
    expect(told.map(({ name }) => name)).toEqual(['warning'])
    expect(Object.keys(step.state)).toEqual(['cluster-name'])
    return 'run'
  }
  expect(step.code).toBe(1)
  expect(told.map(({ name }) => name)).toEqual(['error'])
  expect(told[0]?.message).toMatch(/\((INPUT_INVALID|PROVIDER_UNSUPPORTED), docs\/errors\.md\)$/)
  expect(step.outputs).toEqual({})
  return 'refused'
}

describe('a step with anything in its inputs, its spec and the names of the run', () => {
  test(
    'is refused in one annotation or runs, and says nothing the runner would obey',
    async () => {
      const seen = { refused: 0, run: 0 }
      const number = cases(10_000)
      const property = fc.asyncProperty(anyCase, async (one) => {
        seen[await tryCase(one)] += 1
      })
      const result = await fc.check(property, number)
      const held = !result.failed && seen.run > number.numRuns / 20 && seen.refused > number.numRuns / 20
      recordFault({
        section: 'input',
        fault: `${number.numRuns} generated cases: inputs of every action, platform.yaml, branch, job and runner names`,
        expected: 'each one annotation of INPUT_INVALID, or a run; no command, output, state or summary row of theirs',
        seen: result.failed ? 'a case broke it' : `${seen.refused} refused, ${seen.run} run, nothing else`,
        held,
      })
      expect(result.failed, fc.defaultReportMessage(result)).toBe(false)
      // Cases of one kind alone would show half of it.
      expect(held, JSON.stringify(seen)).toBe(true)
    },
    patience,
  )

  test.each(
    allActions.flatMap((action) => Object.keys(action.inputs).map((input) => [action.name, input, action] as const)),
  )(
    '%s takes a megabyte in %s for what it is, at once and in a short message',
    async (_name, input, action) => {
      await fc.assert(
        fc.asyncProperty(hugeText, async (text) => {
          const step = await runStep(action as AnyAction, { [inputVariable(input)]: text }, async () => {})
          const told = step.commands.filter(({ name }) => name !== 'group' && name !== 'endgroup')
          if (step.code !== 0) expect(told.map(({ name }) => name)).toEqual(['error'])
          expect(told.reduce((sum, { message }) => sum + message.length, 0)).toBeLessThan(5_000)
        }),
        { numRuns: 2 },
      )
    },
    patience,
  )
})
