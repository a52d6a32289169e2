import { z } from 'zod'
import { specSchema } from './schema.ts'

/** JSON schema of platform.yaml for editors; kept at docs/platform.schema.json by `npm run generate`. */
export function editorSchema(): object {
  return {
    ...z.toJSONSchema(specSchema, { target: 'draft-07' }),
    title: 'k8s-platform',
  }
}
