/** In the panel while it is enabled, and nothing of it is left afterwards. */
import Clutter from 'gi://Clutter'
import Gio from 'gi://Gio'
import St from 'gi://St'
import { Extension } from 'resource:///org/gnome/shell/extensions/extension.js'
import * as Main from 'resource:///org/gnome/shell/ui/main.js'
import * as PanelMenu from 'resource:///org/gnome/shell/ui/panelMenu.js'
import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js'
import { latency } from '../../src/cli/words.ts'
import { actions, standing } from './actions.js'
import { Agent } from './agent.js'
import { Daemon } from './daemon.js'

/** Who has this name is the panel; `coterie tray` makes way. */
const PANEL = 'org.coterie.Coterie1.Panel'
/** Of an item that is only read. */
const LABEL = { activate: false, hover: false, can_focus: false }
const AWAY = 'Coterie does not run. To start it, type:\nsystemctl --user enable --now coterie'

export default class CoterieExtension extends Extension {
  enable() {
    const { REPLACE, DO_NOT_QUEUE } = Gio.BusNameOwnerFlags
    this._name = Gio.bus_own_name(Gio.BusType.SESSION, PANEL, REPLACE | DO_NOT_QUEUE, null, null, null)
    const changed = () => this._update()
    this._daemon = new Daemon(() => this._agent.register(), changed)
    this._agent ??= new Agent(changed)
    this._agent.start(this._daemon)
    Object.assign(this, { _rows: new Map(), _free: [] })
    this._icon = name => Gio.icon_new_for_string(`${this.path}/icons/${name}-symbolic.svg`)
    this._button = new PanelMenu.Button(0.5, 'Coterie')
    const box = new St.BoxLayout({ style_class: 'panel-status-indicators-box' })
    this._sign = new St.Icon({ gicon: this._icon('org.coterie.Coterie'), style_class: 'system-status-icon' })
    this._count = new St.Label({ y_align: Clutter.ActorAlign.CENTER })
    for (const child of [this._sign, this._count]) box.add_child(child)
    this._button.add_child(box)
    const { menu } = this._button
    menu.box.add_style_class_name('coterie-menu')
    const scroll = new St.ScrollView({ hscrollbar_policy: St.PolicyType.NEVER })
    menu.box.get_parent().set_child(scroll)
    scroll[scroll.add_actor ? 'add_actor' : 'set_child'](menu.box)
    this._heading = new PopupMenu.PopupMenuItem('', LABEL)
    this._devices = new PopupMenu.PopupMenuSection()
    const lines = [new PopupMenu.PopupSeparatorMenuItem(), new PopupMenu.PopupSeparatorMenuItem()]
    for (const item of [this._heading, lines[0], this._devices, lines[1]]) menu.addMenuItem(item)
    this._invite = menu.addAction('', () => this._do(this._agent.invite()))
    menu.connect('open-state-changed', (_menu, open) => open && this._update())
    Main.panel.addToStatusArea('coterie', this._button)
    changed()
  }

  disable() {
    this._agent.stop()
    this._daemon.stop()
    this._button.menu.close(0)
    this._button.destroy()
    Gio.bus_unown_name(this._name)
    Object.assign(this, { _daemon: null, _button: null, _rows: null, _free: null })
  }

  /** Shows what the daemon says now. */
  _update() {
    const { owner, status: { Circles = [], Peers = [], Summary = '…' } = {} } = this._daemon
    const near = Peers.filter(({ Reachable }) => Reachable).length
    this._invite.visible = Circles.length > 0
    this._count.text = this._invite.visible ? `${near}` : ''
    this._sign.opacity = this._invite.visible ? 255 : 128
    this._button.accessible_name = `Coterie, ${near} reachable`
    this._heading.label.text = owner ? Summary : AWAY
    this._invite.label.text = this._agent.code ? `Invitation ${this._agent.code}` : 'Invite a Device…'
    for (const [id, row] of this._rows)
      if (!Peers.some(({ Id }) => Id === id) && this._rows.delete(id)) this._spare(row)
    for (const peer of Peers.sort((a, b) => a.Name.localeCompare(b.Name))) {
      if (!this._rows.has(peer.Id)) this._rows.set(peer.Id, this._free.pop() ?? this._row())
      const { item, aside, facts, offers } = Object.assign(this._rows.get(peer.Id), { peer })
      const circle = Circles.length > 1 ? Circles.find(({ Id }) => Id === peer.Circle)?.Name : ''
      item.visible = true
      item.label.text = peer.Name
      item.icon.gicon = this._icon(`coterie-${peer.State}`)
      aside.text = peer.Reachable ? latency(peer.LatencyUSec) : peer.State
      facts.label.text = [standing(peer), circle].filter(Boolean).join(' · ')
      offers.Wake.visible = !peer.Reachable
    }
  }

  /** Kept for another device: GNOME 43 does not give back all that a destroyed row took. */
  _spare(row) {
    row.item.menu.close(0)
    row.item.visible = false
    this._free.push(row)
  }

  _row() {
    const item = new PopupMenu.PopupSubMenuMenuItem('', true)
    const aside = new St.Label({ style_class: 'coterie-aside', y_align: Clutter.ActorAlign.CENTER })
    item.insert_child_at_index(aside, item.get_n_children() - 1)
    const facts = new PopupMenu.PopupMenuItem('', { ...LABEL, style_class: 'coterie-facts' })
    item.menu.addMenuItem(facts)
    const row = { item, aside, facts, offers: {} }
    for (const [title, act] of Object.entries(actions))
      row.offers[title] = item.menu.addAction(title, () => this._do(act(this._daemon, row.peer)))
    this._devices.addMenuItem(item)
    return row
  }

  /** Tells the person what comes of it. */
  async _do(action) {
    const said = await action.catch(error => error.message.replace(/^GDBus\.Error:\S+ /, ''))
    if (said) Main.notify('Coterie', said)
  }
}
