import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { refuseNodes } from '../../support/creation-plants.ts'

it('refuses as many nodes as it is told, in Docker’s words, and is Docker for all else', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'creation-plants-'))
  const engine = path.join(folder, 'engine')
  mkdirSync(engine)
  const tells = `#!${process.execPath}\nconsole.log(JSON.stringify([process.argv.slice(2), require('node:fs').readFileSync(0, 'utf8')]))\n`
  writeFileSync(path.join(engine, 'docker'), tells, { mode: 0o755 })
  const drill = { folder, env: { PATH: `${engine}:${process.env['PATH']}` } }
  const message = `Bind for 127.0.0.1:PORT failed: "it's" $(touch x) \\n`
  refuseNodes(drill, message, 1)
  const docker = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('docker', args, { env: drill.env, input: 'in', encoding: 'utf8' })
    return { status, stdout: stdout === '' ? undefined : JSON.parse(stdout), stderr }
  }
  const node = ['run', '--label', 'io.x-k8s.kind.cluster=a b', '--publish=127.0.0.1:4711:6443/TCP', 'image']
  expect(docker('ps', '--filter', 'label=io.x-k8s.kind.cluster')).toEqual({
    status: 0,
    stdout: [['ps', '--filter', 'label=io.x-k8s.kind.cluster'], 'in'],
    stderr: '',
  })
  expect(docker(...node)).toEqual({
    status: 125,
    stdout: undefined,
    stderr: `${message.replace('PORT', '4711')}\n`,
  })
  expect(docker(...node)).toEqual({ status: 0, stdout: [node, 'in'], stderr: '' })
})
