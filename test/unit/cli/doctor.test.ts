import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { parseArguments } from '../../../src/cli/arguments.ts'
import { commands } from '../../../src/cli/commands.ts'
import { doctor } from '../../../src/cli/doctor.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const command = commands.find((entry) => entry.name === 'doctor') ?? expect.fail('no such command')

async function examine(args: readonly string[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  writeFileSync(path.join(folder, 'nft'), '', { mode: 0o755 })
  const exec = scriptedExec([
    [/^docker info/, { exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }],
    [/^python3 -m pip/, { exitCode: 1 }],
  ])
  const lines: string[] = []
  const host = testHost({ exec, env: { PATH: folder } })
  const code = await doctor(host, command, parseArguments(command, args), (line) => lines.push(line))
  return { code, lines, text: lines.join('\n') }
}

it('finds at once what up would refuse: of the host and of the request', async () => {
  const { code, text } = await examine(['--image-source', 'packages', '--control-planes', '3'])
  expect(code).toBe(3)
  expect(text).toMatch(/^FAILED {2}docker /m)
  expect(text).toMatch(/^FAILED {2}control-planes .*load balancer/m)
  expect(text).toMatch(/^ok .*programs .*no pip/m)
})

it('asks for nothing that only packages need', async () => {
  const { text } = await examine(['--image-source', 'registry'])
  expect(text).not.toMatch(/programs|root/)
})

it('says which providers are not built yet', async () => {
  await expect(examine(['--provider', 'k3d'])).rejects.toThrow('provider k3d is not supported yet')
})
