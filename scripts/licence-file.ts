import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Plugin } from 'rolldown'

/** Adds licenses.txt: name, version and licence text of every package of which something ended up in the bundles. */
export function licenceFile(root: string): Plugin {
  return {
    name: 'licence-file',
    generateBundle(_options, bundle) {
      const folders = new Set<string>()
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk') continue
        for (const id of Object.keys(output.modules)) {
          const folder = packageFolder(id)
          if (folder !== undefined) folders.add(path.relative(root, folder))
        }
      }
      const texts = [...folders].sort().map((folder) => licenceOf(path.join(root, folder)))
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: texts.join(`\n${'-'.repeat(80)}\n\n`) })
    },
  }
}

/** The innermost package that a module belongs to. */
export function packageFolder(id: string): string | undefined {
  const match = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)
  return match?.[1]
}

function licenceOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
    name: string
    version: string
    license?: string
  }
  const file = readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort()[0]
  const text = file === undefined ? 'The package has no licence file.' : readFileSync(path.join(folder, file), 'utf8')
  return `${manifest.name} ${manifest.version}\nLicence: ${manifest.license ?? 'not stated'}\n\n${text.trim()}\n`
}
