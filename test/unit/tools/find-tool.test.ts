import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Host } from '../../../src/process/host.ts'
import { type FindTool, findTool } from '../../../src/tools/find-tool.ts'
import type { ToolCache } from '../../../src/tools/tool-cache.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { testHost } from '../../support/test-host.ts'

const program = Buffer.from('#!/bin/sh\necho the pinned one\n')
const sha256 = createHash('sha256').update(program).digest('hex')

let folder: string
let server: Server
let base: string
let asked: string[]
let answer: Buffer | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-tool-'))
  asked = []
  answer = program
  server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (answer === undefined) response.writeHead(404).end()
    else response.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror/`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

const host = (): Host =>
  testHost({
    exec: scriptedExec([]),
    paths: { assets: folder, temp: folder, cache: join(folder, 'cache'), state: join(folder, 'state') },
  })

const wanted = (changes: Partial<FindTool> = {}): FindTool => ({
  tool: 'kind',
  version: { kind: 'exact', version: '0.33.0', sha256 },
  architecture: 'amd64',
  downloadBaseUrl: base,
  searchPath: join(folder, 'bin'),
  backOffMs: 1,
  ...changes,
})

async function install(path: string, content: Buffer | string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, content)
  await chmod(path, 0o755)
}

/** A tool cache of folders, as the runner's. */
function folderCache(): ToolCache & { readonly kept: string[] } {
  const kept: string[] = []
  return {
    kept,
    find: (tool, version, arch) =>
      kept.includes(`${tool}/${version}/${arch}`) ? join(folder, 'toolcache', tool, version, arch) : undefined,
    async cacheFile(source, name, tool, version, arch) {
      kept.push(`${tool}/${version}/${arch}`)
      const target = join(folder, 'toolcache', tool, version, arch)
      await install(join(target, name), await readFile(source))
      return target
    },
  }
}

describe('findTool', () => {
  it('downloads from the base given and keeps the file', async () => {
    const found = await findTool(host(), wanted())
    expect(found).toMatchObject({ version: '0.33.0', from: 'download' })
    expect(asked).toEqual(['/mirror/kubernetes-sigs/kind/releases/download/v0.33.0/kind-linux-amd64'])
    expect(await readFile(found.path)).toEqual(program)
    expect(await findTool(host(), wanted())).toMatchObject({ path: found.path, from: 'tool-cache' })
    expect(asked).toHaveLength(1)
  })

  it("uses the runner's tool cache", async () => {
    const toolCache = folderCache()
    await findTool(host(), wanted({ toolCache }))
    expect(toolCache.kept).toEqual(['kind/0.33.0/amd64'])
    await rm(join(folder, 'cache'), { recursive: true })
    expect(await findTool(host(), wanted({ toolCache }))).toMatchObject({ from: 'tool-cache' })
    expect(asked).toHaveLength(1)
  })

  it('does not trust a cached file by its name', async () => {
    const first = await findTool(host(), wanted())
    await writeFile(first.path, 'something else')
    expect(await findTool(host(), wanted())).toMatchObject({ from: 'download' })
    expect(await readFile(first.path)).toEqual(program)
  })

  it('falls back to PATH only for the very same file', async () => {
    answer = undefined
    await install(join(folder, 'bin', 'kind'), 'another build')
    await expect(findTool(host(), wanted())).rejects.toMatchObject({ code: 'DOWNLOAD_HTTP' })
    await install(join(folder, 'bin', 'kind'), program)
    expect(await findTool(host(), wanted())).toMatchObject({
      from: 'PATH',
      path: join(folder, 'bin', 'kind'),
      version: '0.33.0',
    })
  })

  it('refuses a version without a digest, naming those it has', async () => {
    const error = await findTool(
      host(),
      wanted({ version: { kind: 'exact', version: '0.1.0', sha256: undefined } }),
    ).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'TOOL_UNPINNED', message: expect.stringContaining('0.33.0') })
    expect(asked).toEqual([])
  })

  it('takes whatever PATH has only when told to', async () => {
    await install(join(folder, 'bin', 'kind'), 'another build')
    expect(await findTool(host(), wanted({ version: { kind: 'preinstalled' } }))).toMatchObject({
      from: 'PATH',
      version: 'preinstalled',
    })
    await rm(join(folder, 'bin', 'kind'))
    await expect(findTool(host(), wanted({ version: { kind: 'preinstalled' } }))).rejects.toMatchObject({
      code: 'TOOL_MISSING',
    })
  })
})
