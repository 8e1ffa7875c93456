/** Root file systems for boxes: a Debian with systemd and NetworkManager, made once and kept. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { lanProfile } from './host.ts'

/** Debian releases with their systemd: 252 and 257. */
export type Suite = 'bookworm' | 'trixie'

const run = promisify(execFile)
const packages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'dbus-user-session',
  'libpam-systemd',
  'polkitd',
  'network-manager',
  'iproute2',
  'procps',
  'kmod',
  'libglib2.0-bin',
  'libstdc++6',
  'libatomic1'
]
const masked = [
  'systemd-networkd-wait-online.service',
  'NetworkManager-wait-online.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'getty@.service',
  'console-getty.service'
]

const boxes = process.env['COTERIE_BOXES'] ?? '/var/cache/coterie-boxes'
const desktopPackages = ['gnome-shell', 'adwaita-icon-theme', 'fonts-cantarell']

/** The folder of the template; takes minutes the first time. COTERIE_BOXES says where they are kept. */
export async function template(suite: Suite): Promise<string> {
  const folder = `${boxes}/${suite}`
  if (existsSync(`${folder}/.box-ready`)) return folder
  if (!existsSync(`${folder}/bin/systemctl`)) {
    console.error(`making the ${suite} box in ${folder}; this takes minutes, once`)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    const { stdout } = await run('apt-get', [
      'indextargets',
      '--format',
      '$(REPO_URI)',
      'Created-By: Packages'
    ])
    const mirror = stdout.split('\n').find(line => /\/debian\/?$/.test(line))
    if (!mirror) throw new Error('no Debian mirror among the sources of apt')
    await run('debootstrap', [
      '--variant=minbase',
      `--include=${packages.join(',')}`,
      suite,
      folder,
      mirror
    ]).catch(error => {
      rmSync(folder, { recursive: true, force: true })
      throw error
    })
  }
  const prepare = `set -eu
    id tester > /dev/null 2>&1 || useradd -m -u 1000 -s /bin/bash tester
    mkdir -p /var/lib/systemd/linger
    touch /var/lib/systemd/linger/tester
    rm -f /etc/hostname
    : > /etc/machine-id
    systemctl mask ${masked.join(' ')}`
  await run('chroot', [folder, 'sh', '-c', prepare])
  const profile = `${folder}/etc/NetworkManager/system-connections/lan.nmconnection`
  writeFileSync(profile, lanProfile, { mode: 0o600 })
  writeFileSync(`${folder}/etc/NetworkManager/conf.d/lab.conf`, '[main]\nno-auto-default=*\ndns=none\n')
  writeFileSync(`${folder}/.box-ready`, '')
  return folder
}

/** The same with GNOME Shell in it: 43 and 48. Another folder, made of the first one and kept too. */
export async function desktopTemplate(suite: Suite): Promise<string> {
  const folder = `${boxes}/${suite}-desktop`
  if (existsSync(`${folder}/.desktop-ready`)) return folder
  const from = await template(suite)
  console.error(`making the ${suite} desktop in ${folder}; this takes minutes, once`)
  rmSync(folder, { recursive: true, force: true })
  await run('cp', ['-a', '--reflink=auto', from, folder])
  copyFileSync('/etc/resolv.conf', `${folder}/etc/resolv.conf`)
  writeFileSync(`${folder}/usr/sbin/policy-rc.d`, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const apt = 'apt-get -qq -o Acquire::Retries=5'
  const install = `${apt} update && ${apt} install -y --no-install-recommends ${desktopPackages.join(' ')} && apt-get clean`
  const script = `mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"
    exec chroot "$1" env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes sh -ec "$2"`
  // its processes and mounts end with it
  const own = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', script, 'sh', folder, install]
  await run('unshare', own, { maxBuffer: 64 << 20 })
  writeFileSync(`${folder}/.desktop-ready`, '')
  return folder
}
