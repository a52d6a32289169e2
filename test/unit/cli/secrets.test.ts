import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { repository } from '../../support/test-host.ts'

const secret = 'first-half-7c1d\n  second "half" 94ab'
const pieces = ['first-half-7c1d', 'second "half" 94ab', 'second \\"half\\" 94ab']

/** `deploy` with a secret in a variable, and a helm that says on stderr what it was given, as it is and as JSON. */
async function deployWithTalkativeHelm(
  flags: readonly string[],
): Promise<{ code: number | null; printed: string; given: string; environment: string }> {
  const root = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  for (const folder of ['bin', 'chart']) mkdirSync(path.join(root, folder))
  const helm = `#!${process.execPath}
const values = require('node:fs').readFileSync(0, 'utf8')
require('node:fs').writeFileSync(process.env.HOME + '/given', values)
require('node:fs').writeFileSync(process.env.HOME + '/environment', JSON.stringify(process.env))
console.error('Error: cannot use ' + values + ' nor ' + JSON.parse(values).db.password)
process.exit(1)
`
  writeFileSync(path.join(root, 'bin/helm'), helm, { mode: 0o755 })
  writeFileSync(path.join(root, 'chart/Chart.yaml'), 'apiVersion: v2\nname: shop\nversion: 1.0.0\n')
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'demo',
    contexts: [{ name: 'demo', context: { cluster: 'demo', user: 'demo' } }],
    clusters: [{ name: 'demo', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'demo', user: { token: 'none' } }],
  }
  writeFileSync(path.join(root, 'kubeconfig'), JSON.stringify(kubeconfig))
  const args = [path.join(repository, 'src/cli/main.ts'), 'deploy', '--chart', 'chart', '--kubeconfig', 'kubeconfig']
  const how = ['--dry-run', '--image-source', 'registry', '--helm-version', 'preinstalled']
  const env = { HOME: root, TMPDIR: root, PATH: path.join(root, 'bin'), DB_PASSWORD: secret }
  const set = ['--set', 'db.password=fromEnv:DB_PASSWORD']
  const child = spawn(process.execPath, [...args, ...how, ...set, ...flags], { cwd: root, env })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const read = (name: string): string => readFileSync(path.join(root, name), 'utf8')
  return { code, printed, given: read('given'), environment: read('environment') }
}

it.each([[[]], [['--verbose']]])('a secret that helm repeats is not shown, with %j', async (flags) => {
  const { code, printed, given } = await deployWithTalkativeHelm(flags)
  expect(JSON.parse(given)).toEqual({ db: { password: secret } })
  expect(printed).toContain('HELM_FAILED')
  expect(printed).toContain('cannot use {"db":{"password":"***"}}')
  expect(code).toBe(1)
  for (const piece of pieces) expect(printed).not.toContain(piece)
})

it('a variable that a value is taken from is not given to helm', async () => {
  const { environment } = await deployWithTalkativeHelm([])
  expect(JSON.parse(environment)).toHaveProperty('HELM_DRIVER')
  expect(JSON.parse(environment)).not.toHaveProperty('DB_PASSWORD')
})
