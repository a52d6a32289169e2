/**
 * kind's published node images, by Kubernetes version. The digest is part of the name: the same tag is rebuilt for other kind versions.
 *
 * Read on 2026-11-21 in the stored text of https://github.com/polarsquad/krops/pull/112, which quotes the release notes of kind v0.33.0 ("Images pre-built
 * for this release"), and found the same in other public repositories' pins.
 */
export const kindNodeImages: Readonly<Record<string, string>> = {
  '1.37.0': 'docker.io/kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5',
  '1.36.4': 'docker.io/kindest/node:v1.36.4@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed',
  '1.35.8': 'docker.io/kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0',
  '1.34.11': 'docker.io/kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d',
}

/**
 * The registry we run beside the cluster. The digest is the multi-platform index of 3.1.1, read on 2026-11-21 in stored files of several public
 * repositories that pin `registry:3.1.1@sha256:...` and `registry:3@sha256:...` to it.
 */
export const registryImage =
  'docker.io/library/registry:3.1.1@sha256:1be55279f18a2fe1a74edf2664cac61c1bea305b7b4642dab412e7affdcb3e33'
