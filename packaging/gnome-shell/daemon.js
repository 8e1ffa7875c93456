/** The daemon, as far as it runs: nothing here starts it, and the shell never waits for it. */
import Gio from 'gi://Gio'
import GLib from 'gi://GLib'

const NAME = 'org.coterie.Coterie1'
const ROOT = '/org/coterie/Coterie1'
/** Subscribe: all circles, any peer, any state; a latency changed by a quarter; once a second at most. */
const WISH = ['', true, '', [], 0, 25, 1_000_000]

export class Daemon {
  /** `began`: one is there, and knows nothing of this program; `changed`: what is here is not as it was. */
  constructor(began, changed) {
    Object.assign(this, { _began: began, _changed: changed, _open: new Map() })
    const on = (its, path, flags, react) => {
      const hear = (_bus, sender, from, ...more) =>
        sender === this.owner && react(from, ...more.at(-1).recursiveUnpack())
      return Gio.DBus.session.signal_subscribe(null, its, null, path, null, flags, hear)
    }
    const { NONE, NO_MATCH_RULE } = Gio.DBusSignalFlags
    this._signals = [
      on('org.freedesktop.DBus.Properties', ROOT, NONE, () => this._look()),
      on(`${NAME}.Job`, null, NONE, (path, ...end) => this._finish(path, ...end)),
      on(`${NAME}.Subscription`, null, NO_MATCH_RULE, path => this._open.has(path) && this._look())
    ]
    const begin = (_bus, _name, owner) => this._begin(owner)
    this._watch = Gio.bus_watch_name(Gio.BusType.SESSION, NAME, 0, begin, begin)
  }

  stop() {
    this._stopped = true
    Gio.bus_unwatch_name(this._watch)
    for (const id of this._signals) Gio.DBus.session.signal_unsubscribe(id)
    for (const path of this._open.keys()) this.cancel(path)
  }

  /** Resolves with what a method returns, or what `take` makes of it at once; or rejects. */
  call(member, signature, values, { take = reply => reply, path = ROOT, its = NAME } = {}) {
    const { NO_AUTO_START } = Gio.DBusCallFlags
    const call = [NAME, path, its, member, new GLib.Variant(signature, values), null, NO_AUTO_START]
    const finish = async (bus, result) => take(bus.call_finish(result).recursiveUnpack())
    return new Promise(resolve =>
      Gio.DBus.session.call(...call, 30_000, null, (bus, result) => resolve(finish(bus, result)))
    )
  }

  /** Makes a job, and gives its path to `began`; resolves with its result. A subscription has none. */
  open(member, signature, values, began = () => {}) {
    const take = ([path]) => {
      if (this._stopped) return this.cancel(path)
      began(path)
      return new Promise((resolve, reject) => this._open.set(path, { resolve, reject }))
    }
    return this.call(member, signature, values, { take })
  }

  cancel(path) {
    const its = `${NAME}.${path.includes('/job/') ? 'Job' : 'Subscription'}`
    this.call('Cancel', '()', [], { path, its }).catch(() => {})
  }

  _begin(owner) {
    for (const path of this._open.keys()) this._finish(path, 'failed', { Message: 'Coterie has ended.' })
    Object.assign(this, { owner, status: undefined })
    this._changed()
    if (!owner) return
    this._began()
    this._look()
    this.open('Subscribe', '(sbsastut)', WISH).catch(() => {})
  }

  _look() {
    const take = ([, , Circles, , , , , Peers, , Summary]) => {
      this.status = { Circles, Peers, Summary }
      if (!this._stopped) this._changed()
    }
    this.call('Status', '(sb)', ['', true], { take }).catch(() => {})
  }

  _finish(path, state, result) {
    const job = this._open.get(path)
    this._open.delete(path)
    if (state === 'done') job?.resolve(result)
    else job?.reject(new Error(result.Message ?? ''))
  }
}
