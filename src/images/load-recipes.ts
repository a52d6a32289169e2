import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { nearestName } from '../process/nearest-name.ts'
import { kubernetesRow, recipeVariables } from './kubernetes-versions.ts'
import { type Recipe, recipeSchema } from './recipe.ts'
import { substitute } from './variables.ts'

/** All recipes, by name. */
export type Recipes = ReadonlyMap<string, Recipe>

/**
 * Reads and validates images/recipes/ for a Kubernetes version of the table.
 * @throws InputError with every problem of every file; UnsupportedError for a version that is not in the table.
 */
export async function loadRecipes(host: Pick<Host, 'paths'>, kubernetesVersion: string): Promise<Recipes> {
  const variables = recipeVariables(await kubernetesRow(host, kubernetesVersion), process.arch)
  const folder = join(host.paths.assets, 'images/recipes')
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort()
  const problems: Problem[] = []
  const recipes = new Map<string, Recipe>()
  for (const file of files) {
    const name = file.slice(0, -'.yaml'.length)
    const recipe = parseRecipe(name, await readFile(join(folder, file), 'utf8'), variables, problems)
    if (recipe !== undefined) recipes.set(name, recipe)
  }
  checkReferences(recipes, problems)
  if (problems.length > 0) throw new InputError(problems, { code: 'RECIPE_INVALID' })
  return recipes
}

/** One recipe; problems are added to the list. Exported for tests. */
export function parseRecipe(
  name: string,
  text: string,
  variables: Readonly<Record<string, string>>,
  problems: Problem[],
): Recipe | undefined {
  const file = `images/recipes/${name}.yaml`
  const document = parseDocument(text, { uniqueKeys: true })
  const [syntax] = document.errors
  if (syntax !== undefined) {
    problems.push({ name: file, problem: `is not YAML: ${syntax.message.split('\n')[0]}` })
    return undefined
  }
  const content: unknown = substitute(document.toJS(), variables, (variable) =>
    problems.push({
      name: file,
      value: `\${${variable}}`,
      problem: 'is not a variable',
      allowed: Object.keys(variables).join(', '),
    }),
  )
  const result = recipeSchema.safeParse(content)
  if (result.success) return { ...result.data, name, variables }
  for (const issue of result.error.issues) problems.push(...problemsOf(file, issue))
  return undefined
}

function problemsOf(file: string, issue: z.core.$ZodIssue): Problem[] {
  const where = (path: readonly PropertyKey[]): string => `${file} ${path.map(String).join('.')}`.trimEnd()
  if (issue.code !== 'unrecognized_keys') return [{ name: where(issue.path), problem: issue.message }]
  const known = issue.path.length === 0 ? Object.keys(recipeSchema.shape) : []
  return issue.keys.map((key) => {
    const near = nearestName(key, known)
    return {
      name: where([...issue.path, key]),
      problem: `is not a known key${near === undefined ? '' : `; did you mean ${near}?`}`,
    }
  })
}

/** Recipes may only refer to recipes that exist, not in circles, and Debian packages need a Debian root below. */
function checkReferences(recipes: Recipes, problems: Problem[]): void {
  for (const recipe of recipes.values()) {
    const file = `images/recipes/${recipe.name}.yaml`
    for (const needed of needsOf(recipe)) {
      if (recipes.has(needed)) continue
      const near = nearestName(needed, [...recipes.keys()])
      problems.push({
        name: file,
        value: needed,
        problem: `is not a recipe${near === undefined ? '' : `; did you mean ${near}?`}`,
      })
    }
    if (isCircular(recipe, recipes)) problems.push({ name: file, problem: 'depends on itself' })
    else if (changesRoot(recipe) && !isDebian(recipe, recipes)) {
      problems.push({ name: file, problem: 'has packages, users or setup, which need a base made by bootstrap' })
    }
    if (recipe.bootstrap !== undefined && recipe.base !== undefined)
      problems.push({ name: file, problem: 'has both base and bootstrap' })
    for (const copy of recipe.copies) {
      const source = recipes.get(copy.recipe)
      if (source !== undefined && source.go[copy.from] === undefined) {
        problems.push({
          name: `${file} copies`,
          value: copy.from,
          problem: `is not a binary of ${copy.recipe}`,
          allowed: Object.keys(source.go).join(', '),
        })
      }
    }
    for (const [path, binary] of Object.entries(recipe.go)) {
      if (binary.module === undefined && binary.folder === undefined)
        problems.push({ name: `${file} go.${path}`, problem: 'needs module or folder' })
      if ((binary.module === undefined) !== (binary.version === undefined))
        problems.push({ name: `${file} go.${path}`, problem: 'needs module and version together' })
    }
  }
}

/** Recipes that must be built before this one. */
export function needsOf(recipe: Recipe): readonly string[] {
  const needed = [
    recipe.base,
    recipe.unpack?.root,
    ...recipe.preload,
    ...recipe.copies.map((copy) => copy.recipe),
  ].filter((name) => name !== undefined)
  return [...new Set(needed)]
}

/** True when building it runs programs inside the base's root file system. */
export function changesRoot(recipe: Recipe): boolean {
  return (
    recipe.bootstrap === undefined &&
    (recipe.packages.length > 0 || recipe.users.length > 0 || recipe.setup !== undefined)
  )
}

function isDebian(recipe: Recipe, recipes: Recipes): boolean {
  if (recipe.bootstrap !== undefined) return true
  const base = recipe.base === undefined ? undefined : recipes.get(recipe.base)
  return base !== undefined && isDebian(base, recipes)
}

function isCircular(recipe: Recipe, recipes: Recipes, seen: readonly string[] = []): boolean {
  if (seen.includes(recipe.name)) return true
  return needsOf(recipe).some((name) => {
    const needed = recipes.get(name)
    return needed !== undefined && isCircular(needed, recipes, [...seen, recipe.name])
  })
}
