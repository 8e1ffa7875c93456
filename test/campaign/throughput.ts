/**
 * Many small messages: those that waited for a device that was away, and those sent as fast as they are taken, beside
 * JetStream in the same run.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '../../src/cli/client.ts'
import type { Computer } from '../integration/daemon.ts'
import { within } from '../lab/deadline.ts'
import type { Lab } from '../lab/lab.ts'
import type { Plain } from '../lab/plain.ts'
import { inner } from '../lab/space.ts'
import { count, figure, type Series, series } from './figures.ts'
import { couple, handler, Pipeline } from './post.ts'

const QUEUED = 10_000
/** Bytes of each. */
const SIZE = 64
/** Messages that the handlers are waited for. */
const HANDLED = 500
const RATE = 4_000
/** With a disk that is written to before each answer it is slow. */
const SYNCED = 400
const DISK_MB = 512
/** Runs as long as its file is there: what comes after waits its turn on disk, and no process is started for it. */
const WAITS = '#!/bin/sh\nwhile [ -e "$0" ]; do sleep 1; done\n'

async function send(line: Pipeline, to: Computer, tag: string, number: number): Promise<string[]> {
  const Body = 'x'.repeat(SIZE)
  const calls = Array.from({ length: number }, () => line.call('Send', { Peers: [to.name], Tag: tag, Body }))
  return (await Promise.all(calls)).map(({ Messages }) => Messages[0]!.Id)
}

/** When it is in that state, by performance.now(). */
async function reaches(on: Computer, Id: string, State: string): Promise<number> {
  await on.aside('WaitMessage', { Id, State, TimeoutUSec: 600e6 })
  return performance.now()
}

/** Ids as the receiver tells of them when they are on its disk, from now on until there are so many. */
async function arriving(on: Computer, number: number) {
  const client = await Client.open(on.socket)
  const events = client.stream('Watch', { Since: '' })
  const began = Promise.withResolvers<void>()
  const all = (async () => {
    const ids: string[] = []
    for await (const { Type, Properties } of events) {
      began.resolve()
      if (Type === 'Gap') throw new Error('the reader of events fell behind')
      if (Type === 'MessageReceived') ids.push(String((Properties as { Id: string }).Id))
      if (ids.length === number) break
    }
    client.close()
    return ids
  })()
  await began.promise
  return { ids: all }
}

/** The other one's cable is out while ten thousand are sent to it; then it is put in again. */
export async function queued(lab: Lab, times: number): Promise<Series[]> {
  const appears = figure('link of a device returns → it is shown reachable', 'ms')
  const first = series('… shown reachable → first of its messages on its disk, acknowledged', 500, 1_500)
  const all = series(`… link returns → all ${QUEUED} messages on its disk, acknowledged`, 3_000, 3_000)
  const wrong = count('… of them out of order, or missing', 0)
  const ran = figure(`a message done, of ${HANDLED} to one shell script, one after the other`, 'short')
  for (let n = 0; n < times; n++)
    await paired(lab, n, async (one, other, away) => {
      await handler(other, 'message/waits', WAITS)
      await handler(other, 'message/runs', '#!/bin/sh\n:\n')
      const line = await Pipeline.open(one.socket)
      const from = performance.now()
      const last = (await send(line, other, 'runs', HANDLED)).at(-1)!
      ran.values.push(((await reaches(one, last, 'done')) - from) / HANDLED)
      await away.space.run('ip link set eth0 down')
      await shows(one, other, false)
      const ids = await send(line, other, 'waits', QUEUED)
      const arrived = await arriving(other, QUEUED)
      const began = performance.now()
      const moments = Promise.all([
        shows(one, other, true),
        reaches(one, ids[0]!, 'received'),
        reaches(one, ids.at(-1)!, 'received')
      ])
      await away.space.run('ip link set eth0 up')
      const [shown, early, late] = await moments
      appears.values.push(shown - began)
      first.values.push(Math.max(0, early - shown))
      all.values.push(late - began)
      const order = await within(60_000, 'the receiver has told of all', arrived.ids)
      wrong.values.push(ids.filter((id, at) => id !== order[at]).length)
      line.close()
    })
  return [appears, first, all, wrong, ran]
}

/**
 * As fast as they are taken, until the last one is acknowledged. Ours are on disk (fsync) at the sender before they are
 * accepted, and at the receiver before they are acknowledged. JetStream keeps nothing at the sender; its server has
 * written a message to its file before it answers, and syncs that file every two minutes. On a file system that
 * is mounted `sync` what it has written is on disk.
 */
export async function jetstream(lab: Lab, times: number): Promise<Series[]> {
  const version = execFileSync('nats-server', ['--version'], { encoding: 'utf8' }).trim().replace(/^.*v/, '')
  const accepted = figure(`messages of ${SIZE} bytes on this disk, accepted`, '/s')
  const ours = figure('… and on the disk of the receiver, acknowledged', '/s')
  const theirs = figure(
    `JetStream of nats-server ${version}: in a file there, not synced, acknowledged`,
    '/s'
  )
  const synced = figure('JetStream: the same on a file system mounted `sync`', '/s')
  const ratio = figure('ours / JetStream with what it writes on disk', '×')
  for (let n = 0; n < times; n++) {
    await paired(lab, n, async (one, other) => {
      await handler(other, 'message/waits', WAITS)
      const line = await Pipeline.open(one.socket)
      await send(line, other, 'waits', 100)
      const began = performance.now()
      const ids = await send(line, other, 'waits', RATE)
      accepted.values.push(rate(RATE, began, performance.now()))
      ours.values.push(rate(RATE, began, await reaches(one, ids.at(-1)!, 'received')))
      line.close()
    })
    const [from, to] = [await lab.plain(60 + 2 * n), await lab.plain(61 + 2 * n)]
    for (const [into, number, disk] of [
      [theirs, RATE, false],
      [synced, SYNCED, true]
    ] as const) {
      const took = await published(from, to, number, disk)
      if (took !== undefined) into.values.push((number / took) * 1_000)
    }
    const last = synced.values.at(-1)
    if (last !== undefined) ratio.values.push(ours.values.at(-1)! / last)
  }
  return [accepted, ours, theirs, synced, ratio]
}

const rate = (number: number, from: number, to: number) => (number / (to - from)) * 1_000

/** Milliseconds; undefined where no disk can be made that is written to at once. */
async function published(from: Plain, to: Plain, number: number, sync: boolean): Promise<number | undefined> {
  const folder = join(to.folder, sync ? 'synced' : 'store')
  mkdirSync(folder)
  if (sync) {
    const file = join(to.folder, 'disk')
    const made = await to.space.try([
      'sh',
      '-c',
      `truncate -s ${DISK_MB}M ${file} && mkfs.ext4 -qF ${file} && mount -o loop,sync ${file} ${folder}`
    ])
    if (made.code !== 0) {
      console.error(`no disk that is written to at once: ${made.stderr}`)
      return undefined
    }
  }
  const settings = join(to.folder, 'nats.conf')
  writeFileSync(settings, `listen: "${to.address}:4222"\njetstream { store_dir: "${folder}" }\n`)
  const server = to.space.spawn(['nats-server', '-c', settings], { stdio: 'ignore' })
  const ended = once(server, 'exit')
  const program = new URL('nats.ts', import.meta.url).pathname
  const words = [process.execPath, program, to.address, String(number), String(SIZE)]
  try {
    const { code, stdout, stderr } = await from.space.try(words, { timeoutMs: 120_000 })
    if (code !== 0) throw new Error(stderr)
    return Number(stdout)
  } finally {
    process.kill(inner(server)!, 'SIGKILL')
    await ended
    if (sync) await to.space.run(['umount', folder])
  }
}

/** A pair of its own for each repetition, as what waits for a handler goes with it. */
async function paired(
  lab: Lab,
  n: number,
  act: (one: Computer, other: Computer, away: Plain) => Promise<void>
): Promise<void> {
  const undo: (() => unknown)[] = []
  try {
    await act(...(await couple({ teardown: fn => undo.push(fn) }, lab, 10 + 2 * n)))
  } finally {
    for (const fn of undo.reverse()) await fn()
  }
}

/** When it is shown so, by performance.now(). */
async function shows(on: Computer, other: Computer, reachable: boolean): Promise<number> {
  const client = await Client.open(on.socket)
  const look = async () => {
    for await (const { Peers } of client.stream('Subscribe', { Peer: other.name }))
      if (Peers.some(peer => peer.Reachable === reachable)) return
  }
  await within(60_000, `${other.name} is shown ${reachable ? '' : 'un'}reachable`, look())
  client.close()
  return performance.now()
}
