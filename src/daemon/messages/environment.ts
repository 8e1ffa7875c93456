/**
 * What a handler finds in its environment (docs/handlers.md has the table). Nothing else of the daemon's is passed on.
 * Texts that come from others hold printable ASCII only.
 */
import { homedir, userInfo } from 'node:os'
import { shortId } from '../../crypto/identity.ts'
import type { Received } from '../../messages/inbox.ts'
import type { Sender } from './handlers.ts'

const PASSED = ['LANG', 'XDG_RUNTIME_DIR']
const DESKTOP = [
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'XAUTHORITY',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_CURRENT_DESKTOP',
  'XDG_SESSION_TYPE'
]

type Environment = { readonly [name: string]: string }

export function messageEnvironment(received: Received, from: Sender): Environment {
  return {
    ...plain(),
    COTERIE_EVENT: 'message',
    COTERIE_ID: received.id,
    COTERIE_TAG: received.tag,
    COTERIE_FROM: from.id,
    COTERIE_FROM_SHORT: shortId(from.id),
    COTERIE_FROM_NAME: printable(from.name),
    COTERIE_CIRCLE: from.circleId,
    COTERIE_CIRCLE_NAME: printable(from.circle),
    COTERIE_SENT: `${Math.floor(received.sentMs / 1000)}`,
    COTERIE_SIZE: `${received.payload.length}`,
    COTERIE_RUN: `${received.runs}`,
    COTERIE_ASK: received.ask ? '1' : '0'
  }
}

function plain(): Environment {
  const passed = [...PASSED, ...DESKTOP].flatMap(name => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: homedir(),
    USER: userInfo().username,
    ...Object.fromEntries(passed)
  }
}

const printable = (text: string): string => text.replaceAll(/[^ -~]/g, '?')
