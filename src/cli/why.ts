/** `coterie why`: why a peer is reachable by the path it has, or why it is not, and what would help. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { width } from './columns.ts'
import type { Look } from './print.ts'
import { aligned, json, lookOf, out, printable, progressLine, table, wrapped } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'
import { address, ago, evidence, latency, linkKind, namedBy, reason, result, since } from './words.ts'

type Why = Result<'Why'>
type Candidate = Why['Candidates'][number]

export function addWhyCommand(program: Command): void {
  withJson(withCircle(program.command('why')))
    .description('why a peer can be reached as it is, or cannot be, and what would help')
    .argument('<peer>', 'id, short id or name')
    .action(why)
}

const why = (peer: string, options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const waiting = progressLine()
    const found = await client
      .call('Why', { ...circleOf(options), Peer: peer }, waiting.show)
      .finally(waiting.clear)
    if (options.json) return void json(found)
    for (const line of whyLines(found, lookOf(process.stdout), Date.now() * 1000)) out(line)
  })

export function whyLines(why: Why, look: Look, nowUSec: number): string[] {
  const blocks = [
    heading(why, look, nowUSec),
    addresses(why, look, nowUSec),
    heard(why, look, nowUSec),
    why.State === 'reachable' ? [chosen(why)].flatMap(text => wrapped(text, look.columns)) : [],
    why.Advice.flatMap(text => wrapped(printable(text), look.columns, `${look.mark('→', '->')} `))
  ]
  return blocks.filter(lines => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

function heading(why: Why, look: Look, nowUSec: number): string[] {
  const name = look.bold(printable(why.Name))
  const state =
    why.State === 'reachable'
      ? look.green(why.State)
      : why.State === 'suspect'
        ? look.yellow(why.State)
        : why.State
  const because =
    why.State === 'reachable'
      ? latency(why.LatencyUSec)
      : why.State === 'asleep'
        ? why.AsleepSinceUSec > 0
          ? since(why.AsleepSinceUSec, nowUSec)
          : ''
        : reason(why.Reason)
  const facts = [
    ...(why.LastSeenUSec > 0 ? [`last seen ${ago(why.LastSeenUSec, nowUSec)}`] : []),
    why.EvidenceUSec > 0
      ? `last sign of life ${ago(why.EvidenceUSec, nowUSec)}, ${evidence(why.Evidence)}`
      : 'no sign of life since the daemon started'
  ]
  return [
    `${name} is ${state}${because ? `: ${because}` : ''}`,
    ...wrapped(facts.join(look.mark(' · ', ', ')), look.columns).map(look.dim)
  ]
}

const HEADING = ['ADDRESS', 'NAMED BY', 'TRIED', 'RESULT', 'ROUND TRIP']

function addresses(why: Why, look: Look, nowUSec: number): string[] {
  if (why.Candidates.length === 0) return ['No address of it is known.']
  const reachable = why.State === 'reachable'
  const rows = why.Candidates.map(one => [
    printable(address(one.Address)),
    named(one, nowUSec),
    one.TriedUSec > 0 ? ago(one.TriedUSec, nowUSec) : one.InUse ? '' : 'never',
    painted(one, outcome(one, reachable), look),
    latency(one.RoundTripUSec)
  ])
  const lines = table(look, HEADING, rows)
  if (lines.every(line => width(line) <= look.columns)) return lines
  // each address has its line, and below it the rest
  return rows.flatMap(([where = '', by = '', tried = '', ...rest]) => [
    where,
    ...wrapped(
      [by, tried === 'never' ? 'never tried' : tried && `tried ${tried}`, ...rest]
        .filter(Boolean)
        .join(look.mark(' · ', ', ')),
      look.columns,
      '    '
    )
  ])
}

function named({ Named: [first, ...more] }: Candidate, nowUSec: number): string {
  if (first === undefined) return 'its call to us'
  const rest = more.length > 0 ? ` (+${more.length})` : ''
  return first.By === 'static' || first.By === 'known'
    ? namedBy(first.By) + rest
    : `${namedBy(first.By)} ${ago(first.AtUSec, nowUSec)}${rest}`
}

function outcome(one: Candidate, reachable: boolean): string {
  const { InUse, Why, Result, ProbeResult, ProbedUSec, TriedUSec } = one
  if (InUse) return 'in use'
  if (Why === 'failed')
    return result(Result) + (ProbeResult === 'answered' && ProbedUSec >= TriedUSec ? ', probes pass' : '')
  if (Why === 'kind') return `worse: ${linkKind(one.Link)}`
  return (reachable ? WHY_NOT : WHY_NOT_YET)[Why] ?? Why
}

const WHY_NOT_YET: { readonly [why: string]: string } = {
  trying: 'being tried',
  untried: 'its turn comes',
  reserve: 'worked before'
}
const WHY_NOT: { readonly [why: string]: string } = {
  trying: 'being tried',
  untried: 'not needed',
  reserve: 'in reserve',
  metered: 'worse: metered',
  far: 'worse: by a router',
  slower: 'not faster',
  unproved: 'not proved better'
}

function painted({ InUse, Why }: Candidate, text: string, look: Look): string {
  if (InUse) return look.green(text)
  return Why === 'failed' ? look.yellow(text) : look.dim(text)
}

function heard({ Heard }: Why, look: Look, nowUSec: number): string[] {
  return aligned(
    Heard.map(one => [
      look.dim('Heard on'),
      printable(one.Interface),
      printable(one.Address),
      look.dim(ago(one.HeardUSec, nowUSec) + (one.Followed ? '' : ', not followed'))
    ])
  )
}

/** Why the one in use is it. */
function chosen({ Candidates }: Why): string {
  const [used, ...others] = Candidates
  if (used === undefined) return ''
  const near = used.Link === 'loopback' ? '' : used.Near ? 'in this network' : 'by a router'
  const way = [linkKind(used.Link), near, used.Metered ? 'metered' : '']
  const first = `The way in use: ${way.filter(Boolean).join(', ')}.`
  if (others.length === 0) return `${first} It is the only address that is known.`
  return `${first} It stays until a better one is proved: by cable before wireless before a tunnel, without a router before with one, then the faster.`
}
