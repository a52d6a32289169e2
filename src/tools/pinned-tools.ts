import type { Architecture } from './platform.ts'

export type ToolName = 'kind' | 'kubectl'

/** Where a tool comes from and what its file must hash to. */
interface ToolDefinition {
  /** Used when nobody asks for a version. */
  readonly defaultVersion: string
  /** Scheme and host of the download, which `download-base-url` replaces. */
  readonly baseUrl: string
  readonly path: (version: string, architecture: Architecture) => string
  /** version -> architecture -> sha256 of the file, lower-case hex. */
  readonly digests: Readonly<Record<string, Readonly<Record<Architecture, string>>>>
}

/**
 * The digests we vouch for. A version that is not here is refused unless its digest is given with it (`0.32.0@sha256:...`): a sum fetched from where the
 * file comes from proves nothing.
 *
 * Read on 2026-11-21 in stored public files, each value in at least two that do not share an author:
 * - kind: scripts that pin both architectures of the v0.33.0 release assets, such as `sha256_for "kind linux/amd64"` in tool installers and
 *   `KIND_SHA256_linux_arm64` in a release checker, all stating the GitHub release's own `.sha256sum` as their source;
 * - kubectl: the same files and image build files that quote `dl.k8s.io/release/v<version>/bin/linux/<arch>/kubectl.sha256`.
 */
export const pinnedTools: Readonly<Record<ToolName, ToolDefinition>> = {
  kind: {
    defaultVersion: '0.33.0',
    baseUrl: 'https://github.com',
    path: (version, architecture) => `/kubernetes-sigs/kind/releases/download/v${version}/kind-linux-${architecture}`,
    digests: {
      '0.33.0': {
        amd64: 'aee6151561422756b764a4ae28e7f44cda5af5a9eead3cc9985112b1de8d8e0d',
        arm64: '20022bee6cfcd5086cb7234d218e3454e6090022f2a8f55d1fa7fcf42c3867a2',
      },
    },
  },
  kubectl: {
    defaultVersion: '1.36.4',
    baseUrl: 'https://dl.k8s.io',
    path: (version, architecture) => `/release/v${version}/bin/linux/${architecture}/kubectl`,
    digests: {
      '1.37.0': {
        amd64: '6129359f4e1f3848a5572ccb0b26cf28b8ca08cef38c95a765b2f64a2c961a2f',
        arm64: '922df28df248cc00a9e025f947704f1d1482de64ece54cfe57e61f19eaf1eef3',
      },
      '1.36.4': {
        amd64: '8b8f088da2dab964f853b38464033b1be15ede2839eca751482357c45abdd05a',
        arm64: '0ecf44450ee6063bf19dd166a103ee6df4a9034455c2abce626e6eea657d73fb',
      },
      '1.35.8': {
        amd64: '874d5e72dbb819f43cff16bcd1e4f8bac5b7f2361fe1e55049b0a6c676fb0cbf',
        arm64: 'cc749967b62f4422260bc9c0aa7a7c55f45175ae38cb8d95767b5d2b7e04c1fd',
      },
      '1.34.11': {
        amd64: '8efbb9435132a190920eb65a47a8c1ecf755ad85ab57a600c9bedbab460bb7a8',
        arm64: '5b045a4712674c88a56fd98eef4285689738b7fbe8735e1b9ee3509521af5cb4',
      },
    },
  },
}
