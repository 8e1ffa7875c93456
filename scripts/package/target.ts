/** The kinds of machine that packages are made for, by each tool's own name. */
export interface Target {
  readonly deb: 'amd64' | 'arm64'
  readonly rpm: 'x86_64' | 'aarch64'
  readonly node: 'x64' | 'arm64'
  /** Prefix of the compiler and of binutils. */
  readonly triplet: string
}

export const targets: readonly Target[] = [
  { deb: 'amd64', rpm: 'x86_64', node: 'x64', triplet: 'x86_64-linux-gnu' },
  { deb: 'arm64', rpm: 'aarch64', node: 'arm64', triplet: 'aarch64-linux-gnu' }
]
