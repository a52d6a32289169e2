import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/test-host.ts'

const notOurs = new Set(['node_modules', '.git', '.cache', 'test-results'])

async function folders(below: string): Promise<string[]> {
  const entries = await readdir(path.join(repository, below), { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() && !notOurs.has(entry.name))
    .map((entry) => path.posix.join(below, entry.name))
}

test('CONTRIBUTING.md has a line for every folder', async () => {
  const page = await readFile(path.join(repository, 'CONTRIBUTING.md'), 'utf8')
  const table = page.split('\n').filter((line) => line.startsWith('| `'))
  const named = (folder: string): boolean => table.some((line) => line.includes(`\`${folder}/`))
  const all = [...(await folders('.')), ...(await folders('src')), ...(await folders('test'))]
  const withParts = new Set(['src', 'test'])
  expect(all.filter((folder) => !withParts.has(folder) && !named(folder))).toEqual([])
})

test('CONTRIBUTING.md lists no folder that does not exist', async () => {
  const page = await readFile(path.join(repository, 'CONTRIBUTING.md'), 'utf8')
  const table = page.split('\n').filter((line) => line.startsWith('| `'))
  const all = new Set([...(await folders('.')), ...(await folders('src')), ...(await folders('test'))])
  for (const [, folder = ''] of table.join('\n').matchAll(/`((?:src|test)\/[\w-]+)\/`/g))
    expect([...all]).toContain(folder)
})

test('every npm script that is explained exists', async () => {
  const page = await readFile(path.join(repository, 'CONTRIBUTING.md'), 'utf8')
  const { scripts } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  for (const [, name = ''] of page.matchAll(/`npm run ([\w:-]+)/g)) expect(Object.keys(scripts)).toContain(name)
})
