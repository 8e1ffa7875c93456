/** What is told of messages on D-Bus and to event readers, and how calls show them. Bodies are never told. */
import type { MessageRecord } from '../../api/api.ts'
import type { CircleId, PeerId } from '../../crypto/identity.ts'
import type { Received } from '../../messages/inbox.ts'
import type { Sent } from '../../messages/outbox.ts'
import type { Publisher } from '../surfaces/publisher.ts'

interface Names {
  readonly id: CircleId
  nameOf(peer: PeerId): string
}
interface Holders extends Names {
  holders(sent: Sent): readonly PeerId[]
}

export const tellSent = (publisher: Publisher, circle: Names, sent: Sent): void =>
  publisher.signal('ReceiptChanged', '', {
    Circle: circle.id,
    Id: sent.id,
    Peer: sent.peer,
    Name: circle.nameOf(sent.peer),
    Tag: sent.tag,
    State: sent.state,
    Reason: reasonOf(sent),
    Exit: sent.exit
  })

/** Once, when it is on disk. */
export function tellReceived(publisher: Publisher, circle: Names, received: Received): void {
  const { id, from, tag, state, payload, runs } = received
  // its first state, whatever follows at once; one that is to run again has run before
  if (state !== 'received' || runs > 0) return
  publisher.signal('MessageReceived', '', {
    Circle: circle.id,
    Id: id,
    Peer: from,
    Name: circle.nameOf(from),
    Tag: tag,
    Size: payload.length
  })
}

export function messageRecord(circle: Holders, sent: Sent): MessageRecord {
  return {
    Id: sent.id,
    Circle: circle.id,
    Peer: sent.peer,
    Name: circle.nameOf(sent.peer),
    Tag: sent.tag,
    State: sent.state,
    Reason: reasonOf(sent),
    HeldBy: circle.holders(sent).map(peer => ({ Peer: peer, Name: circle.nameOf(peer) })),
    Exit: sent.exit,
    Size: sent.payload.length,
    SentUSec: sent.sentMs * 1000,
    ExpiresUSec: sent.expiresMs * 1000,
    ChangedUSec: sent.changedMs * 1000,
    ...outputFields(sent.output)
  }
}

/** As text, or where it is none as base64. */
export function outputFields(output: Uint8Array): { Output: string; OutputBase64: string } {
  const text = textOf(output)
  return {
    Output: text ?? '',
    OutputBase64: text === undefined ? Buffer.from(output).toString('base64') : ''
  }
}

const reasonOf = ({ reason }: Sent): string => (reason === 'none' ? '' : reason)

/** Undefined when it is no text. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
