import { describe, expect, expectTypeOf, test } from 'vitest'
import { defineAction, type InputValues } from '../../../src/action/define-action.ts'
import { inputVariable, parseInputs, secretInputs } from '../../../src/action/parse-inputs.ts'
import { InputError } from '../../../src/process/errors.ts'

const contract = defineAction({
  name: 'sample',
  title: 'Sample',
  description: 'For tests',
  inputs: {
    provider: { type: 'choice', of: ['kind', 'k3d'], spec: 'cluster.provider', description: 'd', example: 'kind' },
    workers: { type: 'integer', min: 0, max: 50, spec: 'cluster.workers', description: 'd', example: '3' },
    registry: { type: 'boolean', default: 'true', description: 'd', example: 'false' },
    timeout: { type: 'duration', spec: 'cluster.timeout', description: 'd', example: '10m' },
    args: { type: 'list', separator: 'line', description: 'd', example: '--verbosity=3' },
    'wait-for': { type: 'choices', of: ['api', 'nodes'], description: 'd', example: 'api, nodes' },
    version: { type: 'version', description: 'd', example: '1.36' },
    token: { type: 'secret', description: 'd', example: '${{ secrets.TOKEN }}' },
    name: {
      type: 'string',
      required: true,
      description: 'd',
      example: 'demo',
      pattern: { regex: /^[a-z]+$/, allowed: 'lower-case letters' },
    },
    'job-status': {
      type: 'string',
      internal: true,
      default: '${{ job.status }}',
      description: 'd',
      example: 'success',
    },
  },
  renamed: { cluster_name: 'name' },
  rules: [
    ({ registry, provider }) =>
      registry === false && provider === 'k3d' ? [{ name: 'registry', problem: 'is needed by k3d' }] : [],
  ],
  outputs: { kubeconfig: 'Path.' },
  state: {},
  post: false,
  permissions: {},
  requirements: [],
  usage: '',
  branding: { icon: 'box', color: 'blue' },
})

function environment(inputs: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [inputVariable(name), value]))
}

const parse = (inputs: Record<string, string>) => parseInputs(contract, environment({ name: 'demo', ...inputs }))

function messageOf(inputs: Record<string, string>): string {
  try {
    parseInputs(contract, environment(inputs))
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return (error as Error).message
  }
  throw new Error('expected an InputError')
}

describe('types', () => {
  test('follow from the contract', () => {
    type Values = InputValues<typeof contract.inputs>
    expectTypeOf<Values['provider']>().toEqualTypeOf<'kind' | 'k3d' | undefined>()
    expectTypeOf<Values['workers']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Values['registry']>().toEqualTypeOf<boolean>()
    expectTypeOf<Values['timeout']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<Values['args']>().toEqualTypeOf<readonly string[] | undefined>()
    expectTypeOf<Values['wait-for']>().toEqualTypeOf<readonly ('api' | 'nodes')[] | undefined>()
    expectTypeOf<Values['name']>().toEqualTypeOf<string>()
    // @ts-expect-error an input that does not exist
    expectTypeOf<Values['nmae']>().toEqualTypeOf<string>()
  })
})

describe('values', () => {
  test('are parsed once, with defaults only where nothing else has a say', () => {
    const given = { provider: 'k3d', workers: '0', timeout: '1m30s', args: ' --a b \n\n--c', 'wait-for': 'api,nodes' }
    expect(parse(given)).toEqual({
      values: {
        name: 'demo',
        registry: true,
        provider: 'k3d',
        workers: 0,
        timeout: 90_000,
        args: ['--a b', '--c'],
        'wait-for': ['api', 'nodes'],
      },
      overrides: { 'cluster.provider': 'k3d', 'cluster.workers': 0, 'cluster.timeout': '1m30s' },
      givenAs: {
        'cluster.provider': { name: 'provider', example: 'kind' },
        'cluster.workers': { name: 'workers', example: '3' },
        'cluster.timeout': { name: 'timeout', example: '10m' },
      },
    })
  })

  test('that are empty count as not given', () => {
    expect(parse({ provider: '', workers: ' ' }).overrides).toEqual({})
  })

  test('of secrets are handed over for masking and may have many lines', () => {
    expect(secretInputs(contract, { INPUT_TOKEN: 'line 1\nline 2', INPUT_WORKERS: 'x' })).toEqual(['line 1\nline 2'])
  })

  test('of hyphens stay and of spaces become underscores in the variable, as the runner does it', () => {
    expect(inputVariable('wait-for')).toBe('INPUT_WAIT-FOR')
    expect(inputVariable('wait for')).toBe('INPUT_WAIT_FOR')
  })
})

describe('errors', () => {
  test('come all at once, each with name, value, what is allowed and an example', () => {
    expect(
      messageOf({ provider: 'kindd', workers: '51', registry: 'yes', timeout: 'soon', name: 'X' }),
    ).toMatchInlineSnapshot(`
      "5 problems:
      - provider (got "kindd") is not known; did you mean kind?; allowed: kind, k3d; example: kind
      - workers (got "51") is out of range; allowed: a whole number from 0 to 50; example: 3
      - registry (got "yes") is not a boolean; allowed: true, false; example: false
      - timeout (got "soon") is not a duration; allowed: a number with a unit (ms, s, m, h); example: 10m
      - name (got "X") has another form than allowed; allowed: lower-case letters; example: demo"
    `)
  })

  test.each(['True', 'TRUE', 'yes', '1', 'on'])('a boolean is not guessed: %s', (value) => {
    expect(messageOf({ name: 'demo', registry: value })).toContain('is not a boolean')
  })

  test.each(['3.0', '1e1', '0x3', '-1', '٣', '999999999999'])('a number is not guessed: %s', (value) => {
    expect(messageOf({ name: 'demo', workers: value })).toMatch(/is not a whole number|is out of range/)
  })

  test('an unknown input names the nearest one', () => {
    expect(messageOf({ name: 'demo', wrokers: '2' })).toBe(
      'wrokers is not an input of sample; did you mean workers?; allowed: provider, workers, registry, timeout, args, wait-for, version, token, name',
    )
  })

  test('a foreign name points to ours and does not also count as missing', () => {
    expect(messageOf({ cluster_name: 'demo' })).toBe('cluster_name was renamed to name')
  })

  test('a missing required input is named with an example', () => {
    expect(messageOf({})).toBe('name is missing; example: demo')
  })

  test('rules between inputs run once each is valid', () => {
    expect(messageOf({ name: 'demo', provider: 'k3d', registry: 'false' })).toBe('registry is needed by k3d')
    expect(messageOf({ name: 'demo', provider: 'k3', registry: 'false' })).not.toContain('is needed by k3d')
  })

  test('never show a secret', () => {
    const message = messageOf({ name: 'demo', token: 'hun\u0000ter2' })
    expect(message).toContain('token (got "***")')
    expect(message).not.toContain('ter2')
  })

  test('a line break in a value of one line is refused', () => {
    expect(messageOf({ name: 'demo\n::set-output name=kubeconfig::x' })).toContain('holds a line break')
  })
})

describe('a contract that contradicts itself does not load', () => {
  const base = { ...contract, rules: [], renamed: {} }
  test.each([
    [
      'a default beside a place in the spec',
      { a: { type: 'boolean', spec: 'x', default: 'true', description: '', example: '' } },
    ],
    ['a name that is not kebab-case', { a_b: { type: 'boolean', description: '', example: '' } }],
    [
      'a default of a required input',
      { a: { type: 'boolean', required: true, default: 'true', description: '', example: '' } },
    ],
  ] as const)('%s', (_what, inputs) => {
    expect(() => defineAction({ ...base, inputs })).toThrow()
  })

  test('a renaming to nothing', () => {
    expect(() => defineAction({ ...base, renamed: { old: 'nothing' } })).toThrow('points to nothing')
  })
})
