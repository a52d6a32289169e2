import { expect, test } from 'vitest'
import { readEnvironment } from '../../../src/action/environment.ts'
import { jobClusterName } from '../../../src/action/job-cluster.ts'

const runner = {
  HOME: '/home/runner',
  RUNNER_TEMP: '/work/_temp',
  RUNNER_TOOL_CACHE: '/opt/hostedtoolcache',
  GITHUB_RUN_ID: '19876543210',
  GITHUB_RUN_ATTEMPT: '1',
  GITHUB_JOB: 'End_to End',
  GITHUB_ACTION: '__org_k8s-platform',
}
const read = (env: Record<string, string>) => readEnvironment(env, '/tmp/fallback')

test('the cache does not lie under HOME', () => {
  expect(read(runner).cache).toBe('/opt/hostedtoolcache/k8s-platform')
  expect(read({ HOME: '/home/runner', RUNNER_TEMP: '/t' }).cache).toBe('/t/k8s-platform-cache')
  expect(read({ ...runner, K8S_PLATFORM_CACHE_DIR: '/cache' }).cache).toBe('/cache')
})

test('programs that we start get neither inputs nor state nor the job’s files and tokens', () => {
  const env = {
    PATH: '/bin',
    DOCKER_HOST: 'unix:///x',
    INPUT_TOKEN: 'a',
    STATE_x: 'b',
    GITHUB_OUTPUT: '/o',
    GITHUB_ENV: '/e',
    ACTIONS_RUNTIME_TOKEN: 'c',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'd',
    GITHUB_SHA: 'e',
  }
  expect(read(env).child).toEqual({ PATH: '/bin', DOCKER_HOST: 'unix:///x', GITHUB_SHA: 'e' })
})

test('the default cluster name is readable, valid and at most 40 characters', () => {
  const name = jobClusterName(read(runner))
  expect(name).toMatch(/^kp-19876543210-end-to-end-[0-9a-f]{6}$/)
  const long = jobClusterName(read({ ...runner, GITHUB_JOB: 'x'.repeat(100), GITHUB_RUN_ID: '9'.repeat(30) }))
  expect(long.length).toBeLessThanOrEqual(40)
  expect(long).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
  expect(jobClusterName(read({}))).toMatch(/^kp-local-job-[0-9a-f]{6}$/)
  expect(jobClusterName(read({ ...runner, GITHUB_JOB: '---' }))).toMatch(/^kp-19876543210-x-[0-9a-f]{6}$/)
})

test.each(['GITHUB_RUN_ATTEMPT', 'GITHUB_JOB', 'GITHUB_ACTION', 'RUNNER_NAME', 'RUNNER_TRACKING_ID', 'RUNNER_TEMP'])(
  'two clusters that differ in %s have different names',
  (variable) => {
    expect(jobClusterName(read({ ...runner, [variable]: 'other' }))).not.toBe(jobClusterName(read(runner)))
    expect(jobClusterName(read(runner))).toBe(jobClusterName(read(runner)))
  },
)
