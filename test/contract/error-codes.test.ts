import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { sourceFiles } from '../../scripts/check-imports.ts'
import { repository } from '../support/test-host.ts'

/** Codes of other people, which are compared and not thrown. */
const foreign = /^(E[A-Z]+|ABORT_ERR|ERR_\w+)$/

/** `code: 'X'`, also behind a condition: `code: late ? 'X' : 'Y'`. */
function codesIn(text: string): string[] {
  return [...text.matchAll(/\bcode:\s*([^,\n]*)/g)]
    .flatMap(([, value = '']) => [...value.matchAll(/'([A-Z][A-Z0-9_]{3,})'/g)].map(([, code = '']) => code))
    .filter((code) => !foreign.test(code))
}

test('every code has a heading in docs/errors.md, and every heading a code', async () => {
  const page = await readFile(path.join(repository, 'docs', 'errors.md'), 'utf8')
  const headings = [...page.matchAll(/^## `([A-Z0-9_]+)`$/gm)].map(([, code]) => code)
  const codes = new Set((await sourceFiles()).flatMap((file) => codesIn(file.text)))
  expect(codes.size).toBeGreaterThan(20)
  expect([...codes].filter((code) => !headings.includes(code)).sort(), 'codes without a heading').toEqual([])
  expect(headings.filter((code) => !codes.has(code ?? '')).sort(), 'headings without a code').toEqual([])
  expect([...headings].sort(), 'sorted, so that one is found').toEqual(headings)
})

test('a code behind a condition is seen', () => {
  expect(codesIn("{ code: late ? 'TOO_LATE' : 'BROKEN', hint }")).toEqual(['TOO_LATE', 'BROKEN'])
  expect(codesIn("error.code === 'ENOENT'; code: 'ENOENT'")).toEqual([])
})
