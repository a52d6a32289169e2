import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type DeployInputs, deployRequest } from '../../../src/deploy/deploy-request.ts'
import { givenValues, upgradeArgs, type ValuesSource } from '../../../src/deploy/helm.ts'
import { parseManifests } from '../../../src/deploy/parse-manifests.ts'
import { canonical, replaceImages } from '../../../src/deploy/replace-images.ts'
import { InputError, renderProblems } from '../../../src/process/errors.ts'
import { silentLogger } from '../../../src/process/log.ts'
import { recordFault } from '../../support/fault-results.ts'
import { cases, hostileText, hugeText, patience } from '../../support/hostile-text.ts'

const env = { DB_PASSWORD: 'hunter2', EMPTY: '' }

/** Mostly what is right, sometimes with something hostile in it, sometimes nothing else. */
const near = (...valid: string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...valid) },
    { weight: 1, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...valid), hostileText).map((parts) => parts.join('')) },
  )
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const some = (...valid: string[]): fc.Arbitrary<string[] | undefined> =>
  fc.option(fc.array(near(...valid), { maxLength: 3 }), { nil: undefined, freq: 2 })

const source = fc.oneof(
  fc.record({ chart: near('charts/shop', 'oci://registry.example.com/shop'), chartVersion: optional(near('1.2.3')) }),
  fc.record({ kustomize: near('k8s/overlays/test', './k8s/') }),
  fc.record({ manifests: fc.array(near('k8s/*.yaml', 'app.yml', 'k8s/{a,b}.yaml'), { maxLength: 3 }) }),
  fc.record({ chart: optional(hostileText), kustomize: optional(hostileText), manifests: some('k8s/') }),
)
const inputs: fc.Arbitrary<DeployInputs> = fc
  .tuple(
    source,
    fc.record({
      images: some('shop/web:ci', 'nginx=shop/web:ci'),
      values: some('values.yaml'),
      set: some(
        'a.b=1',
        'db.password=fromEnv:DB_PASSWORD',
        'x=fromEnv:EMPTY',
        '__proto__.x=1',
        'a=[',
        'constructor.b=y',
      ),
    }),
  )
  .map(([from, more]) => ({
    ...more,
    ...from,
    createNamespace: true,
    prune: false,
    forceConflicts: false,
    dryRun: false,
    timeoutMs: 1,
  }))

/** A manifest of whose parts any may be anything. */
const oddly = (valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 6, arbitrary: valid },
    { weight: 1, arbitrary: hostileText },
    { weight: 1, arbitrary: fc.jsonValue() },
  )
const container = oddly(
  fc.record(
    { name: oddly(fc.constant('web')), image: oddly(fc.constantFrom('nginx:1', 'shop/web')) },
    { requiredKeys: [] },
  ),
)
const pod = oddly(
  fc.record(
    {
      containers: oddly(fc.array(container, { maxLength: 2 })),
      initContainers: oddly(fc.array(container, { maxLength: 1 })),
    },
    { requiredKeys: ['containers'] },
  ),
)
const template = oddly(fc.record({ metadata: oddly(fc.constant({ labels: { app: 'web' } })), spec: pod }))
const specs = fc.oneof(
  pod,
  oddly(fc.record({ template })),
  oddly(fc.record({ jobTemplate: oddly(fc.record({ spec: oddly(fc.record({ template })) })) })),
)
const manifest = oddly(
  fc.record(
    {
      apiVersion: oddly(fc.constantFrom('v1', 'apps/v1', 'batch/v1')),
      kind: oddly(fc.constantFrom('Pod', 'Deployment', 'CronJob', 'List')),
      metadata: oddly(
        fc.record(
          {
            name: oddly(fc.constantFrom('web', 'api')),
            namespace: oddly(fc.constant('shop')),
            labels: oddly(fc.dictionary(hostileText, hostileText, { maxKeys: 2 })),
          },
          { requiredKeys: ['name'] },
        ),
      ),
      spec: specs,
      items: fc.array(fc.jsonValue(), { maxLength: 2 }),
    },
    { requiredKeys: ['apiVersion', 'kind', 'metadata', 'spec'] },
  ),
)
const manifests: fc.Arbitrary<string> = fc.oneof(
  { weight: 1, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.tuple(manifest, hostileText).map(([value, text]) => `${stringify(value)}${text}`) },
  {
    weight: 4,
    arbitrary: fc.array(manifest, { maxLength: 3 }).map((all) => all.map((one) => stringify(one)).join('---\n')),
  },
)

/** What a person would read of a problem: one line without a control character, short enough. */
function expectReadable(error: unknown): void {
  expect(error).toBeInstanceOf(InputError)
  const { problems } = error as InputError
  for (const problem of problems) {
    const text = renderProblems([problem])
    expect(text).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
    expect(text.length).toBeLessThan(2_000)
  }
  expect((error as InputError).message).not.toContain('hunter2')
}

/** Tries as many cases as wanted, and wants at least a twentieth of both kinds: cases of one kind alone would show half of it. */
function hold<T>(
  fault: string,
  arbitrary: fc.Arbitrary<T>,
  wanted: number,
  tryOne: (one: T) => 'refused' | 'taken',
): void {
  const number = cases(wanted)
  const seen = { refused: 0, taken: 0 }
  const result = fc.check(
    fc.property(arbitrary, (one) => {
      seen[tryOne(one)] += 1
    }),
    number,
  )
  const held = !result.failed && Math.min(seen.refused, seen.taken) > number.numRuns / 20
  recordFault({
    section: 'input',
    fault: `${number.numRuns} generated cases: ${fault}`,
    expected: 'each refused with readable problems, or taken as it stands',
    seen: result.failed ? 'a case broke it' : `${seen.refused} refused, ${seen.taken} taken, nothing else`,
    held,
  })
  expect(result.failed, `${fc.defaultReportMessage(result)} ${String(result.errorInstance)}`).toBe(false)
  expect(held, JSON.stringify(seen)).toBe(true)
}

describe('deploy with anything in it', () => {
  test(
    'makes a request of its inputs that names a release Helm and the API take, or refuses them',
    () => {
      hold('charts, values, images and folders of `deploy`', inputs, 5_000, (one) => {
        try {
          const request = deployRequest({ env, log: silentLogger }, one)
          expect(request.release).toMatch(/^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/)
          for (const { image, replaces = 'x' } of request.images)
            expect(`${image} ${replaces}`).toMatch(/^\w\S* \w\S*$/)
          expect(Object.getPrototypeOf({})).not.toHaveProperty('x')
          const target = { helm: 'helm', kubeconfig: 'kubeconfig', namespace: request.namespace.name }
          const values: ValuesSource[] = [...request.valuesFiles, givenValues]
          const argv = upgradeArgs(target, { release: request.release, chart: 'charts/shop', labels: {}, values })
          // Only what begins with our own flag may hold a text of theirs.
          expect(argv.filter((argument) => !argument.startsWith('--values='))).toHaveLength(
            argv.length - 1 - request.valuesFiles.length,
          )
          expect(JSON.stringify(argv)).not.toContain('hunter2')
          return 'taken'
        } catch (error) {
          expectReadable(error)
          return 'refused'
        }
      })
    },
    patience,
  )

  test(
    'reads any manifest, replaces the images in it, and names the place of what is wrong',
    () => {
      const digests = new Map([[canonical('shop/web:ci'), 'sha256:0']])
      const replacements = [{ name: 'nginx', image: 'shop/web:ci' }]
      hold('manifests', manifests, 1_000, (text) => {
        const { objects, problems } = parseManifests([{ name: 'app.yaml', text }])
        if (problems.length > 0) expectReadable(new InputError(problems))
        for (const { name } of problems) expect(name).toMatch(/^app\.yaml:[1-9]\d* \(document [1-9]\d*\)/)
        const before = JSON.stringify(objects)
        const replaced = replaceImages(
          objects.map(({ object }) => object),
          replacements,
          digests,
        )
        expect(JSON.stringify(objects)).toBe(before)
        expect(replaced.objects).toHaveLength(objects.length)
        for (const [index, object] of replaced.objects.entries()) {
          expect(object.metadata).toEqual(objects[index]?.object.metadata)
          expect(typeof object.metadata.name).toBe('string')
        }
        return problems.length > 0 ? 'refused' : 'taken'
      })
    },
    patience,
  )

  test(
    'takes a megabyte of anything in any input at once',
    () => {
      fc.assert(
        fc.property(hugeText, fc.constantFrom('images', 'values', 'set', 'manifests'), (text, place) => {
          const common = { createNamespace: true, prune: false, forceConflicts: false, dryRun: false }
          const from = place === 'manifests' ? {} : { chart: 'charts/shop' }
          try {
            deployRequest({ env, log: silentLogger }, { ...common, ...from, timeoutMs: 1, [place]: [text] })
          } catch (error) {
            expectReadable(error)
          }
        }),
        { numRuns: 12 },
      )
    },
    patience,
  )
})
