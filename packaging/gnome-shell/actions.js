/** What can be done with a device: each resolves with what there is to say, or rejects with what went wrong. */
import Gio from 'gi://Gio'
import GLib from 'gi://GLib'
import St from 'gi://St'
import { address, ago, deadReason, latency, reason, since } from '../../src/cli/words.ts'
import { ask } from './agent.js'

const PORTAL = 'org.freedesktop.portal'
const OBJECT = '/org/freedesktop/portal/desktop'
const WAIT_USEC = 20_000_000
/** Bytes of a message. */
const MOST = 1_048_576
for (const member of ['query_info_async', 'load_contents_async']) Gio._promisify(Gio.File.prototype, member)

/** Of a Peer (api.ts): where it is, or why it is not there. */
export function standing({ State, Reason, Addresses, Path, LastSeenUSec, AsleepSinceUSec: slept }) {
  const now = Date.now() * 1000
  if (State === 'reachable') return `${address(Addresses[0] ?? '')} · ${Path}`
  if (State === 'asleep' && slept > 0) return `asleep ${since(slept, now)}`
  return reason(Reason) + (LastSeenUSec > 0 ? ` · last seen ${ago(LastSeenUSec, now)}` : '')
}

/** The file chooser of the desktop: the URI of a file; undefined when none was chosen. */
async function chooseFile(title) {
  const bus = Gio.DBus.session
  const token = `coterie${GLib.random_int()}`
  const path = `${OBJECT}/request/${bus.get_unique_name().slice(1).replaceAll('.', '_')}/${token}`
  let id
  const chosen = new Promise(resolve => {
    const hear = (...signal) => resolve(signal.at(-1).recursiveUnpack()[1].uris?.[0])
    id = bus.signal_subscribe(null, `${PORTAL}.Request`, 'Response', path, null, 0, hear)
  })
  const wish = new GLib.Variant('(ssa{sv})', ['', title, { handle_token: new GLib.Variant('s', token) }])
  const chooser = [`${PORTAL}.Desktop`, OBJECT, `${PORTAL}.FileChooser`, 'OpenFile']
  const opened = bus.call(...chooser, wish, null, 0, -1, null)
  return opened.then(() => chosen).finally(() => bus.signal_unsubscribe(id))
}

async function send(daemon, { Circle, Id: peer, Name }, tag, text, base64 = '') {
  const message = [Circle, [peer], false, tag, text, base64, false, 0]
  const [[{ Id }]] = await daemon.call('Send', '(sasbsssbt)', message)
  const { Message: it } = await daemon.open('WaitMessage', '(ssst)', [Circle, Id, 'done', WAIT_USEC])
  return it.State === 'done' ? `${Name} has it.` : `Not done: ${deadReason(it.Reason, tag, it.Exit)}.`
}

/** By the words of the menu, in its order. */
export const actions = {
  async 'Send File…'(daemon, peer) {
    const uri = await chooseFile(`Send a File to ${peer.Name}`)
    if (!uri) return ''
    const file = Gio.File.new_for_uri(uri)
    const info = await file.query_info_async('standard::*', 0, GLib.PRIORITY_DEFAULT, null)
    const name = info.get_display_name().replaceAll('\n', ' ')
    if (name.length + info.get_size() > MOST) return `${name} has more than 1 MiB: too much for a message.`
    const [content] = await file.load_contents_async(null)
    const head = new TextEncoder().encode(`${name}\n`)
    const body = new Uint8Array(head.length + content.length)
    body.set(head)
    body.set(content, head.length)
    return send(daemon, peer, 'file', '', GLib.base64_encode(body))
  },

  async 'Send Text…'(daemon, peer) {
    let text = ''
    const entry = new St.Entry({ hint_text: 'Text', can_focus: true, x_expand: true })
    entry.clutter_text.connect('text-changed', () => (text = entry.text))
    const sentence = 'It is shown there as a notification.'
    const answer = await ask(`Send Text to ${peer.Name}`, sentence, ['Cancel', 'Send'], entry)
    return answer === 'Send' && text ? send(daemon, peer, 'notify', text) : ''
  },

  async 'Send Clipboard'(daemon, peer) {
    const clipboard = St.Clipboard.get_default()
    const text = await new Promise(got =>
      clipboard.get_text(St.ClipboardType.CLIPBOARD, (_, text) => got(text))
    )
    return text ? send(daemon, peer, 'clipboard', text) : 'There is no text in the clipboard.'
  },

  async Wake(daemon, { Circle, Id, Name }) {
    const { Reachable } = await daemon.open('Wake', '(sst)', [Circle, Id, WAIT_USEC])
    return Reachable ? `${Name} is awake.` : `${Name} was called, and has not come yet.`
  },

  async 'Why?'(daemon, { Circle, Id }) {
    const { Name, State, Reason, LatencyUSec, Advice } = await daemon.open('Why', '(ss)', [Circle, Id])
    const sentence = reason(Reason) || `It answers within ${latency(LatencyUSec)}.`
    await ask(`${Name} is ${State}`, [sentence, ...Advice].join('\n\n'), ['Close'])
  }
}
