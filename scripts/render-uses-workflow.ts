import { stringify } from 'yaml'
import type { AnyAction } from '../src/action/define-action.ts'
import { rootAction } from './render-action-yml.ts'

/** A workflow that uses every action with every input and reads every output, so that actionlint compares both with the action.yml files. */
export function renderUsesWorkflow(actions: readonly AnyAction[]): string {
  const steps = actions.flatMap((action) => {
    const inputs = Object.entries(action.inputs).filter(([, input]) => input.internal !== true)
    return [
      {
        id: action.name,
        uses: action.name === rootAction ? './' : `./${action.name}`,
        with: Object.fromEntries(inputs.map(([name, input]) => [name, withoutExpressions(input.example)])),
      },
      {
        run: 'env',
        env: Object.fromEntries(
          Object.keys(action.outputs).map((output) => [
            `OUT_${output.toUpperCase().replaceAll('-', '_')}`,
            `\${{ steps.${action.name}.outputs.${output} }}`,
          ]),
        ),
      },
    ]
  })
  return stringify(
    {
      name: 'Uses every action',
      on: 'workflow_dispatch',
      permissions: {},
      jobs: { uses: { 'runs-on': 'ubuntu-latest', 'timeout-minutes': 5, steps } },
    },
    { lineWidth: 0 },
  )
}

/** Examples may refer to steps of the reader's workflow, which this one does not have. */
function withoutExpressions(example: string): string {
  return example.replace(/\$\{\{.*?\}\}/g, 'example')
}
