import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { errors, INTERFACE, methods } from '../../src/api/api.ts'
import { idl, serviceIdl } from '../../src/api/idl.ts'
import { SocketSurface } from '../../src/daemon/surfaces/socket.ts'
import { fakeImplementation } from '../implementation.ts'

/**
 * The grammar of varlink.org, "Interface Definition", as a recursive descent. Returns the members by name;
 * throws at the first place that does not fit.
 */
function parseIdl(text: string): { name: string; members: Map<string, { kind: string; types: string[] }> } {
  let rest = text
  const space = () => {
    rest = rest.replace(/^(?:[ \t\n]|#[^\n]*\n)+/, '')
  }
  const take = (pattern: RegExp): string => {
    const found = new RegExp(`^(?:${pattern.source})`).exec(rest)
    if (!found) throw new Error(`expected ${pattern.source} at ${JSON.stringify(rest.slice(0, 60))}`)
    rest = rest.slice(found[0].length)
    return found[0]
  }
  const type = (types: string[]): void => {
    if (rest.startsWith('?')) take(/\?/)
    if (rest.startsWith('[')) {
      take(/\[(?:string)?\]/)
      type(types)
    } else if (rest.startsWith('(')) struct(types)
    else types.push(take(/bool|int|float|string|object|[A-Z][A-Za-z0-9]*/))
  }
  const struct = (types: string[]): void => {
    take(/\(/)
    space()
    while (!rest.startsWith(')')) {
      take(/[A-Za-z](?:_?[A-Za-z0-9])*/)
      space()
      take(/:/)
      space()
      type(types)
      space()
      if (!rest.startsWith(')')) take(/,/)
      space()
    }
    take(/\)/)
  }
  space()
  take(/interface /)
  const name = take(/[a-z](?:-*[A-Za-z0-9])*(?:\.[A-Za-z0-9](?:-*[A-Za-z0-9])*)+/)
  take(/\n/)
  const members = new Map<string, { kind: string; types: string[] }>()
  for (space(); rest !== ''; space()) {
    const kind = take(/type|method|error/)
    take(/ /)
    const member = take(/[A-Z][A-Za-z0-9]*/)
    if (members.has(member)) throw new Error(`${member} is there twice`)
    const types: string[] = []
    space()
    struct(types)
    if (kind === 'method') {
      space()
      take(/->/)
      space()
      struct(types)
    }
    take(/\n/)
    members.set(member, { kind, types })
  }
  return { name, members }
}

t.test('the description follows the grammar and says all', async t => {
  const { name, members } = parseIdl(idl())
  t.equal(name, INTERFACE)
  const of = (kind: string) => [...members].filter(([, m]) => m.kind === kind).map(([n]) => n)
  t.same(of('method'), Object.keys(methods))
  t.same(of('error'), Object.keys(errors))
  const basic = new Set(['bool', 'int', 'float', 'string', 'object'])
  for (const [member, { types }] of members) {
    const unknown = types.filter(x => !basic.has(x) && members.get(x)?.kind !== 'type')
    t.same(unknown, [], `${member} mentions only types that are there`)
  }
  t.match(
    idl(),
    /method Join\([^>]*-> \([^)]*Progress: \?string,[^>]*Details: \?object\n\)/,
    'a job tells its progress'
  )
  t.notMatch(idl(), /method Status\([^>]*-> \([^)]*Progress/, 'a call does not')
})

t.test('org.varlink.service follows the grammar', async t => {
  const { name, members } = parseIdl(serviceIdl)
  t.equal(name, 'org.varlink.service')
  t.same(
    [...members].map(([n, { kind }]) => `${kind} ${n}`),
    [
      'method GetInfo',
      'method GetInterfaceDescription',
      'error InterfaceNotFound',
      'error MethodNotFound',
      'error MethodNotImplemented',
      'error InvalidParameter',
      'error PermissionDenied',
      'error ExpectedMore'
    ]
  )
})

t.test('the parser of this test refuses what is no description', async t => {
  t.throws(() => parseIdl('interface a.b\nmethod x() -> ()\n'), /expected/)
  t.throws(() => parseIdl('interface a.b\nmethod X(a: String) -> (a)\n'), /expected/)
  t.throws(() => parseIdl('interface a.b\nerror X ()\ntype X ()\n'), /twice/)
})

const present = spawnSync('varlinkctl', ['--version']).status === 0
t.test('varlinkctl', { skip: !present && 'varlinkctl is not on this machine' }, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'coterie-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'coterie', 'coterie.sock')
  const surface = new SocketSurface({ implementation: fakeImplementation(), log: () => {} })
  await surface.listen({ path })
  t.teardown(() => surface.stop())
  const run = (...words: string[]) =>
    new Promise<{ status: number | null; out: string }>(resolve => {
      const child = spawn('varlinkctl', words)
      let out = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (out += text))
      child.on('close', status => resolve({ status, out }))
    })
  t.match(await run('info', path), { status: 0, out: /coteried/ })
  t.match(await run('introspect', path, INTERFACE), { status: 0, out: /Progress: \?string/ })
  t.match(await run('call', path, `${INTERFACE}.Version`, '{}'), { status: 0, out: /"Version"/ })
  t.match(await run('call', '--more', path, `${INTERFACE}.Watch`, '{}'), { status: 0, out: /"Cursor"/ })
  t.match(await run('call', path, `${INTERFACE}.Ping`, '{"Peer":"eve"}'), { out: /NoSuchPeer/ })
  for (const [name, text] of [
    ['own', idl()],
    ['service', serviceIdl]
  ] as const) {
    const file = join(directory, `${name}.varlink`)
    writeFileSync(file, text)
    t.match(await run('validate-idl', file), { status: 0 }, `${name}: validate-idl`)
  }
})
