/** `coterie invite --ticket`: one line that lets one device join, later and from elsewhere. */
import type { Params } from '../api/api.ts'
import { err, json, lookOf, out } from './print.ts'
import { qrLines } from './qr.ts'
import { withDaemon } from './run.ts'
import { span } from './words.ts'

/** The line alone on stdout, what to do with it on a terminal beside it. */
export const makeTicket = (params: Partial<Params<'MakeTicket'>>, options: { json?: boolean }) =>
  withDaemon(async client => {
    const made = await client.call('MakeTicket', params)
    if (options.json) return void json(made)
    out(made.Ticket)
    const look = lookOf(process.stderr)
    if (!look.terminal) return
    const left = Math.round((made.ExpiresUSec / 1000 - Date.now()) / 60_000) * 60_000_000
    const qr = await qrLines(made.Ticket, look.columns)
    err(['', ...qr, `Good for one device, for ${span(left)}. Treat it like a password.`].join('\n'))
    err(`On the other device: ${look.bold('coterie join -')}, then paste the line.`)
  })
