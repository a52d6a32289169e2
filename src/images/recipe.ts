import { z } from 'zod'

/**
 * What a recipe file under images/recipes/ may say. A recipe makes one image out of what package registries offer: its layer is put together on the
 * host and laid over the base, so that no container needs a network. Unknown keys are errors.
 */
const name = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'is not a lower-case name with hyphens')
const absolutePath = z.string().regex(/^\/\S*$/, 'is not an absolute path')
const assetPath = z.string().regex(/^(?![/.])(?!.*\.\.)\S+$/, 'is not a path below images/')
const mode = z.string().regex(/^0[0-7]{3,4}$/, 'is not a file mode such as "0755"')
const owner = z.string().regex(/^\d+:\d+$/, 'is not numeric, uid:gid')
const imageName = z
  .string()
  .regex(
    /^[a-z0-9.-]+\.[a-z]+\/[a-z0-9._/-]+:[\w.-]+$/,
    'is not a full image name with host and tag, such as docker.io/library/redis:7.0',
  )

/** A static binary: a package of a module, or a main package of our own over one (`folder`). */
export const goBinarySchema = z.strictObject({
  module: z.string().optional(),
  version: z.string().startsWith('v').optional(),
  /** Import path of the main package. Default: the module's root, or the folder. */
  package: z.string().optional(),
  /** Folder below images/ with our own main package; without `module` it brings its own go.mod. */
  folder: assetPath.optional(),
  /** Version for requirements the module leaves at v0.0.0, as Kubernetes does with its staging modules. */
  staging: z.string().startsWith('v').optional(),
  /** Values set by the linker: `import/path.variable` to value. */
  variables: z.record(z.string(), z.string()).default({}),
})
export type GoBinary = z.infer<typeof goBinarySchema>

const contractSchema = z.strictObject({
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  user: z.string().optional(),
  workdir: absolutePath.optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.number().int()).optional(),
  volumes: z.array(absolutePath).optional(),
  stopSignal: z.string().optional(),
  /** Runs that must end with exit code 0 and print a match of `prints`. */
  runs: z
    .array(
      z.strictObject({
        entrypoint: absolutePath.optional(),
        arguments: z.array(z.string()).default([]),
        prints: z.string(),
        user: z.string().optional(),
        readOnly: z.boolean().default(false),
        exitCode: z.number().int().default(0),
      }),
    )
    .default([]),
})

export const recipeSchema = z.strictObject({
  description: z.string(),
  /** Names under which users and manifests know the image. Empty: it only serves as a base. */
  upstream: z.array(imageName).default([]),
  /** Built only when asked for by name: no cluster needs it. */
  optional: z.boolean().default(false),
  /** Another recipe; without one the image starts empty. */
  base: name.optional(),
  /** Seconds of a cold build on two cores: what takes long, and what waits for it, starts first. */
  seconds: z.number().int().positive().default(5),
  /** A minimal Debian root file system, for a recipe without a base. */
  bootstrap: z.strictObject({ suite: z.string(), packages: z.array(z.string()).default([]) }).optional(),
  /** Debian packages installed over the base, which must be a Debian root, with what they depend on. */
  packages: z.array(z.string()).default([]),
  /** Debian packages unpacked as they are, nothing of them is run: `root` is the Debian recipe whose suite they come from. */
  unpack: z.strictObject({ root: name, packages: z.array(z.string()).min(1) }).optional(),
  /** Where each binary goes. */
  go: z.record(absolutePath, goBinarySchema).default({}),
  /** Files out of an npm package, checked against its integrity. */
  npm: z
    .strictObject({
      package: z.string(),
      version: z.string(),
      integrity: z.string().startsWith('sha512-'),
      files: z.record(z.string(), absolutePath),
    })
    .optional(),
  /** A whole Go module as a tree. `executable`: path prefixes whose files get the executable bit, which module archives do not carry. */
  moduleTree: z
    .strictObject({
      module: z.string(),
      version: z.string(),
      to: absolutePath,
      executable: z.array(z.string()).default([]),
    })
    .optional(),
  /** Single files out of Go modules, such as release manifests. Each edit must match exactly once. */
  moduleFiles: z
    .array(
      z.strictObject({
        module: z.string(),
        version: z.string(),
        from: z.string(),
        to: absolutePath,
        edits: z.array(z.strictObject({ find: z.string(), replace: z.string() })).default([]),
      }),
    )
    .default([]),
  /** Files and folders below images/. `substitute` fills in the variables of the recipe. */
  files: z
    .array(
      z.strictObject({
        from: assetPath,
        to: absolutePath,
        mode: mode.optional(),
        substitute: z.boolean().default(false),
      }),
    )
    .default([]),
  /** Small files given right here. */
  texts: z.record(absolutePath, z.string()).default({}),
  /** Symbolic links: path to target. */
  links: z.record(absolutePath, z.string()).default({}),
  directories: z
    .array(z.strictObject({ path: absolutePath, mode: mode.default('0755'), owner: owner.default('0:0') }))
    .default([]),
  /** Symbolic links beside a file, by its path: the names it also goes by. */
  linksTo: z.record(absolutePath, z.array(z.string())).default({}),
  /** Compiled binaries of other recipes. */
  copies: z.array(z.strictObject({ recipe: name, from: absolutePath, to: absolutePath })).default([]),
  /** System users, made before the packages are installed so that these find their ids taken. */
  users: z
    .array(
      z.strictObject({
        name,
        uid: z.number().int(),
        gid: z.number().int(),
        home: absolutePath,
        shell: absolutePath.default('/usr/sbin/nologin'),
      }),
    )
    .default([]),
  /** Script below images/, run by bash inside the root at the end. */
  setup: assetPath.optional(),
  /** Recipes whose images lie in the node's containerd store, under all their upstream names. */
  preload: z.array(name).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  user: z.string().optional(),
  workdir: absolutePath.optional(),
  ports: z.array(z.number().int()).default([]),
  volumes: z.array(absolutePath).default([]),
  stopSignal: z.string().optional(),
  /** The part of the upstream image's contract that users rely on; test/e2e/images.test.ts checks it on the built image. */
  contract: contractSchema.default({ runs: [] }),
})

/** A valid recipe with its variables filled in. */
export type Recipe = z.infer<typeof recipeSchema> & {
  readonly name: string
  /** What `files` with `substitute` are filled with. */
  readonly variables: Readonly<Record<string, string>>
}
