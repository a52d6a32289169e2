import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { allActions } from '../../actions/all-actions.ts'
import { generatedFiles } from '../../scripts/generated-files.ts'
import { actionReadmePath } from '../../scripts/render-action-readme.ts'
import { actionYmlPath, rootAction } from '../../scripts/render-action-yml.ts'
import { parseInput } from '../../src/action/input-kinds.ts'
import { inputVariable } from '../../src/action/parse-inputs.ts'
import { specSchema } from '../../src/spec/schema.ts'
import { repository } from '../support/test-host.ts'

const read = (file: string): Promise<string> => readFile(path.join(repository, file), 'utf8')

interface Metadata {
  readonly description: string
  readonly inputs: Record<
    string,
    { readonly default?: string; readonly required: boolean; readonly description: string }
  >
  readonly outputs: Record<string, { readonly description: string }>
  readonly runs: { readonly using: string; readonly main: string; readonly post?: string; readonly 'post-if'?: string }
}

describe.each(allActions.map((action) => [action.name, action] as const))('%s', (name, action) => {
  const metadata = async (): Promise<Metadata> => parse(await read(actionYmlPath(action)))

  test('action.yml says what the contract says', async () => {
    const yml = await metadata()
    expect(Object.keys(yml.inputs)).toEqual(Object.keys(action.inputs))
    expect(Object.keys(yml.outputs)).toEqual(Object.keys(action.outputs))
    for (const [input, definition] of Object.entries(action.inputs)) {
      expect(yml.inputs[input]?.default, input).toBe(definition.default)
      expect(yml.inputs[input]?.required, input).toBe(definition.required === true)
      // The runner would hand such a default over as if somebody had given it, and the spec would never be heard.
      if (definition.spec !== undefined) expect(yml.inputs[input]).not.toHaveProperty('default')
    }
  })

  test('runs bundles that exist, on Node 24', async () => {
    const { runs } = await metadata()
    expect(runs.using).toBe('node24')
    const folder = path.dirname(path.join(repository, actionYmlPath(action)))
    for (const bundle of [runs.main, runs.post].filter((file) => file !== undefined)) {
      expect(path.relative(repository, path.join(folder, bundle))).toMatch(/^dist\//)
      await expect(readFile(path.join(folder, bundle), 'utf8')).resolves.not.toBe('')
    }
    expect(runs.post !== undefined).toBe(action.post)
    if (action.post) expect(runs['post-if']).toBe('always()')
  })

  test('has a post step exactly where there is a post.ts', async () => {
    expect((await readdir(path.join(repository, 'actions', name))).includes('post.ts')).toBe(action.post)
  })

  test('every example is valid, and no two inputs share a variable', () => {
    for (const [input, definition] of Object.entries(action.inputs)) {
      expect(parseInput(definition, definition.example), input).toHaveProperty('value')
      if (definition.default !== undefined && !definition.default.includes('${{'))
        expect(parseInput(definition, definition.default), input).toHaveProperty('value')
    }
    const variables = Object.keys(action.inputs).map(inputVariable)
    expect(new Set(variables).size).toBe(variables.length)
  })

  test('every place in the spec exists and takes what the input gives', () => {
    for (const [input, definition] of Object.entries(action.inputs)) {
      if (definition.spec === undefined) continue
      const parsed = parseInput(definition, definition.example)
      if (!('specValue' in parsed)) throw new Error(`${input}: ${parsed.problem}`)
      const spec = { apiVersion: 'k8s-platform/v1', ...nested(definition.spec.split('.'), parsed.specValue) }
      expect(specSchema.safeParse(spec).error?.issues ?? [], `${input} -> ${definition.spec}`).toEqual([])
    }
  })

  test('inputs with a place in the spec state their default in words', () => {
    for (const [input, definition] of Object.entries(action.inputs)) {
      if (definition.spec !== undefined) expect(definition.description, input).toMatch(/Default: .+\.$/)
    }
  })

  test('README lists every input and output, and its usage is what we test', async () => {
    const readme = await read(actionReadmePath(action))
    for (const [input, definition] of Object.entries(action.inputs)) {
      expect(readme.includes(`| \`${input}\` |`), input).toBe(definition.internal !== true)
    }
    for (const output of Object.keys(action.outputs)) expect(readme).toContain(`| \`${output}\` |`)
    expect(readme).toContain(action.usage)
  })

  test('usage calls this action with inputs that it has', () => {
    const steps = parse(action.usage) as { uses?: string; with?: Record<string, unknown>; id?: string }[]
    const uses = name === rootAction ? 'org/k8s-platform@v1' : `org/k8s-platform/${name}@v1`
    const step = steps.find((entry) => entry.uses === uses)
    expect(step).toBeDefined()
    for (const input of Object.keys(step?.with ?? {})) expect(Object.keys(action.inputs)).toContain(input)
    for (const [, output] of action.usage.matchAll(/steps\.[\w-]+\.outputs\.([\w-]+)/g))
      expect(Object.keys(action.outputs)).toContain(output)
  })

  test('describes itself within the Marketplace’s limits', () => {
    expect(action.description.length).toBeLessThanOrEqual(125)
    expect(action.description).not.toMatch(/\.$/)
  })
})

test('every folder of actions/ is a listed action', async () => {
  const entries = await readdir(path.join(repository, 'actions'), { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  expect(folders.sort()).toEqual(allActions.map((action) => action.name).sort())
})

test('the door of an action hides no other folder of the repository', async () => {
  for (const { name } of allActions) {
    if (name === rootAction) continue
    expect((await readdir(path.join(repository, name))).sort()).toEqual(['README.md', 'action.yml'])
  }
})

test('generated files are as they would be generated', async () => {
  for (const [file, content] of await generatedFiles()) expect(await read(file), file).toBe(content)
})

describe('workflow examples', () => {
  test('use our actions with inputs and outputs that exist', async () => {
    const files = (await readdir(path.join(repository, 'workflows-examples'))).filter((file) => file.endsWith('.yml'))
    expect(files).toContain('quickstart.yml')
    for (const file of files) {
      const text = await read(path.join('workflows-examples', file))
      const { jobs } = parse(text) as {
        jobs: Record<string, { steps: { id?: string; uses?: string; with?: object }[] }>
      }
      const steps = Object.values(jobs).flatMap((job) => job.steps)
      const ids = new Map<string, string>()
      for (const step of steps) {
        const match = /^org\/k8s-platform(?:\/([\w-]+))?@v1$/.exec(step.uses ?? '')
        if (match === null) continue
        const action = allActions.find((entry) => entry.name === (match[1] ?? rootAction))
        if (action === undefined) throw new Error(`${file} uses ${step.uses}, which does not exist`)
        for (const input of Object.keys(step.with ?? {})) expect(Object.keys(action.inputs)).toContain(input)
        if (step.id !== undefined) ids.set(step.id, action.name)
      }
      for (const [, id = '', output] of text.matchAll(/steps\.([\w-]+)\.outputs\.([\w-]+)/g)) {
        const action = allActions.find((entry) => entry.name === ids.get(id))
        expect(Object.keys(action?.outputs ?? {}), `${file}: steps.${id}.outputs.${output}`).toContain(output)
      }
    }
  })
})

function nested(place: readonly string[], value: unknown): object {
  const [first = '', ...rest] = place
  return { [first]: rest.length === 0 ? value : nested(rest, value) }
}
