import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parseSpec } from '../../src/spec/load-spec.ts'
import { resolveSettings } from '../../src/spec/settings.ts'
import { repository } from '../support/test-host.ts'

test('the example of docs/platform.md is a valid spec, with each of its profiles', async () => {
  const page = await readFile(path.join(repository, 'docs', 'platform.md'), 'utf8')
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? []
  const spec = parseSpec(example, 'docs/platform.md')
  const profiles = Object.keys(spec.spec.profiles ?? {})
  expect(profiles).toEqual(['small'])
  expect(resolveSettings({ spec, defaultImageSource: 'registry' }).cluster.nodes).toHaveLength(4)
  expect(resolveSettings({ spec, profile: 'small', defaultImageSource: 'registry' }).cluster.nodes).toHaveLength(1)
})
