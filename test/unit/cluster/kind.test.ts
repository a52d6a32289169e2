import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createKindCluster, type KindFacts } from '../../../src/cluster/kind.ts'
import { createArgs, exportLogsArgs, kindEnv } from '../../../src/cluster/kind-command.ts'
import { loadBalancerRange } from '../../../src/cluster/load-balancer-range.ts'
import { registryRunArgs } from '../../../src/cluster/registry.ts'
import { takenPort, transientFailure } from '../../../src/cluster/transient.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'
import { afterwards, planFor } from './kind-plan.ts'

describe('createKindCluster', () => {
  it('gives kind the config on stdin, keeps the kubeconfig private, and writes the mirrors while kubeadm works', async () => {
    const order: string[] = []
    let config = ''
    const exec = scriptedExec([
      [
        /^\/opt\/kind create cluster/,
        (_line, options) => {
          config = String(options.input)
          expect(options.env).toMatchObject({ KIND_EXPERIMENTAL_DOCKER_NETWORK: 'kind' })
          order.push('kind')
          return { stderr: ' ✓ Preparing nodes 📦\n ✓ Starting control-plane' }
        },
      ],
      [
        /^docker cp/,
        () => {
          order.push('mirrors')
          return ''
        },
      ],
      ...afterwards,
    ])
    const host = testHost({ exec })
    const recorded: KindFacts[] = []
    const made = await createKindCluster(host, planFor(host, recorded))
    expect(order).toEqual(['kind', 'mirrors'])
    expect(config).toContain('containerPort: 30080')
    expect(made).toMatchObject({ attempts: 1, subnet: '172.18.0.0/16', registry: undefined })
    expect((await stat(join(host.paths.temp, 'demo', 'kubeconfig'))).mode & 0o777).toBe(0o600)
    expect(recorded[0]).toMatchObject({ nodeImage: 'kindest/node:v1.36.4', network: { name: 'kind', created: false } })
    expect(Object.keys(recorded[1]?.hostPorts ?? {})).toEqual(['30080', '30081', '30082', '30083'])
    expect(await readFile(join(host.paths.temp, 'demo', 'certs.d', 'docker.io', 'hosts.toml'), 'utf8')).toContain(
      'https://m.example.com/v2',
    )
  })

  it('tries a known passing failure again, with other ports, on a clean slate', async () => {
    let tries = 0
    const ports: string[] = []
    const exec = scriptedExec([
      [
        /^\/opt\/kind create/,
        (_line, options) => {
          ports.push(String(options.input).match(/hostPort: (\d+)/)?.[1] ?? '')
          tries++
          return tries < 3
            ? {
                exitCode: 1,
                stderr: 'ERROR: failed to create cluster: Bind for 127.0.0.1:40000 failed: port is already allocated',
              }
            : ''
        },
      ],
      [/^\/opt\/kind export logs/, ''],
      [/^docker rm --force --volumes id1$/, ''],
      ...afterwards,
    ])
    const log = recordingLogger()
    const host = testHost({ exec, log })
    expect(await createKindCluster(host, planFor(host))).toMatchObject({ attempts: 3 })
    expect(new Set(ports).size).toBeGreaterThan(1)
    expect(exec.calls.filter((line) => line.startsWith('/opt/kind export logs'))).toEqual([
      `/opt/kind export logs ${join(host.paths.temp, 'demo', 'logs', 'attempt-1')} --name demo`,
      `/opt/kind export logs ${join(host.paths.temp, 'demo', 'logs', 'attempt-2')} --name demo`,
    ])
    expect(log.lines.filter((line) => line.startsWith('warning: '))).toHaveLength(2)
  })

  it('fails at once on anything else, with the words of kind', async () => {
    const exec = scriptedExec([
      [
        /^\/opt\/kind create/,
        {
          exitCode: 1,
          stderr:
            'Creating cluster\nERROR: failed to create cluster: failed to init node with kubeadm\nCommand Output: pages',
        },
      ],
      ...afterwards,
    ])
    const host = testHost({ exec })
    await expect(createKindCluster(host, planFor(host))).rejects.toMatchObject({
      code: 'CLUSTER_CREATE_FAILED',
      message: 'cluster demo could not be created: failed to init node with kubeadm',
    })
    expect(exec.calls.filter((line) => line.includes('kind create'))).toHaveLength(1)
  })

  it('gives up after three tries and says how many it took', async () => {
    const exec = scriptedExec([
      [
        /^\/opt\/kind create/,
        { exitCode: 1, stderr: 'ERROR: could not find a log line that matches "Reached target"' },
      ],
      [/^\/opt\/kind export/, { exitCode: 1, stderr: 'no nodes' }],
      [/^docker rm/, ''],
      ...afterwards,
    ])
    const host = testHost({ exec })
    await expect(createKindCluster(host, planFor(host))).rejects.toThrow(
      /could not be created in 3 tries: could not find a log line/,
    )
  })
})

describe('argv', () => {
  it('of kind', () => {
    expect(createArgs({ name: 'demo', image: 'node:1', kubeconfig: '/k', extraArgs: ['--verbosity', '3'] })).toEqual(
      'create cluster --name demo --image node:1 --kubeconfig /k --config - --retain --wait 0s --verbosity 3'.split(
        ' ',
      ),
    )
    expect(exportLogsArgs('demo', '/logs')).toEqual(['export', 'logs', '/logs', '--name', 'demo'])
    expect(kindEnv({ A: '1' }, 'net')).toEqual({
      A: '1',
      KIND_EXPERIMENTAL_PROVIDER: 'docker',
      KIND_EXPERIMENTAL_DOCKER_NETWORK: 'net',
    })
  })

  it('of the registry', () => {
    expect(
      registryRunArgs({
        cluster: 'demo',
        network: 'net',
        image: 'registry:3',
        port: 5001,
        storage: '/cache',
        runArgs: ['--dns', '127.0.0.1'],
      }),
    ).toEqual(
      'run --detach --name demo-registry --hostname demo-registry --label k8s-platform.cluster=demo --network net --publish 127.0.0.1:5001:5000 --restart unless-stopped --volume /cache:/var/lib/registry --dns 127.0.0.1 registry:3'.split(
        ' ',
      ),
    )
  })
})

describe('transientFailure', () => {
  it.each([
    'ERROR: failed to create cluster: could not find a log line that matches "Reached target .*Multi-User System.*|detected cgroup v1"',
    'docker: Error response from daemon: driver failed programming external connectivity: Bind for 127.0.0.1:41000 failed: port is already allocated.',
    'listen tcp4 127.0.0.1:41000: bind: address already in use',
    'Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use.',
    'docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint x: failed to bind host port for 127.0.0.1:41000:172.18.0.2:6443/tcp: address already in use',
    'docker: Error response from daemon: network kind not found',
    'ERROR: failed to create cluster: failed to pull image "envoyproxy/envoy:v1": command "docker pull" failed\nError response from daemon: Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout',
    'Another app is currently holding the xtables lock',
  ])('knows: %s', (text) => {
    expect(transientFailure(text)).toBeDefined()
  })

  it.each([
    'failed to init node with kubeadm',
    'node(s) already exist for a cluster with the name "demo"',
    'manifest unknown',
    'no space left on device',
    // kubeadm's words for an API server that never answers, a port in the node, and an image nobody has.
    'ERROR: failed to join node with kubeadm\nerror: Get "https://demo-control-plane:6443": dial tcp 172.18.0.2:6443: i/o timeout',
    '[ERROR Port-10250]: Port 10250 is in use',
    'failed to pull image "nobody/nothing:1": manifest unknown',
    '',
  ])('does not retry: %s', (text) => {
    expect(transientFailure(text)).toBeUndefined()
  })
})

describe('a port that is taken', () => {
  const text = 'Bind for 127.0.0.1:8080 failed: port is already allocated.'

  it('is worth another try when it was chosen here, and not when somebody asked for it', () => {
    expect(transientFailure(text, [])).toBeDefined()
    expect(transientFailure(text, [8081])).toBeDefined()
    expect(transientFailure(text, [8080])).toBeUndefined()
  })

  it.each([
    [text, 8080],
    ['listen tcp4 0.0.0.0:80: bind: address already in use', 80],
    ['Bind for [::]:443 failed: port is already allocated', 443],
    ['failed to bind host port for 127.0.0.1:41000:172.18.0.2:6443/tcp: address already in use', 41000],
    ['failed to bind host port 0.0.0.0:80/tcp: address already in use', 80],
    ['anything else', undefined],
  ])('is read out of %s', (said, port) => {
    expect(takenPort(said)).toBe(port)
  })
})

describe('loadBalancerRange', () => {
  it.each([
    ['172.18.0.0/16', [], '172.18.255.200-172.18.255.250'],
    ['172.18.0.0/16', ['172.18.255.200-172.18.255.250'], '172.18.254.200-172.18.254.250'],
    ['192.168.5.0/24', [], '192.168.5.200-192.168.5.250'],
    ['192.168.5.0/24', ['192.168.5.200-192.168.5.250'], undefined],
    ['10.0.0.0/28', [], undefined],
    ['fc00::/64', [], undefined],
  ])('%s beside %o is %s', (subnet, taken, range) => {
    expect(loadBalancerRange(subnet, taken)).toBe(range)
  })
})
