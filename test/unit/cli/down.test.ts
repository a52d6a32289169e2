import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { parseArguments } from '../../../src/cli/arguments.ts'
import { commands } from '../../../src/cli/commands.ts'
import { down } from '../../../src/cli/down.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const command = commands.find((entry) => entry.name === 'down') ?? expect.fail('no such command')

/** `down` on a host where no engine answers. */
async function downWithoutDocker(args: readonly string[], prepare: (paths: { cache: string; state: string }) => void) {
  const exec = scriptedExec([[/^docker version/, { exitCode: 1, stderr: 'Cannot connect to the Docker daemon' }]])
  const host = testHost({ exec })
  prepare(host.paths)
  const printed: string[] = []
  const code = await down(host, command, parseArguments(command, args), (line) => printed.push(line))
  return { code, printed: printed.join('\n'), paths: host.paths }
}

const fill = (folder: string, entries: readonly string[]): void => {
  for (const entry of entries) {
    mkdirSync(path.join(folder, entry), { recursive: true })
    writeFileSync(path.join(folder, entry, 'file'), '')
  }
}

it('finds nothing to do where there is no Docker and nothing on record', async () => {
  const { code, printed } = await downWithoutDocker([], () => {})
  expect(printed).toContain('cluster k8s-platform: nothing was there')
  expect(code).toBe(0)
})

it('removes its own folders without Docker, too', async () => {
  const { code, printed, paths } = await downWithoutDocker(['--all'], ({ cache, state }) => {
    fill(cache, ['images', 'registry', 'tools'])
    fill(state, ['clusters', 'engine'])
  })
  expect(code).toBe(0)
  expect([existsSync(paths.cache), existsSync(paths.state)]).toEqual([false, false])
  expect(printed).toContain(`removed ${paths.cache}`)
})

it("never touches what else is in a folder that the user named, nor a state it can't read", async () => {
  const { code, printed, paths } = await downWithoutDocker(['--all'], ({ cache, state }) => {
    fill(cache, ['images', 'thesis'])
    fill(state, ['engine'])
    writeFileSync(path.join(state, 'old.json'), '{}')
  })
  expect(code).toBe(0)
  expect(readdirSync(paths.cache)).toEqual(['thesis'])
  expect(readdirSync(paths.state)).toEqual(['old.json'])
  expect(printed).toContain(`removed ${path.join(paths.cache, 'images')}`)
  expect(printed).toContain(`kept    ${path.join(paths.cache, 'thesis')}`)
})
