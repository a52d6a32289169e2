/**
 * Checks every workflow and action: actionlint, also for our own action.yml files through a generated workflow that uses each, and zizmor without network.
 *   lint-workflows [folder]   folder to look at instead of this repository
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { allActions } from '../actions/all-actions.ts'
import { actionlint, zizmor } from './lint-tools.ts'
import { actionYmlPath } from './render-action-yml.ts'
import { renderUsesWorkflow } from './render-uses-workflow.ts'
import { repositoryRoot } from './repository.ts'

const root = path.resolve(process.argv[2] ?? repositoryRoot)
const workflows = [...(await yamlFiles('.github/workflows')), ...(await yamlFiles('workflows-examples'))]
const actions = allActions.map(actionYmlPath).filter((file) => existsSync(path.join(root, file)))
if (workflows.length === 0 || actions.length === 0) throw new Error(`no workflows or no actions in ${root}`)

const results = [
  await lintInProject(),
  run(await zizmor(), [
    '--offline',
    '--no-progress',
    '--color=never',
    '--config',
    path.join(repositoryRoot, '.github', 'zizmor.yml'),
    ...workflows,
    ...actions,
  ]),
]
process.exitCode = results.every((code) => code === 0) ? 0 : 1

/**
 * actionlint reads `./<action>/action.yml` from the project it finds around a workflow, so a copy of what matters is made into one: the repository itself may be
 * an unpacked archive without .git, and the generated workflow must not lie in it.
 */
async function lintInProject(): Promise<number> {
  const project = await mkdtemp(path.join(tmpdir(), 'k8s-platform-lint-'))
  try {
    await mkdir(path.join(project, '.git'))
    for (const file of [...workflows, ...actions]) await copy(file, project)
    // actionlint checks that what an action.yml names exists; dist/ is checked by itself.
    for (const { name } of allActions) {
      for (const bundle of [`${name}.js`, `${name}-post.js`]) await write(project, path.join('dist', bundle), '')
    }
    const uses = '.github/workflows/uses-every-action.yml'
    await write(project, uses, renderUsesWorkflow(allActions))
    return run(await actionlint(), ['-no-color', ...workflows, uses], project)
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}

async function copy(file: string, project: string): Promise<void> {
  await write(project, file, await readFile(path.join(root, file), 'utf8'))
}

async function write(project: string, file: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.join(project, file)), { recursive: true })
  await writeFile(path.join(project, file), text)
}

async function yamlFiles(folder: string): Promise<string[]> {
  const names = await readdir(path.join(root, folder)).catch(() => [] as string[])
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => path.join(folder, name))
}

function run(command: string, args: readonly string[], cwd: string = root): number {
  const result = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (result.error !== undefined) throw result.error
  return result.status ?? 1
}
