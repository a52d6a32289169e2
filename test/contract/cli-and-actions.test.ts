import { describe, expect, test } from 'vitest'
import { allActions } from '../../actions/all-actions.ts'
import type { InputDefinition, InputDefinitions } from '../../src/action/define-action.ts'
import type { Flag } from '../../src/cli/arguments.ts'
import { commands } from '../../src/cli/commands.ts'

type Reasons = Readonly<Record<string, string>>

const verbose = 'a runner shows debug lines when the whole run is repeated with them'
const byName = 'a person names a cluster; a job has KUBECONFIG from the step before'

/** The command that does what actions do, and what only one side has, each with its reason. */
const pairs: readonly (readonly [string, readonly string[], { onlyAction: Reasons; onlyCommand: Reasons }])[] = [
  [
    'up',
    ['platform', 'setup-cluster'],
    {
      onlyAction: {
        cleanup: 'of a job’s end; a person says `down`',
        logs: 'of a job’s end; a person has the cluster to look at',
        artifact: 'of a job’s end; there is nowhere to upload to',
        'node-image': 'rare: in platform.yaml',
        'extra-args': 'rare: in platform.yaml',
        registry: 'rare: in platform.yaml',
        'registry-port': 'rare: in platform.yaml',
        'download-base-url': 'rare: in platform.yaml',
        'kubectl-version': 'puts kubectl on the PATH of later steps; there are none',
        'export-kubeconfig': 'for later steps; there are none',
        'install-only': 'for later steps; there are none',
        'wait-for': 'a job may wait for less, to go on; `--through` is the command line’s way',
      },
      onlyCommand: {
        suites: 'in a job an input of `assert`, or in platform.yaml',
        'fail-on': 'in a job an input of `assert`, or in platform.yaml',
        'allow-skip': 'in a job an input of `assert`, or in platform.yaml',
        'install-docker': 'a runner has an engine, or somebody who decides about it',
        verbose,
      },
    },
  ],
  [
    'assert',
    ['assert'],
    {
      onlyAction: {},
      onlyCommand: { 'cluster-name': byName, 'print-rbac': 'the README of the action has it', verbose },
    },
  ],
  ['load-images', ['load-images'], { onlyAction: {}, onlyCommand: { verbose } }],
  [
    'deploy',
    ['deploy'],
    {
      onlyAction: {},
      onlyCommand: {
        'cluster-name': byName,
        'print-rbac': 'for whoever makes the account that a job is given',
        'image-source': 'a job has registries, or its cluster’s record says where from; a person’s machine is asked',
        verbose,
      },
    },
  ],
  [
    'down',
    ['teardown'],
    {
      onlyAction: { 'keep-logs': 'the command line collects no evidence of a job' },
      onlyCommand: { all: 'takes the image cache and the engine too, which a job does not own', verbose },
    },
  ],
]

/** What is written alike, though it is called otherwise on the two sides. */
const kinds: Readonly<Record<InputDefinition['type'], Flag['type']>> = {
  boolean: 'boolean',
  choice: 'string',
  choices: 'list',
  duration: 'string',
  integer: 'integer',
  list: 'list',
  path: 'string',
  secret: 'string',
  string: 'string',
  version: 'string',
}

describe.each(pairs)('%s and %j', (name, actionNames, { onlyAction, onlyCommand }) => {
  const flags: Readonly<Record<string, Flag>> = commands.find((command) => command.name === name)?.flags ?? {}
  const inputs: InputDefinitions = Object.fromEntries(
    allActions
      .filter((action) => actionNames.includes(action.name))
      .flatMap((action) => Object.entries(action.inputs as InputDefinitions))
      .filter(([, { internal }]) => internal !== true),
  )

  test('have the same flags and inputs, but for those with a reason', () => {
    const missing = Object.keys(inputs).filter((input) => !(input in flags))
    const more = Object.keys(flags).filter((flag) => !(flag in inputs))
    expect(missing.sort()).toEqual(Object.keys(onlyAction).sort())
    expect(more.sort()).toEqual(Object.keys(onlyCommand).sort())
    for (const [input, reason] of Object.entries(onlyAction))
      if (reason.endsWith('in platform.yaml')) expect(inputs[input]?.spec, input).toBeDefined()
  })

  test('take the same values for what both have', () => {
    const both = Object.entries(flags).flatMap(([flag, definition]) => {
      const input = inputs[flag]
      return input === undefined ? [] : ([[flag, definition, input]] as const)
    })
    expect(both.length).toBeGreaterThan(0)
    for (const [what, flag, input] of both) {
      expect(flag.type, what).toBe(kinds[input.type])
      if (input.type === 'list') expect(flag.separator ?? 'comma', what).toBe(input.separator)
      if (input.type === 'boolean') expect(flag.default === true, what).toBe(input.default === 'true')
      if (input.type === 'choice' || input.type === 'choices')
        expect(
          flag.of?.filter((word) => word !== 'auto'),
          what,
        ).toEqual(input.of)
      if (flag.pattern !== undefined && input.type === 'string' && what !== 'cluster-name')
        expect(flag.pattern, what).toEqual(input.pattern)
    }
  })
})
