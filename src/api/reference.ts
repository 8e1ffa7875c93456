/** docs/api.md, made from the API. */
import type { MethodName, ObjectKind } from './api.ts'
import {
  agents,
  errors,
  INTERFACE,
  type Method,
  methods,
  objects,
  ROOT,
  Status,
  serving,
  signals
} from './api.ts'
import { interfaces, type Offer, signature, spelled } from './introspection.ts'
import type { Field, Fields, RecordType, Type } from './types.ts'
import { empty } from './types.ts'

/** One example of each method: its parameters, and the command that makes the same call. */
export const examples: {
  readonly [M in MethodName]: { params: { [name: string]: unknown }; command: string }
} = {
  Status: { params: {}, command: 'coterie status' },
  Peers: { params: {}, command: 'coterie peers' },
  Devices: { params: {}, command: 'coterie devices' },
  UseCircle: { params: { Circle: 'work' }, command: 'coterie circle use work' },
  Init: { params: { Name: 'home' }, command: 'coterie init --name home' },
  Invite: { params: { Confirmed: true }, command: 'coterie invite --yes' },
  Confirm: {
    params: { Request: 'mzxw6ytboi', Accept: true },
    command: `coterie call Confirm '{"Request":"mzxw6ytboi","Accept":true}'`
  },
  MakeTicket: { params: { ExpiresInUSec: 3_600_000_000 }, command: 'coterie invite --ticket --valid 1h' },
  Join: { params: { Ticket: 'coterie1:…' }, command: 'coterie join -' },
  Rename: { params: { Name: 'study' }, command: 'coterie rename study' },
  Rekey: { params: {}, command: 'coterie rekey' },
  Remove: { params: { Device: 'desktop' }, command: 'coterie remove desktop --yes' },
  VerifyRecovery: { params: { Code: '0123-…' }, command: 'coterie recovery verify' },
  UseRecovery: {
    params: { Code: '0123-…', Remove: ['laptop'], SinceUSec: 1_795_200_000_000_000 },
    command: 'coterie recovery use --remove laptop --since 2d --yes'
  },
  SplitRecovery: {
    params: { Code: '0123-…', Devices: ['desktop', 'nas', 'phone'] },
    command: 'coterie recovery split desktop nas phone'
  },
  RecoveryShare: { params: {}, command: 'coterie recovery share' },
  UnlockCircle: { params: { Code: '0123-…' }, command: 'coterie recovery unlock' },
  Leave: { params: {}, command: 'coterie leave --yes' },
  Erase: { params: {}, command: 'coterie leave --erase --yes' },
  Ping: { params: { Peer: 'desktop', Count: 3 }, command: 'coterie ping desktop --count 3' },
  Send: { params: { Peers: ['laptop'], Tag: 'backup/start' }, command: 'coterie send laptop backup/start' },
  WaitMessage: {
    params: { Id: 'jxl3hhlg7srnozee', State: 'done' },
    command: `coterie call WaitMessage '{"Id":"jxl3hhlg7srnozee","State":"done"}'`
  },
  Outbox: { params: {}, command: 'coterie outbox' },
  CancelMessage: { params: { Id: 'jxl3hhlg7srnozee' }, command: 'coterie outbox cancel jxl3hhlg7srnozee' },
  RetryMessage: { params: { Id: 'jxl3hhlg7srnozee' }, command: 'coterie outbox retry jxl3hhlg7srnozee' },
  ClearOutbox: { params: {}, command: 'coterie outbox clear' },
  Handlers: { params: {}, command: 'coterie handlers' },
  TryHandler: {
    params: { Peer: 'laptop', Tag: 'backup/start' },
    command: 'coterie handlers run --dry laptop backup/start'
  },
  RunHandler: {
    params: { Peer: 'laptop', Tag: 'backup/start' },
    command: 'coterie handlers run laptop backup/start'
  },
  Serve: { params: { Tags: ['backup/*'] }, command: "coterie serve 'backup/*' -- ./backup" },
  Answer: {
    params: { Request: 'mzxw6ytboi', Exit: 0, Output: 'saved' },
    command: `coterie call Answer '{"Request":"mzxw6ytboi","Exit":0,"Output":"saved"}'`
  },
  Wake: { params: { Peer: 'desktop', WaitUSec: 20_000_000 }, command: 'coterie wake desktop' },
  Why: { params: { Peer: 'desktop' }, command: 'coterie why desktop' },
  Matrix: { params: {}, command: 'coterie status --matrix' },
  Watch: { params: {}, command: 'coterie watch' },
  Subscribe: {
    params: { All: true, States: ['reachable'], LatencyPercent: 50, IntervalUSec: 5_000_000 },
    command: `coterie call Subscribe '{"All":true,"States":["reachable"],"LatencyPercent":50,"IntervalUSec":5000000}'`
  },
  Config: { params: {}, command: 'coterie config' },
  Reload: { params: {}, command: 'coterie call Reload' },
  Doctor: { params: {}, command: 'coterie doctor' },
  Energy: { params: {}, command: 'coterie status --energy' },
  Version: { params: {}, command: 'coterie version' }
}

const INTRODUCTION = `# API

Made from \`src/api/api.ts\` by \`npm run generate\`; do not edit.

The daemon offers one API in three places. Names are the same everywhere. There is no null: an empty string,
0 or an empty list means *unknown*. Times end in \`USec\`: microseconds since 1970, or a duration where the
text says so. A parameter marked *optional* may be left out, and then has its empty value. \`PEER\` and
\`DEVICE\` are an id, a short id (the 8 characters after \`co1\`) or a name that only one member has.

## On the UNIX socket

\`$XDG_RUNTIME_DIR/coterie/coterie.sock\` speaks [Varlink](https://varlink.org) (objects ended by NUL) and the
same as JSON lines (ended by a line feed); each answer ends as its question did. Methods may be named in
full, \`${INTERFACE}.Status\`, or in short, \`Status\`. Whoever may enter the directory may do everything.

\`\`\`sh
echo '{"method":"Status"}' | nc -U -N "$XDG_RUNTIME_DIR/coterie/coterie.sock"
varlinkctl call "$XDG_RUNTIME_DIR/coterie/coterie.sock" ${INTERFACE}.Status '{}'
\`\`\`

- Answers are \`{"parameters": {…}}\` or \`{"error": "${INTERFACE}.NoSuchPeer", "parameters": {"Message": "…"}}\`.
- Calls of one connection are answered in order; one that takes long keeps those behind it waiting.
- A **stream** needs \`"more": true\`. Each reply has \`"continues": true\`; if the daemon ends the stream, a last
  reply of empty values has not.
- A **job** may take long. It answers when it is done; with \`"more": true\` replies on the way have
  \`"continues": true\`, a sentence in \`Progress\`, sometimes an object in \`Details\`, and all else empty. Closing
  the connection cancels it.
- \`"oneway": true\`: no answer. \`"upgrade"\` is refused.
- A call has at most 1.5 MiB and is nested at most 32 deep. A reader that lets 16 MiB wait is cut off.

## On D-Bus

On the session bus, name \`${INTERFACE}\`, object \`${ROOT}\` with \`org.freedesktop.DBus.ObjectManager\`; the
objects below it are listed under [Objects](#objects). Records are \`a{sv}\`. A job returns the path of a Job
object and goes on for as long as its caller is connected, a stream that of a Subscription. Errors are \`${INTERFACE}.Error.NoSuchPeer\`.

\`\`\`sh
busctl --user introspect ${INTERFACE} ${ROOT}
busctl --user call ${INTERFACE} ${ROOT} ${INTERFACE} Version
\`\`\`

## On the command line

\`coterie COMMAND --json\` prints exactly these records; \`coterie call METHOD '{"…": …}'\` calls any method.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not running, 4 the peer is unreachable.
`

function typeText(type: Type): string {
  if (type.kind === 'list') return `list of ${typeText(type.item)}`
  return type.kind === 'record' ? `[${type.name}](#${type.name.toLowerCase()}-record)` : type.kind
}

const cell = (text: string) => text.replaceAll('|', '\\|')

function fieldTable(fields: Fields, note: (field: Field) => string): string {
  const rows = Object.entries(fields).map(
    ([name, f]: [string, Field]) => `| \`${name}\` | ${typeText(f.type)}${note(f)} | ${cell(f.doc)} |`
  )
  return rows.length === 0 ? '' : `${['| name | type | |', '|---|---|---|', ...rows].join('\n')}\n`
}

const optionalNote = (f: Field) => (f.optional ? ', optional' : '')
const constNote = (f: Field) => (f.const ? ', constant' : '')

function busctl(name: string, params: Fields, given: { readonly [name: string]: unknown }): string {
  const entries = Object.entries(params)
  const values = entries.map(([field, f]) => JSON.stringify(given[field] ?? empty(f.type)))
  const types = entries.map(([, f]) => signature(f.type)).join('')
  return ['busctl --user call', INTERFACE, ROOT, INTERFACE, name, types, ...values].filter(Boolean).join(' ')
}

function methodText(name: MethodName): string {
  const { doc, params, result, kind, surfaces, control, details }: Method = methods[name]
  const { params: given, command } = examples[name]
  const call = {
    method: name,
    ...(Object.keys(given).length > 0 && { parameters: given }),
    ...((kind === 'stream' || details) && { more: true })
  }
  const onBus = surfaces === 'all'
  const facts = [
    kind === 'call' ? '' : `A ${kind}.`,
    onBus ? '' : 'On the socket only.',
    onBus && kind === 'stream' ? 'On D-Bus it returns a [Subscription](#subscription-object).' : '',
    control && onBus ? 'Refused on D-Bus where `[dbus] control = false`.' : ''
  ].filter(Boolean)
  return [
    `### ${name}\n`,
    [doc, ...facts].join(' '),
    '',
    fieldTable(params, optionalNote) && `Parameters:\n\n${fieldTable(params, optionalNote)}`,
    fieldTable(result, () => '')
      ? `${kind === 'stream' ? 'Each reply' : 'Result'}:\n\n${fieldTable(result, () => '')}`
      : 'No result.\n',
    ...(details
      ? [`Details on the way:\n\n${details.map(line => `- \`${line.replace('}:', '}`:')}\n`).join('')}`]
      : []),
    '```sh',
    command,
    `echo '${JSON.stringify(call)}' | nc -U -N "$XDG_RUNTIME_DIR/coterie/coterie.sock"`,
    ...(onBus && kind !== 'stream' ? [busctl(name, params, given)] : []),
    '```\n'
  ]
    .filter((line, i) => line !== '' || i === 2)
    .join('\n')
}

function offerText(its: Offer): string {
  const lines = Object.entries(its.methods).map(([name, { doc, params, result = {} }]) => {
    const line = (arrow: string, [param, f]: [string, Field]) =>
      `- ${arrow}\`${signature(f.type)} ${param}\`: ${f.doc}\n`
    const args = [
      ...Object.entries(params).map(entry => line('', entry)),
      ...Object.entries(result).map(entry => line('returns ', entry))
    ]
    return `**${name}**: ${doc}\n\n${args.length > 0 ? `${args.join('')}\n` : ''}`
  })
  const name = its.interface.slice(INTERFACE.length + 1)
  const where = name.endsWith('Manager') ? `path \`${ROOT}\`` : 'at the path that was registered'
  return `### ${name}\n\n${its.doc} Interface \`${its.interface}\`, ${where}.\n\n${lines.join('')}`
}

/** Methods and signals that objects below the root have. */
function membersText(kind: ObjectKind): string {
  if (kind === 'Daemon') return ''
  const { methods: its, signals: told } = interfaces[kind]
  const lines = [
    ...Object.entries(its).map(([name, m]) => `- \`${name}\`: ${m.doc}\n`),
    ...Object.entries(told).map(([name, s]) => `- signal \`${name} ${spelled(s.args)}\`: ${s.doc}\n`)
  ]
  return lines.length === 0 ? '' : `\n${lines.join('')}`
}

/** Records inside results, each once. */
function recordsIn(fields: Fields, found = new Map<string, RecordType>()): Map<string, RecordType> {
  for (const f of Object.values(fields)) {
    const type = f.type.kind === 'list' ? f.type.item : f.type
    if (type.kind !== 'record' || found.has(type.name)) continue
    found.set(type.name, type)
    recordsIn(type.fields, found)
  }
  return found
}

/** The whole page. */
export function reference(): string {
  const names = Object.keys(methods) as MethodName[]
  const records = recordsIn(Status.fields)
  for (const name of names) recordsIn(methods[name].result, records)
  recordsIn(serving.Handler.methods.Handle.params, records)
  return `${[
    INTRODUCTION,
    '## Methods\n',
    ...names.map(methodText),
    '## Records\n',
    ...[...records.values()].map(
      r => `### ${r.name} (record)\n\n${r.doc}\n\n${fieldTable(r.fields, () => '')}`
    ),
    '## Objects\n',
    'On D-Bus each is an object with these properties; in `Watch` events it is `Object` (the path below the root) and `Kind`. `#` stands for ids and numbers.\n',
    ...Object.entries(objects).map(
      ([name, o]) =>
        `### ${name} (object)\n\n${o.record.doc} Interface \`${o.interface}\`, path \`${ROOT}${o.path}\`.\n\n${fieldTable(o.record.fields, constNote)}${membersText(name as ObjectKind)}`
    ),
    '## Signals\n',
    'Of the daemon’s object; on the socket they are events whose `Type` is the name.\n',
    ...Object.entries(signals).map(
      ([name, s]) => `### ${name}\n\n${s.doc}\n\n${fieldTable(s.fields, () => '')}`
    ),
    '## Prompt agents\n',
    'Only on D-Bus. A program that can ask the person at this computer registers an object of its own with the daemon.\n',
    ...Object.values(agents).map(offerText),
    '## Programs that serve tags\n',
    'On D-Bus a program registers an object of its own, and is called with each message; on the socket this is `Serve` and `Answer`.\n',
    ...Object.values(serving).map(offerText),
    '## Errors\n',
    `On the socket \`${INTERFACE}.NAME\` with a sentence in \`Message\`, on D-Bus \`${INTERFACE}.Error.NAME\`.\n`,
    [
      '| name | |',
      '|---|---|',
      ...Object.entries(errors).map(([name, doc]) => `| \`${name}\` | ${cell(doc)} |`)
    ].join('\n')
  ].join('\n')}\n`
}
