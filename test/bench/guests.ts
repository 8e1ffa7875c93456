/** The competitors as contenders of the session benchmarks. */
import { fork } from 'node:child_process'
import { dialler, names, type Pipe } from './competitors.ts'
import type { Contender } from './ratio.ts'
import { pour, SMALL, serial, trips } from './rounds.ts'

export interface Guests {
  trips(): Promise<Contender[]>
  small(): Promise<Contender[]>
  bulk(): Promise<Contender[]>
  handshakes(): Promise<Contender[]>
  /** Of their answering process, µs. */
  cpu(): Promise<number>
  close(): void
}

export const nobody: Guests = {
  trips: async () => [],
  small: async () => [],
  bulk: async () => [],
  handshakes: async () => [],
  cpu: async () => 0,
  close: () => {}
}

export async function inviteGuests(): Promise<Guests> {
  const peer = fork(new URL('competitor-peer.ts', import.meta.url))
  const answer = <Answer>() => new Promise<Answer>(resolve => peer.once('message', resolve as never))
  const { where } = await answer<{ where: { [name: string]: string } }>()
  const dial = new Map(
    await Promise.all(names.map(async name => [name, await dialler(name, where[name]!)] as const))
  )
  const pipes = (mode: string, make: (name: string, pipe: Pipe) => Contender) =>
    Promise.all(
      [...dial].map(async ([name, open]) => {
        const pipe = await open(false)
        pipe.send(Buffer.from(mode))
        return make(name, pipe)
      })
    )
  return {
    trips: () => pipes('e', pipeTrips),
    small: () => pipes('s', (name, pipe) => pipePour(name, pipe, SMALL, 20_000, false)),
    bulk: () => pipes('s', (name, pipe) => pipePour(name, pipe, 65_536, 400, true)),
    handshakes: async () => [...dial].map(([name, open]) => serial(name, () => open(true), 40)),
    cpu: async () => {
      peer.send('cpu')
      return (await answer<{ cpu: number }>()).cpu
    },
    close: () => peer.disconnect()
  }
}

function pipeTrips(name: string, pipe: Pipe): Contender {
  const body = Buffer.alloc(SMALL, 1)
  return trips(
    name,
    back => {
      let have = 0
      pipe.onData = bytes => {
        have += bytes.length
        if (have < SMALL) return
        have = 0
        back()
      }
      return () => pipe.send(body)
    },
    1000
  )
}

function pipePour(name: string, pipe: Pipe, length: number, count: number, megabytes: boolean): Contender {
  return {
    name,
    operations: count,
    async round() {
      const head = Buffer.alloc(4)
      head.writeUInt32BE(length * count)
      pipe.send(head)
      const arrived = new Promise<void>(resolve => {
        pipe.onData = () => resolve()
      })
      const body = Buffer.alloc(length, 2)
      const seconds = await pour(
        count,
        () => pipe.send(body),
        then => pipe.drained(then),
        arrived
      )
      return megabytes ? (count * length) / seconds / 1e6 : count / seconds
    }
  }
}
