import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { artifactName } from '../../../src/action/artifact-name.ts'
import { readEnvironment } from '../../../src/action/environment.ts'
import { uploadEvidence } from '../../../src/action/upload-evidence.ts'
import { packFolder } from '../../../src/artifact/pack-folder.ts'
import { zip } from '../../../src/artifact/zip.ts'
import {
  type ArtifactFault,
  type FakeArtifactService,
  startArtifactService,
  tokenFor,
} from '../../support/artifact-service.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

const services: FakeArtifactService[] = []
afterEach(async () => {
  for (const service of services.splice(0)) await service.close()
})

function evidence(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'evidence-'))
  mkdirSync(path.join(folder, 'nodes', 'demo-worker'), { recursive: true })
  writeFileSync(path.join(folder, 'events.txt'), 'Warning FailedMount ✓\n')
  writeFileSync(path.join(folder, 'nodes', 'demo-worker', 'kubelet: 1.log'), 'E1121 no\n'.repeat(10_000))
  symlinkSync('/etc/passwd', path.join(folder, 'link'))
  return folder
}

/** Names and texts as Python's zipfile reads them; it checks every CRC. One process for all: starting it is what takes time. */
function openedAll(archives: readonly Buffer[]): Record<string, string>[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'zip-'))
  const files = archives.map((_, index) => path.join(folder, `${index}.zip`))
  for (const [index, archive] of archives.entries()) writeFileSync(files[index] ?? '', archive)
  const script = `
import json, sys, zipfile
def read(file):
  z = zipfile.ZipFile(file)
  assert z.testzip() is None
  return {name: z.read(name).decode() for name in z.namelist()}
print(json.dumps([read(file) for file in sys.argv[1:]]))`
  const text = execFileSync('python3', ['-c', script, ...files], { encoding: 'utf8' })
  return JSON.parse(text) as Record<string, string>[]
}

function opened(archive: Buffer): Record<string, string> {
  return openedAll([archive])[0] ?? {}
}

async function upload(
  options: {
    fault?: ArtifactFault
    artifact?: string
    jobSucceeded?: boolean
    env?: Record<string, string>
    names?: readonly string[]
    timeoutMs?: number
    folder?: string
  } = {},
) {
  const service = await startArtifactService(options.fault)
  services.push(service)
  const log = recordingLogger()
  const env = options.env ?? { ACTIONS_RESULTS_URL: service.url, ACTIONS_RUNTIME_TOKEN: service.token }
  const environment = readEnvironment({ RUNNER_NAME: 'r', ...env }, '/tmp/x')
  for (const name of options.names ?? ['logs']) {
    await uploadEvidence(
      testHost({ log }),
      environment,
      {
        artifact: options.artifact ?? 'on-failure',
        jobSucceeded: options.jobSucceeded ?? false,
        name,
        folder: options.folder ?? evidence(),
      },
      options.timeoutMs ?? 20_000,
    )
  }
  const said = log.lines.join('\n')
  expect(said).not.toContain(service.token)
  expect(said).not.toContain(service.signature)
  expect(said).not.toContain('error:')
  return { service, said, levels: log.lines.map((line) => line.split(':')[0]) }
}

describe('the evidence as an artifact', () => {
  it('arrives as a ZIP archive that others can open, links left out', async () => {
    const { service, said } = await upload()
    expect(service.artifacts.map((artifact) => artifact.name)).toEqual(['logs'])
    expect(opened(service.artifacts[0]?.archive ?? Buffer.alloc(0))).toEqual({
      'events.txt': 'Warning FailedMount ✓\n',
      'nodes/demo-worker/kubelet_ 1.log': 'E1121 no\n'.repeat(10_000),
    })
    expect(said).toMatch(/artifact logs: 2 files, 1 KiB, id 1/)
  })

  it.each([
    ['on-failure', true, 0],
    ['on-failure', false, 1],
    ['always', true, 1],
    ['never', false, 0],
    ['', false, 0],
  ])('artifact %s, job succeeded %s: %i uploaded', async (artifact, jobSucceeded, count) => {
    const { service } = await upload({ artifact, jobSucceeded })
    expect(service.artifacts).toHaveLength(count)
  })

  it('takes another name where the first is taken', async () => {
    const { service } = await upload({ names: ['logs', 'logs'] })
    expect(service.artifacts.map((artifact) => artifact.name)).toEqual([
      'logs',
      expect.stringMatching(/^logs-[0-9a-f]{8}$/),
    ])
  })

  it.each([
    ['create', { status: 503 }],
    ['upload', { status: 500 }],
    ['upload', 'close'],
    ['finalize', 'close'],
    ['finalize', { status: 429 }],
  ] as const)('is tried again after a passing failure: %s %j', async (at, how) => {
    const { service, said } = await upload({ fault: { at, how, times: 1 } })
    expect(service.artifacts).toHaveLength(1)
    expect(said).not.toContain('warning:')
  })

  it.each([
    ['create', { status: 503 }, /CreateArtifact: HTTP 503 .*busy/],
    ['create', { status: 403, body: 'forbidden' }, /CreateArtifact: HTTP 403 forbidden/],
    ['create', { status: 200, body: '<html>' }, /CreateArtifact: the answer is no JSON/],
    ['create', { status: 200, body: '{"ok":false}' }, /CreateArtifact: the service did not agree/],
    ['create', 'redirect', /CreateArtifact: .*redirect/],
    ['create', 'close', /CreateArtifact: .*(closed|terminated)/],
    ['create', 'hang', /not done within/],
    ['upload', { status: 403 }, /the upload: HTTP 403/],
    ['upload', 'close', /the upload: /],
    ['upload', 'hang', /not done within/],
    ['upload', 'redirect', /the upload: .*redirect/],
    ['finalize', { status: 200, body: '{"ok":false}' }, /FinalizeArtifact: the service did not agree/],
    ['finalize', 'hang', /not done within/],
  ] as const)('that fails is one warning and nothing else: %s %j', async (at, how, reason) => {
    const { service, said, levels } = await upload({ fault: { at, how }, timeoutMs: 3_000 })
    expect(service.artifacts).toEqual([])
    expect(said).toMatch(reason)
    expect(levels).toEqual(['warning'])
    // No second try for an answer that is final.
    const refused = typeof how === 'object' && (how.status === 403 || how.status === 200)
    if (refused) expect(service.requests.filter((line) => line === service.requests.at(-1))).toHaveLength(1)
  })

  it.each([
    ['without the service, such as in act', {}, 'notice', /this runner has no artifact service/],
    [
      'on GitHub Enterprise Server',
      { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1', ACTIONS_RUNTIME_TOKEN: 'x', GITHUB_SERVER_URL: 'https://git.corp' },
      'notice',
      /Enterprise Server/,
    ],
    [
      'with a token that is no runner’s',
      { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1', ACTIONS_RUNTIME_TOKEN: tokenFor('Actions.Other') },
      'warning',
      /Actions\.Results/,
    ],
    [
      'where nobody listens',
      { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1', ACTIONS_RUNTIME_TOKEN: tokenFor('Actions.Results:a:b') },
      'warning',
      /CreateArtifact: .*(ECONNREFUSED|bad port)/,
    ],
  ] as const)('%s: one line', async (_where, env, level, reason) => {
    const { said, levels } = await upload({ env })
    expect(levels).toEqual([level])
    expect(said).toMatch(reason)
  })

  it('with an empty folder is nothing to upload', async () => {
    const { service, levels } = await upload({ folder: mkdtempSync(path.join(tmpdir(), 'empty-')) })
    expect(service.requests).toEqual([])
    expect(levels).toEqual(['info'])
  })
})

describe('what is packed', () => {
  it('is bounded: the end of long files, small files first, and a note of what is missing', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'pack-'))
    writeFileSync(path.join(folder, 'a-long'), `${'x'.repeat(500)}END`)
    writeFileSync(path.join(folder, 'b-small'), 'small')
    writeFileSync(path.join(folder, 'c-other'), 'y'.repeat(600))
    const packed = await packFolder(folder, { totalBytes: 110, fileBytes: 100, files: 10 })
    expect(opened(packed?.archive ?? Buffer.alloc(0))).toEqual({
      'LEFT-OUT.txt': 'a-long: only its last 100 of 503 bytes\nc-other: left out, 600 bytes\n',
      'a-long': `${'x'.repeat(97)}END`,
      'b-small': 'small',
    })
    expect((await packFolder(folder, { totalBytes: 1_000_000, fileBytes: 1_000_000, files: 1 }))?.files).toBe(1)
  })

  it('comes out as it went in, whatever bytes and names', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 })
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((value) => !/[\0/\\]/.test(value))
    const folder = fc.dictionary(name, text, { maxKeys: 8 })
    await fc.assert(
      fc.asyncProperty(fc.array(folder, { minLength: 20, maxLength: 20 }), async (folders) => {
        const archives = folders.map((files) => {
          const entries = Object.entries(files).map(([key, value]) => ({
            name: key,
            data: Buffer.from(value),
            modified: new Date('2026-11-21T12:34:56Z'),
          }))
          return zip(entries)
        })
        const expected = folders.map((files) =>
          Object.fromEntries(Object.entries(files).map(([key, value]) => [key, Buffer.from(value).toString()])),
        )
        expect(openedAll(await Promise.all(archives))).toEqual(expected)
      }),
      { numRuns: 1 },
    )
  })
})

describe('its name', () => {
  const environment = { job: 'build / test: "x"', runAttempt: '2', step: 'cluster' }

  it('is one that the service accepts', () => {
    expect(artifactName(environment, '{}', 'kp-1-x')).toMatch(/^k8s-platform-build-test-x--[0-9a-f]{8}-2$/)
  })

  it('is the same in every run, and different for each leg, step, attempt and named cluster', () => {
    const name = artifactName(environment, '{"os":"a"}', 'kp-1-build-abc')
    expect(artifactName(environment, '{"os":"a"}', 'kp-2-build-def')).toBe(name)
    const others = [
      artifactName(environment, '{"os":"b"}', 'kp-1-build-abc'),
      artifactName({ ...environment, step: 'second' }, '{"os":"a"}', 'kp-1-build-abc'),
      artifactName({ ...environment, runAttempt: '3' }, '{"os":"a"}', 'kp-1-build-abc'),
      artifactName(environment, '{"os":"a"}', 'demo'),
    ]
    expect(new Set([name, ...others]).size).toBe(5)
  })
})
