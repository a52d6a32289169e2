import { expect, it } from 'vitest'
import { startProbeSession } from '../../../src/assert/probe-session.ts'
import type { Kubernetes } from '../../../src/kubernetes/client.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { fakeKubernetes, object } from './fake-kubernetes.ts'

const gone = (): Promise<never> => Promise.reject(new Error('connection refused'))

/** Asks for probe pods, which fails, and removes them, which fails too; resolves with what was said above debug. */
async function failedSession(kubernetes: Kubernetes): Promise<string[]> {
  const log = recordingLogger()
  const session = startProbeSession(testHost({ log }), {
    kubernetes,
    cleanup: { ...kubernetes, list: gone, delete: gone },
    lifeMs: 60_000,
    namespace: undefined,
    image: undefined,
    startMs: 1_000,
  })
  await expect(session.fleet()).rejects.toThrow('connection refused')
  await session.end()
  return log.lines.filter((line) => !line.startsWith('debug:'))
}

it('says nothing of pods left behind when the server could not even be asked for its nodes', async () => {
  expect(await failedSession({ ...fakeKubernetes([]), list: gone, apply: gone })).toEqual([])
})

it('warns of pods left behind once an object was sent, even when no answer came', async () => {
  const kubernetes = fakeKubernetes([object('v1', 'Node', 'demo-worker')])
  const said = await failedSession({ ...kubernetes, apply: gone })
  expect(said).toEqual([
    expect.stringMatching(
      /^warning: the probe pods in namespace k8s-platform-probe-\w+ may be left behind: connection refused$/,
    ),
  ])
})
