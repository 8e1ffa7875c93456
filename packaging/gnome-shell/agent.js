/** A prompt agent: asks the person here whether a device may join, and shows the codes of invitations. */
import Clutter from 'gi://Clutter'
import Gio from 'gi://Gio'
import St from 'gi://St'
import { MessageDialogContent } from 'resource:///org/gnome/shell/ui/dialog.js'
import { ModalDialog } from 'resource:///org/gnome/shell/ui/modalDialog.js'
import interfaceXml from '../../dbus/org.coterie.Coterie1.Agent.xml'
import { duration, level, shortId, since } from '../../src/cli/words.ts'

const PATH = '/org/coterie/Panel/agent'
let shown

/**
 * One dialog at a time. Resolves with the label of the button that was pressed, '' when there is no answer. Escape
 * is the first one; `below` goes below the text, and Enter there is the last one.
 */
export function ask(title, description, labels, below) {
  shown?.close()
  return new Promise(resolve => {
    const dialog = new ModalDialog({ shouldFadeOut: false })
    const content = new MessageDialogContent({ title, description })
    dialog.contentLayout.add_child(content)
    const end = label => [resolve(label), dialog.close()]
    const key = [Clutter.KEY_Escape]
    dialog.setButtons(labels.map((label, n) => ({ label, action: () => end(label), key: key[n] })))
    if (below) content.add_child(below)
    if (below?.can_focus) dialog.setInitialKeyFocus(below)
    below?.clutter_text.connect('activate', () => end(labels.at(-1)))
    dialog.connect('destroy', () => {
      shown = undefined
      resolve('')
    })
    shown = dialog
    if (!dialog.open()) dialog.destroy()
  })
}

export class Agent {
  /** Made once: gjs does not give back all of an object that was exported. */
  constructor(changed) {
    /** `code`: of the invitation that is open, else ''. */
    Object.assign(this, { _changed: changed, code: '' })
    this._object = Gio.DBusExportedObject.wrapJSObject(interfaceXml, this)
  }

  start(daemon) {
    Object.assign(this, { _daemon: daemon, code: '' })
    this._object.export(Gio.DBus.session, PATH)
  }

  stop() {
    shown?.close()
    this._tell('UnregisterAgent')
    this._object.unexport()
  }

  register() {
    this.code = ''
    for (const member of ['RegisterAgent', 'RequestDefaultAgent']) this._tell(member)
  }

  /** Lets one device join, or shows the code once more. */
  async invite() {
    if (this.code) return this._show()
    const began = path => Object.assign(this, { _job: path })
    const { Name } = await this._daemon.open('Invite', '(sutbb)', ['', 0, 0, false, false], began)
    return `${Name} has joined.`
  }

  async RequestConfirmationAsync([circle, id, name, rank, guestForUSec], call) {
    const as = guestForUSec > 0 ? `guest for ${duration(guestForUSec)}` : level(rank)
    const text = `“${name}” (${shortId(id)}) has the code and wants to join “${circle}” as ${as}.`
    const answer = await ask('A Device Wants to Join', text, ['Decline', 'Accept'])
    if (answer === 'Accept') call.return_value(null)
    else
      call.return_dbus_error(`org.${answer ? 'gnome' : 'freedesktop.DBus.Error'}.TimedOut`, 'nobody said yes')
  }

  DisplayCode(code, expires) {
    const until = since(expires, Date.now() * 1000).replace('since', 'until')
    this._text = `Type “coterie join” and this code on the other device. It is good for one device, ${until}.`
    this._show((this.code = code))
    this._changed()
  }

  Cancel() {
    this.code = ''
    this._changed()
    shown?.close()
  }

  async _show() {
    const code = new St.Label({ text: this.code, style_class: 'coterie-code' })
    if ((await ask('Invite a Device', this._text, ['Hide', 'Take Back'], code)) === 'Take Back')
      this._daemon.cancel(this._job)
  }

  _tell(member) {
    this._daemon.call(member, '(o)', [PATH], { its: 'org.coterie.Coterie1.AgentManager' }).catch(() => {})
  }
}
