/** Why a link came to nothing. */
export type Dropped =
  | 'garbage' // not the beginning of a first message, or more than one
  | 'mac1'
  | 'rate'
  | 'half-open' // too many callers
  | 'evicted'
  | 'handshake' // behind a valid mac1 or a right code, yet not authentic
  | 'replay'
  | 'stranger' // authentic, yet no member
  | 'refused' // a ticket that is none any more
  | 'uninvited' // joining by a code, and no invitation is open
  | 'code' // a wrong one
  | 'lost' // removed as lost: told so
  | 'timeout'
  | 'unconfirmed' // closed, or a wrong first record, after message 2

export type Counters = Record<Dropped, number>

export function counters(): Counters {
  return {
    garbage: 0,
    mac1: 0,
    rate: 0,
    'half-open': 0,
    evicted: 0,
    handshake: 0,
    replay: 0,
    stranger: 0,
    refused: 0,
    uninvited: 0,
    code: 0,
    lost: 0,
    timeout: 0,
    unconfirmed: 0
  }
}
