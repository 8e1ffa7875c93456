/** Handlers of events: what runs, how often, and in which order; with real scripts. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { Occasions } from '../../src/daemon/messages/occasions.ts'
import { Runs } from '../../src/daemon/messages/runs.ts'
import { Bus } from '../../src/host/bus.ts'
import { findHandlers } from '../../src/host/handler-files.ts'
import { Lookup } from '../../src/messages/lookup.ts'

let runs = 0
async function world(t: Test, scripts: { [path: string]: string }) {
  const folder = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, script] of Object.entries(scripts)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o755 })
    writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, path), 0o700)
  }
  const { files } = await findHandlers(folder)
  const lookup = new Lookup(files.map(file => ({ ...file, folder, order: 0 })))
  const log: string[] = []
  const occasions = new Occasions({
    find: (family, event, about) => lookup.event(family, event, about),
    runs: new Runs({
      bus: new Bus({ kind: 'session', log: () => {} }),
      folder: join(folder, '.runs'),
      config: () => ({ folders: [], timeout: 5, memory: 256, tasks: 64, units: true }),
      log: (_level, sentence) => log.push(sentence)
    }),
    name: () => `coterie-event-${++runs}`,
    log: (_level, sentence) => log.push(sentence)
  })
  const tell = (event: string, peer: string) =>
    occasions.tell('peer', event, { names: new Set([peer]) }, { COTERIE_EVENT: event, COTERIE_PEER: peer })
  const said = (name: string) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
  return { folder, occasions, tell, said, log }
}
const SAY = 'echo "$COTERIE_EVENT $COTERIE_PEER" >>'

t.test('an event runs all handlers that are for it', async t => {
  const { occasions, tell, said } = await world(t, {
    'peer/log': `${SAY} ../log`,
    'peer/@anna/reachable.sh': `${SAY} ../../anna`,
    'peer/@anna maria/seen': `${SAY} ../../maria`,
    'peer/@pc.home.arpa/seen': `${SAY} ../../pc`,
    'peer/reachable.@ben.sh': `${SAY} ../ben`
  })
  tell('reachable', 'anna')
  tell('reachable', 'ben')
  tell('seen', 'anna maria')
  tell('seen', 'pc.home.arpa')
  await occasions.idle()
  t.same(said('log'), ['reachable anna', 'reachable ben', 'seen anna maria', 'seen pc.home.arpa'], 'in order')
  t.same(said('anna'), ['reachable anna'])
  t.same(said('ben'), ['reachable ben'])
  t.same(said('maria'), ['seen anna maria'], 'a name with a space')
  t.same(said('pc'), ['seen pc.home.arpa'], 'a name with dots, as a folder')
})

t.test('a peer that comes and goes faster than the handler runs', async t => {
  const { folder, occasions, tell, said } = await world(t, {
    'peer/slow': `${SAY} ../slow; while [ ! -e ../go ]; do sleep 0.01; done`,
    'peer/fast': `${SAY} ../fast`
  })
  for (let i = 0; i < 1_000; i++) {
    tell('unreachable', 'anna')
    tell('reachable', 'anna')
    if (i === 500) tell('asleep', 'ben')
  }
  t.match(occasions.load, { running: 2, waiting: 6 }, 'a thousand times leave three to each')
  writeFileSync(join(folder, 'go'), '')
  await occasions.idle()
  t.same(said('slow'), ['unreachable anna', 'asleep ben', 'unreachable anna', 'reachable anna'])
  t.equal(said('fast').at(-1), 'reachable anna', 'the last that is heard is how it is')
})

t.test('many peers, and not more than four at once', async t => {
  const scripts = Array.from({ length: 7 }, (_, i): [string, string] => [
    `peer/h${i}`,
    'while [ ! -e ../go ]; do sleep 0.01; done'
  ])
  const { folder, occasions, tell } = await world(t, Object.fromEntries(scripts))
  for (let i = 0; i < 1_000; i++) tell('seen', `p${i}`)
  t.match(occasions.load, { running: 4, waiting: 7 * 256 }, 'what waits for one handler has an end')
  occasions.clear()
  writeFileSync(join(folder, 'go'), '')
  await occasions.idle()
  t.match(occasions.load, { running: 0, waiting: 0 })
})

t.test('handlers that are no good hold up nobody', async t => {
  const { folder, occasions, tell, said, log } = await world(t, {
    'peer/fails': 'echo no >&2; exit 3',
    'peer/gone': 'true',
    'peer/good': `${SAY} ../good`
  })
  rmSync(join(folder, 'peer/gone'))
  tell('seen', 'anna')
  tell('joined', 'anna')
  await occasions.idle()
  t.same(said('good'), ['seen anna', 'joined anna'])
  t.equal(log.filter(line => line === 'handler ended with 3').length, 2)
  t.equal(log.filter(line => /gone was not run: it is not there/.test(line)).length, 2)
})
