import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/test-host.ts'

const notOurs = new Set(['node_modules', '.git', '.cache', '.venv', 'test-results', 'vendor'])

async function pages(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const found = entries
    .filter((entry) => !notOurs.has(entry.name))
    .map((entry) => {
      const full = path.join(folder, entry.name)
      return entry.isDirectory() ? pages(full) : entry.name.endsWith('.md') ? [full] : []
    })
  return (await Promise.all(found)).flat()
}

/** Targets of `[text](target)` and `![text](target)`, code blocks and code spans aside; of `<img src="target">` too. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replace(/^ *(```|~~~)[\s\S]*?^ *\1/gm, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(<?([^)\s>]+)|<img\s[^>]*src="([^"]+)"/g)].map(([, link, image]) => link ?? image ?? '')
}

/** Anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#{1,6} +(.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

async function brokenLinks(page: string): Promise<string[]> {
  const markdown = await readFile(page, 'utf8')
  const broken: string[] = []
  for (const link of linksOf(markdown).filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))) {
    const [target = '', anchor] = link.split('#')
    const file = target === '' ? page : path.resolve(path.dirname(page), decodeURIComponent(target))
    const exists = existsSync(file)
    const anchorMissing =
      exists &&
      anchor !== undefined &&
      file.endsWith('.md') &&
      !anchorsOf(await readFile(file, 'utf8')).includes(anchor)
    if (!exists || anchorMissing) broken.push(`${path.relative(repository, page)}: ${link}`)
  }
  return broken
}

test('every relative link and picture of every page exists', async () => {
  const all = await pages(repository)
  expect(all.map((page) => path.relative(repository, page))).toEqual(
    expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/errors.md', 'setup-cluster/README.md']),
  )
  expect((await Promise.all(all.map(brokenLinks))).flat()).toEqual([])
})

test('links are found where they count', () => {
  expect(
    linksOf('[a](b.md) and ![c](<d.png>)\n```md\n[no](no.md)\n```\n`[no](no.md)` <img alt="" src="e.png">'),
  ).toEqual(['b.md', 'd.png', 'e.png'])
})
