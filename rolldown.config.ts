import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, type RolldownOptions } from 'rolldown'
import { allActions } from './actions/all-actions.ts'
import { licenceFile } from './scripts/licence-file.ts'

const root = path.dirname(fileURLToPath(import.meta.url))

/** Mangled names make stack traces of users worthless and save little once compressed. */
const minify = { mangle: false, compress: true, codegen: { removeWhitespace: true } } as const

/** Modules that only define things, although their packages do not say so: unused, they are left out. */
const pure = /node_modules\/(@actions|undici|tunnel|@kubernetes\/client-node)\//

const shared = {
  cwd: root,
  platform: 'node',
  treeshake: { moduleSideEffects: (id: string) => !pure.test(id) },
} as const satisfies RolldownOptions

/** `dist/<action>.js`, `dist/<action>-post.js` and `dist/cli.js` over shared chunks. */
const programs: Record<string, string> = {
  cli: 'src/cli/main.ts',
  ...Object.fromEntries(
    allActions.flatMap(({ name, post }) => [
      [name, `actions/${name}/main.ts`],
      ...(post ? [[`${name}-post`, `actions/${name}/post.ts`] as const] : []),
    ]),
  ),
}

export default defineConfig([
  {
    ...shared,
    input: programs,
    plugins: [licenceFile(root)],
    output: {
      dir: 'dist',
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name].js',
      minify,
      cleanDir: true,
    },
  },
  {
    ...shared,
    // One file without imports: it is sent into pods by standard input.
    input: { probe: 'src/probe/probe.ts' },
    output: { dir: 'dist', format: 'esm', entryFileNames: '[name].js', codeSplitting: false, minify },
  },
])
