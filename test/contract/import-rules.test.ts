import { describe, expect, test } from 'vitest'
import { sourceFiles } from '../../scripts/check-imports.ts'
import { importProblems, importsOf, type SourceFile } from '../../scripts/import-rules.ts'

const world: readonly SourceFile[] = [
  { path: 'actions/x/main.ts', text: '' },
  { path: 'src/action/run.ts', text: '' },
  { path: 'src/cli/main.ts', text: '' },
  { path: 'src/cluster/kind.ts', text: '' },
  { path: 'src/process/exec.ts', text: '' },
  { path: 'src/kubernetes/client.ts', text: '' },
]

/** The problems that one more file causes. */
function plant(path: string, text: string): string[] {
  return importProblems([...world.filter((file) => file.path !== path), { path, text }])
}

test('the source obeys', async () => {
  const files = await sourceFiles()
  expect(files.length).toBeGreaterThan(100)
  expect(importProblems(files)).toEqual([])
})

describe('an offence is found', () => {
  test.each([
    [
      'a feature that imports the boundary',
      'src/cluster/a.ts',
      "import { x } from '../action/run.ts'",
      'feature may not depend on action',
    ],
    [
      'a feature that imports the command line',
      'src/cluster/a.ts',
      "import '../cli/main.ts'",
      'feature may not depend on cli',
    ],
    [
      'a type counts too',
      'src/process/a.ts',
      "import type { X } from '../cluster/kind.ts'",
      'process may not depend on feature',
    ],
    [
      'a dynamic import counts too',
      'src/kubernetes/a.ts',
      "const a = await import('../cluster/kind.ts')",
      'base may not depend on feature',
    ],
    [
      'an export counts too',
      'src/process/a.ts',
      "export { x } from '../cluster/kind.ts'",
      'process may not depend on feature',
    ],
    [
      'the command line on the boundary',
      'src/cli/a.ts',
      "import { x } from '../action/run.ts'",
      'cli may not depend on action',
    ],
    [
      '@actions outside of src/action',
      'actions/x/a.ts',
      "import * as core from '@actions/core'",
      'only src/action may',
    ],
    ['a package in the probe script', 'src/probe/a.ts', "import ws from 'ws'", 'has no dependencies'],
    ['a file that is not there', 'src/cluster/a.ts', "import { x } from './gone.ts'", 'does not exist'],
    ['the environment', 'src/cluster/a.ts', 'const home = process.env.HOME', 'reads the environment'],
    ['the clock', 'src/cluster/a.ts', 'const now = Date.now()', 'reads the clock'],
    ['a drawer for anything', 'src/cluster/utils.ts', '', 'one concern'],
  ])('%s', (_what, path, text, expected) => {
    expect(plant(path, text)).toEqual([expect.stringContaining(expected)])
  })

  test('what is allowed is not one', () => {
    const text = [
      "import { x } from '../process/exec.ts'",
      "import type { Y } from '../kubernetes/client.ts'",
      '// Date.now() in a comment, process.env too',
      "export type Kind = 'from' | 'import'",
      "const now = new Date('2026-11-21')",
    ].join('\n')
    expect(plant('src/cluster/a.ts', text)).toEqual([])
  })
})

test('imports over several lines are seen, with the line they end on', () => {
  expect(importsOf("import {\n  a,\n  b,\n} from './a.ts'\n\nexport * from './b.ts'")).toEqual([
    { target: './a.ts', line: 4 },
    { target: './b.ts', line: 6 },
  ])
})
