import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { kindConfig } from '../../../src/cluster/kind-config.ts'
import { containerNames, parseTaint } from '../../../src/cluster/kind-nodes.ts'
import type { NodeRequest } from '../../../src/cluster/provider.ts'

const hostPorts = new Map([
  [30080, 41000],
  [30081, 41001],
])
const controlPlane: NodeRequest = { role: 'control-plane' }
const worker: NodeRequest = { role: 'worker' }
const header = 'kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n'

const generate = (nodes: readonly NodeRequest[], user?: string, nodesDefaulted = false) =>
  kindConfig({
    nodes,
    nodesDefaulted,
    hostPorts,
    ...(user === undefined ? {} : { user: { path: 'kind.yaml', text: header + user } }),
  })

describe('kindConfig without a config of the user', () => {
  it('makes the nodes asked for and maps the host ports to the first control plane', () => {
    const generated = generate([controlPlane, worker, worker])
    expect(parse(generated.yaml)).toEqual({
      kind: 'Cluster',
      apiVersion: 'kind.x-k8s.io/v1alpha4',
      kubeadmConfigPatches: [expect.stringContaining('kind: ClusterConfiguration')],
      nodes: [
        {
          role: 'control-plane',
          extraPortMappings: [
            { containerPort: 30080, hostPort: 41000, listenAddress: '127.0.0.1', protocol: 'TCP' },
            { containerPort: 30081, hostPort: 41001, listenAddress: '127.0.0.1', protocol: 'TCP' },
          ],
        },
        { role: 'worker' },
        { role: 'worker' },
      ],
    })
    expect(generated.hostPorts).toEqual({ 30080: '127.0.0.1:41000', 30081: '127.0.0.1:41001' })
    expect(generated.nodeCount).toBe(3)
  })

  const programs = (nodes: readonly NodeRequest[], user?: string) =>
    ((generate(nodes, user).config['kubeadmConfigPatches'] ?? []) as string[]).map((patch) => parse(patch))

  it('takes the election from the only control plane, and leaves it to several', () => {
    expect(programs([controlPlane, worker])).toEqual([
      {
        kind: 'ClusterConfiguration',
        controllerManager: {
          extraArgs: { 'kube-api-qps': '100', 'kube-api-burst': '200', 'leader-elect': 'false' },
        },
        scheduler: { extraArgs: { 'leader-elect': 'false' } },
      },
    ])
    expect(programs([controlPlane, controlPlane, controlPlane])).toEqual([
      {
        kind: 'ClusterConfiguration',
        controllerManager: { extraArgs: { 'kube-api-qps': '100', 'kube-api-burst': '200' } },
      },
    ])
  })

  it('puts the patches of a config after its own, so that they win', () => {
    const user =
      'kubeadmConfigPatches: ["kind: ClusterConfiguration\\nscheduler: {extraArgs: {leader-elect: \\"true\\"}}"]\n'
    const patches = programs([controlPlane], user)
    expect(patches).toHaveLength(2)
    expect(patches[1]).toEqual({ kind: 'ClusterConfiguration', scheduler: { extraArgs: { 'leader-elect': 'true' } } })
  })

  it('leaves patches in a form that kind does not take for kind to refuse', () => {
    expect(generate([controlPlane], 'kubeadmConfigPatches: text\n').config['kubeadmConfigPatches']).toBe('text')
  })

  it('gives labels and zones to nodes', () => {
    const { config } = generate([controlPlane, { role: 'worker', labels: { tier: 'db' }, zone: 'b' }])
    expect(config.nodes[1]?.labels).toEqual({ tier: 'db', 'topology.kubernetes.io/zone': 'b' })
  })

  it('sets taints as a worker joins, and keeps the own taint of a control plane beside', () => {
    const { config } = generate([
      { role: 'control-plane', taints: ['a=b:NoExecute'] },
      { role: 'worker', taints: ['dedicated:NoSchedule'] },
    ])
    const [first, second] = config.nodes.map((node) => (node.kubeadmConfigPatches ?? []).map((patch) => parse(patch)))
    expect(second).toEqual([
      { kind: 'JoinConfiguration', nodeRegistration: { taints: [{ key: 'dedicated', effect: 'NoSchedule' }] } },
    ])
    const taints = [
      { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
      { key: 'a', value: 'b', effect: 'NoExecute' },
    ]
    expect(first).toEqual([
      { kind: 'InitConfiguration', nodeRegistration: { taints } },
      { kind: 'JoinConfiguration', nodeRegistration: { taints } },
    ])
  })

  it('leaves a node to run pods on when there are several control planes and no worker', () => {
    const { config } = generate([controlPlane, controlPlane, controlPlane])
    for (const node of config.nodes) {
      expect(parse(node.kubeadmConfigPatches?.[0] ?? '')).toEqual({
        kind: 'InitConfiguration',
        nodeRegistration: { taints: [] },
      })
    }
    // kind itself lifts the taint of a single node.
    expect(generate([controlPlane]).config.nodes[0]?.kubeadmConfigPatches).toBeUndefined()
  })

  it('reports every taint and zone that is wrong at once', () => {
    expect(() =>
      generate([
        { role: 'control-plane', taints: ['nonsense'] },
        { role: 'worker', zone: 'a', labels: { 'topology.kubernetes.io/zone': 'b' } },
      ]),
    ).toThrow(/2 problems:\n- taints \(got "nonsense"\) is not a taint.*\n- zone \(got "a"\) disagrees with the label/)
  })
})

describe("kindConfig with the user's config", () => {
  it('keeps every key of it, also those we do not know', () => {
    const { config } = generate(
      [controlPlane],
      'networking: {podSubnet: 10.1.0.0/16}\nfeatureGates: {A: true}\nfuture: [1]\n',
    )
    expect(config).toMatchObject({ networking: { podSubnet: '10.1.0.0/16' }, featureGates: { A: true }, future: [1] })
  })

  it('lets its nodes decide when nobody asked for nodes', () => {
    const generated = generate(
      [controlPlane, worker, worker, worker],
      'nodes: [{role: worker}, {role: control-plane, image: mine}]\n',
      true,
    )
    expect(generated.nodeCount).toBe(2)
    expect(generated.config.nodes[1]).toMatchObject({
      role: 'control-plane',
      image: 'mine',
      extraPortMappings: [{ containerPort: 30080 }, {}],
    })
  })

  it('joins the n-th worker of both', () => {
    const { config } = generate(
      [controlPlane, { role: 'worker', zone: 'a' }, { role: 'worker', labels: { tier: 'db' } }],
      'nodes: [{role: worker, labels: {disk: ssd}}, {role: control-plane}, {role: worker, image: mine}]\n',
    )
    expect(config.nodes[0]?.labels).toEqual({ disk: 'ssd', 'topology.kubernetes.io/zone': 'a' })
    expect(config.nodes[2]).toEqual({ role: 'worker', image: 'mine', labels: { tier: 'db' } })
  })

  it('refuses two opinions on the number of nodes', () => {
    expect(() =>
      generate([controlPlane, worker], 'nodes: [{role: control-plane}, {role: worker}, {role: worker}]\n'),
    ).toThrow(
      expect.objectContaining({
        code: 'KIND_CONFIG_CONFLICT',
        message: expect.stringMatching(/^workers \(got "1"\) disagrees with config, which lists 2/),
      }),
    )
  })

  it('refuses two values for a label and two lists of taints', () => {
    const patches = 'kubeadmConfigPatches: ["kind: JoinConfiguration\\nnodeRegistration:\\n  taints: []"]'
    expect(() =>
      generate(
        [controlPlane, { role: 'worker', labels: { tier: 'db' }, taints: ['a:NoSchedule'] }],
        `nodes: [{role: control-plane}, {role: worker, labels: {tier: web}, ${patches}}]\n`,
      ),
    ).toThrow(/2 problems:\n- config\.nodes\[1\]\.labels .*tier=db asked for\n- taints .*kubeadmConfigPatches/)
  })

  it("takes the user's own mapping of a port, wherever it listens, and fills in a host port left open", () => {
    const generated = generate(
      [controlPlane, worker],
      'nodes: [{role: control-plane}, {role: worker, extraPortMappings: [{containerPort: 30080, hostPort: 80, listenAddress: 0.0.0.0}, {containerPort: 30081}]}]\n',
    )
    expect(generated.hostPorts).toEqual({ 30080: '127.0.0.1:80', 30081: '127.0.0.1:41001' })
    expect(generated.config.nodes[0]?.['extraPortMappings']).toBeUndefined()
    expect(generated.config.nodes[1]?.['extraPortMappings']).toEqual([
      { containerPort: 30080, hostPort: 80, listenAddress: '0.0.0.0' },
      { containerPort: 30081, hostPort: 41001 },
    ])
  })

  it('reports the name that gives way', () => {
    const generated = generate([controlPlane], 'name: theirs\n')
    expect(generated.ignoredName).toBe('theirs')
    expect(generated.config['name']).toBeUndefined()
  })

  it.each([
    ['- a', /is not a mapping/],
    ['kind: Pod\napiVersion: v1', /is of kind Pod, apiVersion v1; allowed: kind Cluster of kind\.x-k8s\.io\/v1alpha4/],
    ['kind: [', /is not YAML/],
    [`${header}nodes: 3`, /`nodes` that are not a list/],
  ])('refuses %s', (text, message) => {
    expect(() =>
      kindConfig({ nodes: [controlPlane], nodesDefaulted: true, hostPorts, user: { path: 'kind.yaml', text } }),
    ).toThrow(message)
  })
})

describe('parseTaint', () => {
  it.each([
    ['a:NoSchedule', { key: 'a', effect: 'NoSchedule' }],
    ['example.com/gpu=true:NoExecute', { key: 'example.com/gpu', value: 'true', effect: 'NoExecute' }],
    ['a=:PreferNoSchedule', { key: 'a', value: '', effect: 'PreferNoSchedule' }],
    ['a', undefined],
    ['a:Never', undefined],
    ['=b:NoSchedule', undefined],
    ['a=b c:NoSchedule', undefined],
  ])('%s', (text, expected) => {
    expect(parseTaint(text)).toEqual(expected)
  })
})

it("knows kind's names for the containers", () => {
  const nodes = ['control-plane', 'worker', 'worker', undefined].map((role) => (role === undefined ? {} : { role }))
  expect(containerNames('demo', nodes)).toEqual([
    'demo-control-plane',
    'demo-worker',
    'demo-worker2',
    'demo-control-plane2',
    'demo-external-load-balancer',
  ])
  expect(containerNames('demo', [{ role: 'control-plane' }])).toEqual(['demo-control-plane'])
})
