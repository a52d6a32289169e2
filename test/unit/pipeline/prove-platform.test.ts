import { expect, it } from 'vitest'
import { provePlatform } from '../../../src/pipeline/prove-platform.ts'
import { resolveSettings } from '../../../src/spec/settings.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'
import { stateOf } from '../cluster/states.ts'

const options = {
  clusterName: 'demo',
  imageSource: 'packages',
  through: 'app',
  reportDir: '/nowhere',
  setup: { owner: stateOf({ name: 'demo' }).owner, machine: { platform: 'linux', arch: 'x64' } },
} as const
const settings = resolveSettings({ overrides: {}, defaultImageSource: 'auto' })
const noEngine = [
  [/^docker info/, { exitCode: 1 }],
  [/^python3 -m pip --version/, 'pip 23'],
] as const

it('ends the programs that build the app when there can be no cluster, and tells why there cannot', async () => {
  let building = 0
  const exec = scriptedExec([
    ...noEngine,
    [
      /./,
      (_line, { signal }) => {
        building++
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('ended')), { once: true })
          if (signal?.aborted === true) reject(new Error('ended'))
        })
      },
    ],
  ])
  await expect(provePlatform(testHost({ exec }), settings, options)).rejects.toMatchObject({ code: 'PREFLIGHT_FAILED' })
  expect(building).toBeGreaterThan(0)
})

it('tells of the cluster first where images have failed too', async () => {
  const exec = scriptedExec([...noEngine, [/./, { exitCode: 1, stderr: 'no such thing' }]])
  await expect(provePlatform(testHost({ exec }), settings, options)).rejects.toMatchObject({ code: 'PREFLIGHT_FAILED' })
})
