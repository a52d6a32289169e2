import { expect, it } from 'vitest'
import { parseArguments } from '../../../src/cli/arguments.ts'
import { commands } from '../../../src/cli/commands.ts'
import { plan } from '../../../src/cli/plan.ts'
import { settingsOf, settledRequest, versionFor } from '../../../src/cli/run-command.ts'
import { requestKey } from '../../../src/cluster/initial-state.ts'
import { currentOwner } from '../../../src/cluster/owner.ts'
import { type ClusterState, saveState } from '../../../src/cluster/state.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const command = commands.find((entry) => entry.name === 'plan') ?? expect.fail('no such command')
const flags = ['--image-source', 'registry', '--workers', '1']

async function planned(args: readonly string[], present?: Partial<ClusterState>) {
  const host = testHost({ exec: scriptedExec([]) })
  const parsed = parseArguments(command, args)
  if (present !== undefined) {
    const { settings } = await settingsOf(host, command, parseArguments(command, flags))
    const request = await settledRequest(host, settings)
    const key = await requestKey(request, await versionFor(host, request, 'amd64'))
    await saveState(
      host,
      state({ owner: await currentOwner({ pid: process.pid, kind: 'person' }), requestKey: key, ...present }),
    )
  }
  const lines: string[] = []
  const code = await plan(host, command, parsed, (line) => lines.push(line))
  return { code, text: lines.join('\n') }
}

function state(given: Pick<ClusterState, 'owner' | 'requestKey'> & Partial<ClusterState>): ClusterState {
  return {
    schema: 1,
    name: 'k8s-platform',
    provider: 'kind',
    phase: 'ready',
    imageSource: 'registry',
    tools: {},
    kubeconfig: '/none/kubeconfig',
    context: 'kind-k8s-platform',
    folder: '/none',
    logsPath: '/none/logs',
    hostPorts: {},
    createdAt: '2026-11-21T10:00:00Z',
    updatedAt: '2026-11-21T10:00:00Z',
    ...given,
  }
}

it('creates what is not there, through the stage asked for', async () => {
  const { code, text } = await planned([...flags, '--through', 'platform'])
  expect(code).toBe(0)
  expect(text).toMatch(/^create {2}cluster k8s-platform: kind, 1 control-plane, 1 worker\n/)
  expect(text).toContain('apply   component metrics-server')
  expect(text).not.toMatch(/voting app|prove/)
})

it('keeps a cluster that was made from the same request', async () => {
  const { code, text } = await planned(flags, {})
  expect(code).toBe(0)
  expect(text).toContain('keep    cluster k8s-platform: kind, 1 control-plane, 1 worker, made from this request')
  expect(text).toContain('prove   readiness')
})

it('refuses what up refuses', async () => {
  const other = await planned([...flags, '--workers', '2'], {})
  expect(other.code).toBe(1)
  expect(other.text).toContain('refuse  cluster k8s-platform exists already and was made from other settings')
  await expect(planned([...flags, '--provider', 'k3d'])).rejects.toThrow('provider k3d is not supported yet')
})

it('replaces a cluster that failed', async () => {
  const { code, text } = await planned(flags, { phase: 'failed' })
  expect(code).toBe(0)
  expect(text).toContain('replace cluster k8s-platform')
  expect(text).toContain('what is there is failed')
})
