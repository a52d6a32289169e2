import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { startArtifactService } from '../support/artifact-service.ts'
import { stateOf } from '../unit/cluster/states.ts'
import { runBundle } from './run-bundle.ts'

/** What the post step does with a cluster that is ready, by `logs`, `artifact` and how the job ended. */
describe('evidence', () => {
  test.each([
    // logs, artifact, the job: collected, uploaded
    ['always', 'never', 'success', true, false],
    ['always', 'on-failure', 'success', true, false],
    ['always', 'always', 'success', true, true],
    ['on-failure', 'always', 'success', true, true],
    ['on-failure', 'on-failure', 'success', false, false],
    ['never', 'always', 'success', false, false],
    ['always', 'never', 'failure', true, false],
    ['on-failure', 'on-failure', 'failure', true, true],
    ['on-failure', 'never', 'failure', true, false],
    ['never', 'always', 'failure', false, false],
  ])(
    'logs %s, artifact %s after %s: collected %s, uploaded %s',
    async (logs, artifact, status, collected, uploaded) => {
      const service = await startArtifactService()
      try {
        const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-evidence-'))
        const state = stateOf({ name: 'demo', folder, logsPath: path.join(folder, 'logs') })
        mkdirSync(path.join(folder, 'state'))
        writeFileSync(path.join(folder, 'state', 'demo.json'), JSON.stringify(state))
        const run = await runBundle('setup-cluster-post', {
          inputs: { 'job-status': status },
          state: { 'cluster-name': 'demo', cleanup: 'always', logs, artifact, 'artifact-name': 'evidence' },
          programs: { docker: 'process.exit(0)' },
          env: {
            K8S_PLATFORM_STATE_DIR: path.join(folder, 'state'),
            ACTIONS_RESULTS_URL: service.url,
            ACTIONS_RUNTIME_TOKEN: service.token,
          },
        })
        expect(run.code, run.stdout).toBe(0)
        const told = run.commands.map(({ name, message }) => `${name} ${message}`)
        expect(told.includes('group collect logs'), run.stdout).toBe(collected)
        expect(told.includes(`notice logs of cluster demo: ${state.logsPath}`)).toBe(collected)
        expect(service.artifacts.map(({ name }) => name)).toEqual(uploaded ? ['evidence'] : [])
        expect(run.commands.filter(({ name }) => name === 'error' || name === 'warning')).toEqual([])
      } finally {
        await service.close()
      }
    },
  )
})
