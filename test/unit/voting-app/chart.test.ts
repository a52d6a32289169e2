import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { repository } from '../../support/test-host.ts'

interface Schema {
  readonly type?: string | string[]
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean
  readonly maxProperties?: number
  readonly required?: readonly string[]
  readonly definitions?: Readonly<Record<string, Schema>>
}

const chart = path.join(repository, 'charts', 'voting-app')
const read = (file: string): string => readFileSync(path.join(chart, file), 'utf8')
const schema = JSON.parse(read('values.schema.json')) as Schema
const values = parse(read('values.yaml')) as Record<string, unknown>

function resolve(node: Schema): Schema {
  if (node.$ref === undefined) return node
  const found = schema.definitions?.[node.$ref.replace('#/definitions/', '')]
  if (found === undefined) throw new Error(`${node.$ref} is not defined`)
  return found
}

/** Every object of the schema with its place. */
function objects(node: Schema, place: string): [string, Schema][] {
  const here = resolve(node)
  const below = Object.entries(here.properties ?? {}).flatMap(([name, child]) => objects(child, `${place}.${name}`))
  return here.type === 'object' ? [[place, here], ...below] : below
}

describe('values.schema.json', () => {
  it('refuses unknown keys everywhere', () => {
    const open = objects(schema, 'values').filter(
      ([, node]) => node.additionalProperties !== false && node.maxProperties !== 0,
    )
    expect(open.map(([place]) => place)).toEqual([])
  })

  it('knows exactly the keys of values.yaml', () => {
    const compare = (node: Schema, value: unknown, place: string): string[] => {
      const { properties } = resolve(node)
      if (properties === undefined || typeof value !== 'object' || value === null) return []
      const known = Object.keys(properties)
      const given = Object.keys(value)
      return [
        ...given.filter((name) => !known.includes(name)).map((name) => `${place}.${name} is not in the schema`),
        // Helm's own key, and limits nobody has to give.
        ...known
          .filter((name) => !given.includes(name) && !/^values\.global$|\.(requests|limits)\./.test(`${place}.${name}`))
          .map((name) => `${place}.${name} has no default`),
        ...given.flatMap((name) =>
          properties[name] === undefined
            ? []
            : compare(properties[name], (value as Record<string, unknown>)[name], `${place}.${name}`),
        ),
      ]
    }
    expect(compare(schema, values, 'values')).toEqual([])
  })
})

describe('templates', () => {
  const services = ['vote', 'worker', 'result', 'redis', 'postgres']

  it.each(services)('%s runs restricted, probed and limited', (service) => {
    const template = read(`templates/${service}.yaml`)
    expect(template).toContain('voting-app.podSpec')
    expect(template).toContain('voting-app.containerSecurity')
    expect(template).toMatch(/voting-app\.probes|startupProbe[\s\S]*livenessProbe[\s\S]*readinessProbe/)
    expect(template).toContain(`.Values.${service}.resources`)
    expect((values[service] as { resources: { limits: object } }).resources.limits).toHaveProperty('memory')
  })

  it('hold no password', () => {
    const secret = read('templates/postgres-secret.yaml')
    expect(secret).toContain('lookup "v1" "Secret"')
    expect(secret).toContain('randAlphaNum 32')
    expect(JSON.stringify(values)).not.toMatch(/password":"(?!password")[^"]+"/)
  })

  it('make an acknowledged vote durable', () => {
    const redis = read('templates/redis.yaml')
    for (const line of ['appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction'])
      expect(redis).toContain(line)
  })
})
