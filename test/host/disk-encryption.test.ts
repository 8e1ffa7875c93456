import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { diskEncryption, swapEncryption } from '../../src/host/disk-encryption.ts'

/** A computer: files below a directory. */
function computer(t: { testdir(): string }, files: { [path: string]: string }): string {
  const root = t.testdir()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}
const block = '/sys/class/block'
const mount = (point: string, type: string, source: string) =>
  `22 1 8:1 / ${point} rw,relatime shared:1 - ${type} ${source} rw`
const devices = {
  [`${block}/sda1/size`]: '1',
  [`${block}/dm-0/dm/uuid`]: 'CRYPT-LUKS2-0123-luks\n',
  [`${block}/dm-0/slaves/sda1/size`]: '1',
  [`${block}/dm-1/dm/uuid`]: 'LVM-abc\n',
  [`${block}/dm-1/slaves/dm-0/size`]: '1',
  [`${block}/dm-2/dm/uuid`]: 'LVM-def\n',
  [`${block}/dm-2/slaves/dm-0/size`]: '1',
  [`${block}/dm-2/slaves/sda1/size`]: '1'
}

t.test('the disk below a path', async t => {
  const root = computer(t, {
    ...devices,
    '/proc/self/mountinfo': [
      mount('/', 'ext4', '/dev/sda1'),
      mount('/home', 'ext4', '/dev/dm-1'),
      mount('/home/me/my\\040disk', 'ext4', '/dev/dm-0'),
      mount('/srv', 'xfs', '/dev/dm-2'),
      mount('/tmp', 'tmpfs', 'tmpfs'),
      mount('/secret', 'ecryptfs', '/home/.ecryptfs/me'),
      mount('/far', 'nfs4', 'nas:/export'),
      mount('/gone', 'ext4', '/dev/sdz9'),
      ''
    ].join('\n')
  })
  const table = {
    '/var/lib': 'plain',
    '/home': 'encrypted',
    '/home/me': 'encrypted',
    '/homestead': 'plain',
    '/home/me/my disk/x': 'encrypted',
    '/srv': 'plain',
    '/tmp/x': 'unknown',
    '/secret/x': 'encrypted',
    '/far': 'unknown',
    '/gone': 'unknown'
  }
  for (const [path, expected] of Object.entries(table)) t.equal(diskEncryption(path, root), expected, path)
  t.equal(diskEncryption('/x', '/nonexistent'), 'unknown')
})

t.test('swap', async t => {
  const head = 'Filename Type Size Used Priority'
  const swaps = (t: { testdir(): string }, ...lines: string[]) =>
    computer(t, {
      ...devices,
      '/proc/swaps': [head, ...lines, ''].join('\n'),
      '/proc/self/mountinfo': `${mount('/', 'ext4', '/dev/sda1')}\n${mount('/home', 'ext4', '/dev/dm-1')}\n`
    })
  const table: [string[], string][] = [
    [[], 'none'],
    [['/dev/zram0 partition 1 0 100'], 'none'],
    [['/dev/dm-0 partition 1 0 -2'], 'encrypted'],
    [['/dev/dm-0 partition 1 0 -2', '/dev/sda1 partition 1 0 -3'], 'plain'],
    [['/dev/sdz9 partition 1 0 -2', '/dev/dm-0 partition 1 0 -3'], 'unknown'],
    [['/swapfile file 1 0 -2'], 'plain'],
    [['/home/me/swapfile file 1 0 -2'], 'encrypted']
  ]
  for (const [lines, expected] of table)
    await t.test(expected, async t => t.equal(swapEncryption(swaps(t, ...lines)), expected, lines.join()))
  t.equal(swapEncryption('/nonexistent'), 'unknown')
})

t.test('this computer has an answer', async t => {
  t.match(diskEncryption('/'), /^(encrypted|plain|unknown)$/)
  t.match(swapEncryption(), /^(none|encrypted|plain|unknown)$/)
})
