import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { allActions } from '../../actions/all-actions.ts'
import { differences } from '../../scripts/folder-differences.ts'
import { packageFolder } from '../../scripts/licence-file.ts'
import { renderActionReadme } from '../../scripts/render-action-readme.ts'
import { actionYmlPath } from '../../scripts/render-action-yml.ts'
import { repository } from '../support/test-host.ts'

/** A folder with the text of each file given. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-check-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    writeFileSync(path.join(folder, name), text)
  }
  return folder
}

function runScript(name: string, ...args: string[]): { status: number | null; output: string } {
  const result = spawnSync(process.execPath, [path.join(repository, 'scripts', `${name}.ts`), ...args], {
    encoding: 'utf8',
  })
  return { status: result.status, output: `${result.stdout}${result.stderr}` }
}

describe('dist', () => {
  test('a byte of difference, a missing and a left-over file are found', async () => {
    const committed = folderOf({ 'a.js': '1', 'chunks/b.js': '2', 'old.js': '3', 'images.json': '{}' })
    const fresh = folderOf({ 'a.js': '1 ', 'chunks/b.js': '2', 'chunks/new.js': '4' })
    expect(await differences(committed, fresh, ['images.json'])).toEqual([
      'a.js differs',
      'chunks/new.js is missing',
      'old.js is left over',
    ])
    expect(await differences(fresh, fresh)).toEqual([])
  })

  test('a dist that is not there at all is all missing', async () => {
    expect(await differences('/does/not/exist', folderOf({ 'a.js': '' }))).toEqual(['a.js is missing'])
  })

  test('the package of a bundled module is found, also inside of another one', () => {
    expect(packageFolder('/r/node_modules/@a/b/lib/x.js')).toBe('/r/node_modules/@a/b')
    expect(packageFolder('/r/node_modules/a/node_modules/b/x.js')).toBe('/r/node_modules/a/node_modules/b')
    expect(packageFolder('/r/src/x.ts')).toBeUndefined()
  })
})

describe('generated pages', () => {
  const [action] = allActions
  if (action === undefined) throw new Error('no actions')

  test('keep what people wrote around the markers', () => {
    const page = renderActionReadme(action, undefined)
    const edited = `Before.\n\n${page.slice(page.indexOf('<!--'))}\nAfter.\n`
    const again = renderActionReadme(action, edited)
    expect(again).toBe(edited)
    expect(renderActionReadme(action, edited.replace('| `kubeconfig` |', '| `kubecfg` |'))).toBe(edited)
  })

  test('are not written over where a marker is missing', () => {
    const page = renderActionReadme(action, undefined)
    expect(() => renderActionReadme(action, page.replace('<!-- api-end -->', ''))).toThrow('markers')
  })
})

describe('workflows', { timeout: 300_000 }, () => {
  const workflow = (step: string): string =>
    `name: Planted\non: pull_request\npermissions: {}\nconcurrency:\n  group: planted\njobs:\n  planted:\n    name: Planted\n    runs-on: ubuntu-24.04\n    permissions: {}\n    steps:\n      - ${step}\n`
  const harmless = workflow('run: echo hello')

  /** The real actions with a workflow, and one text of it all replaced. */
  function lint(text: string, change: { file: string; from: string; to: string } | undefined = undefined) {
    const folder = folderOf({ '.github/workflows/planted.yml': text })
    for (const file of allActions.map(actionYmlPath)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
      cpSync(path.join(repository, file), path.join(folder, file))
    }
    if (change !== undefined) {
      const file = path.join(folder, change.file)
      const before = readFileSync(file, 'utf8')
      expect(before).toContain(change.from)
      writeFileSync(file, before.replace(change.from, change.to))
    }
    return runScript('lint-workflows', folder)
  }

  // The first run may have to build the tools.
  beforeAll(() => {
    expect(lint(harmless)).toMatchObject({ status: 0 })
  })

  test.each([
    ['an action that is not pinned by commit', 'uses: actions/checkout@v7', 'unpinned-uses'],
    [
      'a title that becomes part of a script',
      'run: echo "${{ github.event.pull_request.title }}"',
      'template-injection',
    ],
    ['a key that does not exist', 'run: echo hello\n        shel: bash', 'unexpected key "shel"'],
    [
      'an expression that refers to nothing',
      'run: echo "${{ steps.gone.outputs.x }}"',
      'property "gone" is not defined',
    ],
  ])('%s', (_what, step, expected) => {
    const { status, output } = lint(workflow(step))
    expect(status).toBe(1)
    expect(output).toContain(expected)
  })

  test('our own actions may be used by their major tag', () => {
    expect(lint(workflow('uses: org/k8s-platform/assert@v1'))).toMatchObject({ status: 0 })
    expect(lint(workflow('uses: org/k8s-platform@v1'))).toMatchObject({ status: 0 })
  })

  test.each([
    [
      'an input is lost',
      { file: 'setup-cluster/action.yml', from: '  workers:\n', to: '  worker:\n' },
      '"workers" is not defined',
    ],
    [
      'an output is lost',
      { file: 'assert/action.yml', from: '  verdict:\n', to: '  verdct:\n' },
      '"verdict" is not defined',
    ],
    ['a runtime that GitHub does not have', { file: 'action.yml', from: 'node24', to: 'node25' }, 'node25'],
    ['a bundle that does not exist', { file: 'teardown/action.yml', from: 'teardown.js', to: 'gone.js' }, 'gone.js'],
  ])('%s in an action.yml', (_what, change, expected) => {
    const { status, output } = lint(harmless, change)
    expect(status).toBe(1)
    expect(output).toContain(expected)
  })

  test('nothing to check is a failure', () => {
    expect(runScript('lint-workflows', folderOf({ 'README.md': '' })).status).not.toBe(0)
  })
})

test('a check that does not exist is an error, not a green run', () => {
  expect(runScript('check', 'tpyes')).toMatchObject({
    status: 2,
    output: expect.stringContaining('no check named tpyes'),
  })
})
