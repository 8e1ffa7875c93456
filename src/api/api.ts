/**
 * What the daemon offers, said once. From this file come the D-Bus objects and their XML, the Varlink
 * IDL and the JSON socket, the command line, and docs/api.md. A leaf: it imports nothing but its types.
 *
 * Names are PascalCase on every surface; times end in USec (microseconds since 1970 unless the text says
 * a duration); addresses are URIs (`tcp://192.168.1.5:24747`, `tcp://[fe80::1%25eth0]:24747`).
 */

import type { Fields, Value, Values } from './types.ts'
import {
  boolean,
  constant,
  field,
  list,
  object,
  optional,
  path,
  record,
  string,
  uint32,
  uint64
} from './types.ts'

export const INTERFACE = 'org.coterie.Coterie1'
export const ROOT = '/org/coterie/Coterie1'
/** Version of the daemon and its API; tested against package.json. */
export const VERSION = '0.1.0'

// --- records -----------------------------------------------------------------------------------------

export const Device = record('Device', 'This computer, as the circle shown knows it.', {
  Id: field(string, 'Peer id of this device in the default circle; empty before a circle exists.'),
  Name: field(string, 'Name of this device.'),
  State: field(string, 'new (no circle yet), ready, locked (keys cannot be read) or leaving.')
})

export const Circle = record('Circle', 'A circle this device belongs to.', {
  Id: constant(string, 'Circle id: base32 of the 32 bytes of its genesis.'),
  Name: field(string, 'Name of the circle on this device.'),
  Level: field(
    uint32,
    'Level of this device in it: 1 first device, 2-9 admin, 10 member, 11 relay; 0 when it was removed.'
  ),
  Members: field(uint32, 'Number of current members, this device included.')
})

export const Listener = record('Listener', 'A TCP and UDP socket bound to one address of one interface.', {
  Interface: constant(string, 'Network interface, as the kernel names it.'),
  Address: constant(string, 'The bare IP address; %interface follows a link-local one.'),
  Port: constant(uint32, 'Port, the same for TCP and UDP.'),
  Policy: field(string, 'announce or listen.')
})

export const Peer = record('Peer', 'Another member of a circle, as seen from this device.', {
  Id: constant(string, 'Peer id.'),
  Name: field(string, 'Name the device gave itself.'),
  Circle: constant(string, 'Id of the circle.'),
  State: field(string, 'reachable, suspect, asleep or unreachable.'),
  Reason: field(
    string,
    'Why it is in that state: empty when reachable, else never-seen, stopped (it said goodbye), closed, timeout, refused, no-address, no-network (here), isolated (most of what this device asked was not answered: it may be this one), path (others reach it, this device does not), asleep (it said so; of one that is unreachable: this device sleeps itself).'
  ),
  Reachable: field(boolean, 'State is reachable.'),
  Addresses: field(list(string), 'Addresses it may be reached at, best first; [0] is the one in use.'),
  LatencyUSec: field(uint64, 'Smoothed round trip, a duration; 0 when unknown.'),
  Path: field(string, 'How it is reached: direct (relay, punched later); empty when unreachable.'),
  LastSeenUSec: field(uint64, 'When it stopped being reachable; 0 before that.'),
  AsleepSinceUSec: field(uint64, 'When this device heard that it sleeps; 0 unless asleep.'),
  Evidence: field(
    string,
    'The last sign of life: direct (something came from it straight to this device), witness (EvidenceBy reached it), word (it said itself that it would go), or empty: none ever.'
  ),
  EvidenceBy: field(string, 'Peer id of the witness; empty otherwise.'),
  EvidenceUSec: field(
    uint64,
    'When that was; 0 while it is reachable, for then it is as old as a keepalive at most (Why tells exactly).'
  )
})

export const Member = record('Member', 'A device in the circle, by the signed membership log.', {
  Id: field(string, 'Peer id.'),
  Name: field(string, 'Name the device gave itself.'),
  Level: field(uint32, '1 first device, 2-9 admin, 10 member, 11 relay.'),
  AddedBy: field(string, 'Peer id of the device that added it; empty for the first device.'),
  Self: field(boolean, 'It is this device.'),
  Guest: field(boolean, 'It belongs for a while only: until ExpiresUSec.'),
  ExpiresUSec: field(uint64, 'When the time of a guest is over; 0 for all others.'),
  Expired: field(boolean, 'That time is over by the clock of this device, which lets it in no more.'),
  Reachable: field(boolean, 'It can be reached from here now; true for this device itself.'),
  LastSeenUSec: field(uint64, 'When it was last reachable from here; 0 when it is now, or never was.'),
  KeyChangedUSec: field(
    uint64,
    'When it came, or last changed its static key, by the clock of the device that said so.'
  ),
  Stale: field(
    boolean,
    'It was not met for 30 days (this device: it met none of a smaller level), so it may not know of the latest removals.'
  ),
  Cloned: field(boolean, 'Two devices use its identity: a disk was copied, or an old copy put back.')
})

export const Naming = record('Naming', 'Who named an address of a peer, and when.', {
  By: field(
    string,
    'static (the configuration), announcement (heard here by multicast), known (a session was made there before), gossip (the peer itself, in its signed record), inbound (it called from there), overlay (tailscale or WireGuard have some device there).'
  ),
  AtUSec: field(uint64, 'When it did last, since the daemon started.')
})

export const Sighting = record('Sighting', 'A place where the announcements of a peer are heard.', {
  Interface: field(string, 'Network interface of this device.'),
  Address: field(string, 'The bare IP address they come from; %interface follows a link-local one.'),
  HeardUSec: field(uint64, 'When last.'),
  Followed: field(
    boolean,
    'The address is tried. False where this device only listens and does not know it, and for old announcements.'
  )
})

export const WhyCandidate = record('WhyCandidate', 'One address of a peer, and how it went there.', {
  Address: field(string, 'Where.'),
  Named: field(
    list(Naming),
    'By whom, the latest first; empty: a session came from there, and nobody named it.'
  ),
  TriedUSec: field(uint64, 'When the last attempt to make a session began; 0: there was none.'),
  Result: field(
    string,
    'What came of the last attempt that is over: empty (there was none), connected, refused, unreachable (nobody there, or a firewall says so), no-route, timeout, handshake (somebody took the connection and did not answer as this peer), protocol, closed, reset, barred (by an interface not in use), cancelled (not needed any more), or an errno.'
  ),
  ProbedUSec: field(
    uint64,
    'When a probe was last answered there, or failed, or since when none is answered; 0: never.'
  ),
  ProbeResult: field(string, 'answered, timeout, or what hindered it; empty: there was none.'),
  RoundTripUSec: field(uint64, 'The last round trip there, a duration; 0 when unknown.'),
  Link: field(
    string,
    'By which link of this device it is reached, as far as it can tell: wired, wireless, tunnel, loopback or other.'
  ),
  Metered: field(boolean, 'That link costs by the byte.'),
  Near: field(boolean, 'It is on the network of that link: no router is between.'),
  InUse: field(boolean, 'The session goes there.'),
  Why: field(
    string,
    'in-use, trying, failed (see Result), untried (not needed, or not its turn yet), reserve (it worked; the one in use serves); or what makes the one in use better: metered, kind (of link), far (a router is between), slower (or not faster by enough); or unproved: it should be better, and no probe has shown it.'
  )
})

export const Sight = record('Sight', 'How one device sees another: its own verdict, as it told us.', {
  Observer: field(string, 'Peer id of the device that sees, or does not.'),
  ObserverName: field(string, 'Its name.'),
  Peer: field(string, 'Peer id of the device that it looks at.'),
  PeerName: field(string, 'Its name.'),
  State: field(string, 'reachable, suspect, asleep or unreachable.'),
  Reason: field(string, 'Why, as in Peer.'),
  LatencyUSec: field(uint64, 'Smoothed round trip between the two, a duration; 0 when unknown.'),
  AgeUSec: field(uint64, 'For how long it is so, a duration; 0 when unknown.')
})

export const Check = record('Check', 'One thing that was looked at.', {
  Name: field(string, 'What it is about, such as key-store.'),
  State: field(string, 'ok, warning or failed.'),
  Text: field(string, 'What was found.'),
  Mend: field(string, 'What would mend it; empty when it is ok.')
})
export type CheckRecord = Value<typeof Check>

export const Activity = record('Activity', 'What the daemon did in some time, as counts.', {
  WakeUps: field(
    uint64,
    'How often a thread of the daemon went to sleep and had to be woken, as the kernel counts it.'
  ),
  TimerFires: field(uint64, 'Of its one timer for keepalives, dialling and gossip.'),
  LinkWrites: field(
    uint64,
    'Chunks sent on links; with little to say, packets. Those of the kernel are not counted.'
  ),
  LinkReads: field(uint64, 'Chunks received on links.'),
  LinkBytesSent: field(uint64, 'Bytes sent on links, without headers of TCP and below.'),
  LinkBytesReceived: field(uint64, 'Bytes received on links.'),
  DatagramsSent: field(uint64, 'Probes and their answers sent by UDP.'),
  DatagramsReceived: field(uint64, 'Datagrams that came to the ports it listens on, of others too.'),
  DatagramBytesSent: field(uint64, 'Their bytes, without headers of UDP and below.'),
  DatagramBytesReceived: field(uint64, 'Their bytes.'),
  MulticastSent: field(uint64, 'Datagrams of discovery sent.'),
  MulticastHeard: field(uint64, 'Datagrams heard in its groups, those of other programs too.'),
  MulticastBytesSent: field(uint64, 'Their bytes, without headers of UDP and below.'),
  MulticastBytesHeard: field(uint64, 'Their bytes.'),
  Signals: field(uint64, 'D-Bus signals sent.')
})
export type ActivityRecord = Value<typeof Activity>

export const PingPath = record('PingPath', 'What one way to a peer measured.', {
  Via: field(string, 'session, or probe: a sealed datagram by UDP, for which nothing has to be open there.'),
  Address: field(string, 'Where it goes to; of the session, the address in use.'),
  LatencyUSec: field(list(uint64), 'Each round trip, a duration.'),
  Lost: field(uint32, 'How many were not answered in time, or could not be sent.'),
  Reason: field(
    string,
    'Why the last one was lost: timeout, unreachable, no-route, barred (the route is by an interface that is not in use), no-keys (no session in the last 10 minutes) or an errno in lower case; empty when none was.'
  )
})
export type PingPathRecord = Value<typeof PingPath>

export const Holder = record('Holder', 'A device that keeps a sealed copy of a message for its receiver.', {
  Peer: field(string, 'Peer id.'),
  Name: field(string, 'Its name.')
})

export const Message = record('Message', 'A message that this device sends, and what became of it.', {
  Id: field(string, 'Id of the message, the same on both sides.'),
  Circle: field(string, 'Circle id.'),
  Peer: field(string, 'Peer id of its receiver.'),
  Name: field(string, 'Name of the receiver.'),
  Tag: field(string, 'What it is about: the name of its handler there.'),
  State: field(
    string,
    'queued (waits here), held (others keep a sealed copy for the receiver too; HeldBy says who), received (on disk there), started (its handler was), later (the handler asked to be run again), done, or dead: it will not run; Reason says why.'
  ),
  Reason: field(
    string,
    'Why it is dead: no-handler, not-allowed, unsafe, not-started, failed, killed, timeout, output, unknown, expired, cancelled, removed or gave-up; empty otherwise.'
  ),
  HeldBy: field(
    list(Holder),
    'Who keeps a sealed copy of it for the receiver, by their own word: two at most.'
  ),
  Exit: field(uint32, 'Exit code of the handler once it ended.'),
  Size: field(uint64, 'Bytes of the body that is still kept.'),
  SentUSec: field(uint64, 'When it was accepted.'),
  ExpiresUSec: field(uint64, 'When it is given up if it was not delivered.'),
  ChangedUSec: field(uint64, 'When it came into its state, as far as is known here.'),
  Output: field(string, 'What the handler wrote to stdout, where that was asked for and is text.'),
  OutputBase64: field(string, 'The same where it is no text, in base64.')
})
export type MessageRecord = Value<typeof Message>

export const HandlerFile = record('HandlerFile', 'A file in a handler folder.', {
  Path: field(string, 'Absolute path.'),
  Family: field(string, 'message, peer or daemon; empty when it is for nothing.'),
  Tag: field(string, 'The tag of the messages it is for.'),
  Peers: field(list(string), 'The peers it is for, as it names them; empty: any.'),
  Events: field(list(string), 'The events it is for; empty: all of the family.'),
  Retry: field(boolean, 'It may run again when it is not known whether it ended.'),
  Problem: field(string, 'Why it does not run; empty when it does.')
})
export type HandlerFileRecord = Value<typeof HandlerFile>

export const Program = record('Program', 'A program that serves tags without a file.', {
  Name: field(string, 'As it called itself; on D-Bus its unique name.'),
  Tags: field(list(string), 'What it serves.'),
  Retry: field(boolean, 'It may get a message again when it is not known how that ended.'),
  Busy: field(boolean, 'It has a message that it has not answered.')
})

export const Served = record('Served', 'A message for a program that serves its tag.', {
  Request: field(string, 'For Answer; on D-Bus the reply is the answer.'),
  Id: field(string, 'Id of the message, the same on both sides.'),
  Circle: field(string, 'Circle id.'),
  CircleName: field(string, 'Name of the circle on this device.'),
  Peer: field(string, 'Peer id of the sender.'),
  Name: field(string, 'Name of the sender.'),
  Tag: field(string, 'What it is about.'),
  Body: field(string, 'The body where it is text.'),
  BodyBase64: field(string, 'The body where it is none, in base64.'),
  Ask: field(boolean, 'The sender wants the output.'),
  Run: field(uint32, '1 for the first time it is handed to anybody, 2 for the second …'),
  SentUSec: field(uint64, 'When it was sent, by the clock of the sender.')
})

export const AllowRule = record('AllowRule', 'A rule of the configuration ([[allow]]).', {
  From: field(string, 'The device it is for: id, short id or name; * for everybody.'),
  Tags: field(list(string), 'The tags that it may send; * at the end stands for all below.'),
  Line: field(uint32, 'Where it is in the file.'),
  Problem: field(string, 'Why it is for nobody, a sentence; empty when it is for somebody.')
})
export type AllowRuleRecord = Value<typeof AllowRule>

export const RecoveryChange = record('RecoveryChange', 'What using a recovery code changes for one device.', {
  Id: field(string, 'Peer id.'),
  Name: field(string, 'Its name.'),
  Change: field(
    string,
    'removed (for ever), dropped (what added it is void), returns (what removed it is void), joins (new) or level (it has another one).'
  ),
  WasLevel: field(uint32, 'Level before; 0 when it was no member.'),
  Level: field(uint32, 'Level after; 0 when it is no member then.')
})

export const Event = record('Event', 'One change, in the order in which the daemon made it.', {
  Cursor: field(string, 'Give it to Watch as Since to go on after this event.'),
  Type: field(
    string,
    'Added, Changed, Removed (of an object), a signal name, or Gap: events were missed, read Status again.'
  ),
  Object: field(string, 'Object path below the root, "" for the daemon itself.'),
  Kind: field(string, 'Daemon, Circle, Peer, Listener, Job, Subscription; empty for Gap.'),
  Properties: field(object, 'For Added all, for Changed the changed properties, for a signal its arguments.')
})

export const Status = record('Status', 'Everything a panel shows.', {
  Device: field(Device, 'This device.'),
  Circle: field(Circle, 'The circle shown; empty before one exists.'),
  Circles: field(list(Circle), 'All circles of this device, the default one first.'),
  NetworkSource: field(string, 'Where the network picture comes from: NetworkManager, networkd, ip or poll.'),
  DBus: field(string, 'owned, taken or absent.'),
  Listeners: field(list(Listener), 'Sockets the daemon listens on.'),
  Notes: field(list(string), 'What is missing or limited here, each with what would mend it.'),
  Peers: field(list(Peer), 'All current members of the circle but this device.'),
  Version: field(string, 'Version of the daemon.'),
  Summary: field(string, 'Where all of it stands, for people, in one line; commands stand in backticks.')
})

// --- objects: what D-Bus shows, what events tell of ----------------------------------------------------

export const Daemon = record('Daemon', 'The daemon itself.', {
  Version: constant(string, 'Version of the daemon.'),
  Id: field(string, 'Peer id of this device in the default circle.'),
  Name: field(string, 'Name of this device.'),
  State: field(string, 'new, ready, locked or leaving.'),
  Circle: field(string, 'Id of the default circle; empty before one exists.'),
  NetworkSource: field(string, 'NetworkManager, networkd, ip or poll.'),
  DBus: field(string, 'owned, taken or absent.'),
  Notes: field(list(string), 'What is missing or limited here, each with what would mend it.')
})

export const Job = record('Job', 'A call that takes long. It ends with its caller, or by Cancel.', {
  Method: constant(string, 'The method that made it.'),
  State: field(string, 'running, done, failed or cancelled.'),
  Progress: field(string, 'A sentence on what it is doing.'),
  Result: field(object, 'The result when done; {"Error", "Message"} when failed.')
})

export const Subscription = record(
  'Subscription',
  'What Subscribe was asked for over D-Bus. It ends with its caller, or by Cancel.',
  {
    Circle: constant(string, 'As it was asked.'),
    All: constant(boolean, 'As it was asked.'),
    Peer: constant(string, 'As it was asked.'),
    States: constant(list(string), 'As it was asked.'),
    LatencyUSec: constant(uint64, 'As it was asked.'),
    LatencyPercent: constant(uint32, 'As it was asked.'),
    IntervalUSec: constant(uint64, 'As it was asked.')
  }
)

/** Object kinds, with their interface and their path below ROOT. `#` stands for ids. */
export const objects = {
  Daemon: { record: Daemon, interface: INTERFACE, path: '' },
  Circle: { record: Circle, interface: `${INTERFACE}.Circle`, path: '/circle/#' },
  Peer: { record: Peer, interface: `${INTERFACE}.Peer`, path: '/circle/#/peer/#' },
  Listener: { record: Listener, interface: `${INTERFACE}.Listener`, path: '/listener/#' },
  Job: { record: Job, interface: `${INTERFACE}.Job`, path: '/job/#' },
  Subscription: { record: Subscription, interface: `${INTERFACE}.Subscription`, path: '/subscription/#' }
} as const
export type ObjectKind = keyof typeof objects
export type Properties<K extends ObjectKind> = Value<(typeof objects)[K]['record']>

// --- methods -----------------------------------------------------------------------------------------

export type MethodKind = 'call' | 'job' | 'stream'
export interface Method<
  P extends Fields = Fields,
  R extends Fields = Fields,
  K extends MethodKind = MethodKind
> {
  readonly doc: string
  readonly params: P
  /** The result of a call or job; one reply of a stream. */
  readonly result: R
  /**
   * call: answers within 5 s. job: may take long; on D-Bus it returns a job object, on the socket it
   * answers when done, or with `more` also on the way ({Progress, Details}). stream: on the socket with `more`;
   * on D-Bus it returns a subscription object that tells its caller alone.
   */
  readonly kind: K
  /** Where it is offered. Keys, tickets and recovery codes never go over D-Bus. */
  readonly surfaces: 'all' | 'socket'
  /** It changes something: refused on D-Bus where `[dbus] control = false`. */
  readonly control: boolean
  /** What a job tells its caller on the way, on the socket with `more`. */
  readonly details?: readonly string[]
}
const method = <const P extends Fields, const R extends Fields, const K extends MethodKind>(
  m: Method<P, R, K>
): Method<P, R, K> => m

const keyStore = {
  KeyStore: optional(
    string,
    'Where the key of this device is kept, chosen with its first circle: file, secret-service, credential; empty: by what there is.'
  )
}
const guest = {
  GuestForUSec: optional(
    uint64,
    'How long the device may belong, a duration; 0 means for good. Only at level 10.'
  )
}
const circle = { Circle: optional(string, 'Id or name of the circle; empty for the default one.') }

const body = {
  Body: optional(string, 'The body, as text; at most 1 MiB.'),
  BodyBase64: optional(string, 'Instead of Body: the body in base64.')
}
const lifetime = {
  ExpiresInUSec: optional(uint64, 'How long it may wait to be delivered, a duration; 0 means 7 days.')
}

const code = {
  Code: optional(string, 'The recovery code: 9 groups of 4 characters.'),
  Shares: optional(list(string), 'Instead of the code, two shares of it.')
}

export const methods = {
  Status: method({
    doc: 'Everything a panel shows, of one circle.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: { ...circle, All: optional(boolean, 'Peers of all circles.') },
    result: Status.fields
  }),
  Peers: method({
    doc: 'The other members of the circle.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: circle,
    result: { Peers: field(list(Peer), 'All current members but this device.') }
  }),
  Devices: method({
    doc: 'All members of the circle by its signed log, this device included.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: circle,
    result: { Devices: field(list(Member), 'Members, lowest level first.') }
  }),
  UseCircle: method({
    doc: 'Make a circle the default one: the one that is meant where none is named.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: { Circle: field(string, 'Id or name of the circle.') },
    result: { Circle: field(string, 'Its id.'), Name: field(string, 'Its name.') }
  }),
  Init: method({
    doc: 'Make a circle with this device as its first one.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: {
      Name: optional(string, 'Name of the circle; "home" when empty.'),
      Device: optional(string, 'Name of this device; the host name when empty.'),
      Another: optional(
        boolean,
        'Beside the circles this device is in already; without it that is an error.'
      ),
      ...keyStore
    },
    result: {
      Circle: field(string, 'Id of the new circle.'),
      Name: field(string, 'Its name.'),
      Id: field(string, 'Peer id of this device.'),
      Device: field(string, 'Name of this device.'),
      RecoveryCode: field(string, 'Shown this once: it can remove a lost first device. Write it down.')
    }
  }),
  Invite: method({
    doc: 'Let one other device join by a code that a person types there: eight characters, 10 minutes, three tries. Who asks with that code is let in when a person here agrees: the caller, a prompt agent, or whoever answers a desktop notification, whoever is first.',
    kind: 'job',
    surfaces: 'all',
    control: true,
    params: {
      ...circle,
      Level: optional(uint32, 'Level the device gets; 0 means 10 (member). Greater than this device’s own.'),
      ...guest,
      Confirmed: optional(boolean, 'Nobody is asked: whoever has the code is let in.'),
      Ask: optional(boolean, 'The caller can be asked too: it reads the Details, and answers with Confirm.')
    },
    result: {
      Id: field(string, 'Peer id of the device that joined.'),
      Name: field(string, 'Its name.'),
      Level: field(uint32, 'Its level.')
    },
    details: [
      '{"Code", "ExpiresUSec"}: first. On D-Bus the default prompt agent shows the code instead (DisplayCode).',
      '{"Unannounced"}: interfaces in use on which others do not hear of it (they are only listened on).',
      '{"TriesLeft"}: a wrong code was tried.',
      '{"Request", "Id", "Name", "Level"}: a device has the code; with Ask, this is the question.',
      '{"Request", "Answer", "By"}: accepted, declined or withdrawn, by caller, agent or notification.'
    ]
  }),
  Confirm: method({
    doc: 'Answer whether a device may join.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: {
      Request: field(string, 'As the Details of Invite gave it.'),
      Accept: field(boolean, 'Let it in.')
    },
    result: {}
  }),
  MakeTicket: method({
    doc: 'Make a ticket with which one other device can join, once.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: {
      ...circle,
      Level: optional(uint32, 'Level the device gets; 0 means 10 (member). Greater than this device’s own.'),
      ExpiresInUSec: optional(uint64, 'How long the ticket is good, a duration; 0 means 24 hours.'),
      ...guest
    },
    result: {
      Ticket: field(string, 'One line beginning with coterie1: — treat it like a password.'),
      ExpiresUSec: field(uint64, 'When it expires, by this device’s clock.')
    }
  }),
  Join: method({
    doc: 'Join a circle, with a ticket or with a code.',
    kind: 'job',
    surfaces: 'socket',
    control: true,
    params: {
      Ticket: optional(string, 'The line that MakeTicket gave.'),
      Code: optional(string, 'What Invite shows; case, dash, O for 0 and I for 1 do not matter.'),
      At: optional(
        list(string),
        'With a code, where the inviting device is: addresses, with or without port; empty: it is looked for nearby.'
      ),
      Device: optional(string, 'Name of this device; the host name when empty.'),
      TimeoutUSec: optional(uint64, 'How long to go on trying, a duration; 0 means 60 seconds.'),
      ...keyStore
    },
    result: {
      Circle: field(string, 'Id of the circle.'),
      Name: field(string, 'Its name.'),
      Id: field(string, 'Peer id of this device in it.'),
      Device: field(string, 'Name of this device.')
    }
  }),
  Rename: method({
    doc: 'Give this device another name in the circle; all members see it.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: { ...circle, Name: field(string, 'The new name: 1 to 64 bytes, no control characters.') },
    result: {
      Id: field(string, 'Peer id of this device.'),
      Name: field(string, 'Its name now.')
    }
  }),
  Rekey: method({
    doc: 'Give this device a new static key. It does so by itself every 90 days; its id stays the same.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: circle,
    result: { Id: field(string, 'Peer id of this device.') }
  }),
  Remove: method({
    doc: 'Remove a device from the circle, for ever. It may come back only with new keys, by joining.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: {
      ...circle,
      Device: field(string, 'Id, short id or unique name.'),
      Lost: optional(
        boolean,
        'It is lost or stolen: removed by a first device, it locks its keys as soon as it hears of it.'
      )
    },
    result: { Id: field(string, 'Peer id of the removed device.') }
  }),
  VerifyRecovery: method({
    doc: 'Say whether this is the recovery code of the circle; an error says what is wrong with it.',
    kind: 'call',
    surfaces: 'socket',
    control: false,
    params: { ...circle, ...code },
    result: { Circle: field(string, 'Id of the circle whose code it is.'), Name: field(string, 'Its name.') }
  }),
  UseRecovery: method({
    doc: 'With the recovery code make this device a first device (level 1), and remove others of any level.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: {
      ...circle,
      ...code,
      Remove: optional(list(string), 'Devices to remove: ids, short ids or names, of former members too.'),
      SinceUSec: optional(
        uint64,
        'What the removed devices did to the circle from then on is void (by the times they wrote); 0: all of it stays.'
      ),
      Lost: optional(
        boolean,
        'The removed devices are lost or stolen: they lock their keys when they hear of it.'
      ),
      Preview: optional(boolean, 'Only tell what it would change.')
    },
    result: { Changes: field(list(RecoveryChange), 'Who belongs to the circle otherwise than before.') }
  }),
  SplitRecovery: method({
    doc: 'Give three devices a share of the recovery code each; any two of them make the code.',
    kind: 'job',
    surfaces: 'socket',
    control: true,
    params: {
      ...circle,
      ...code,
      Devices: field(
        list(string),
        'Three ids, short ids or unique names; this device may be one. All must be reachable.'
      )
    },
    result: {
      Devices: field(list(string), 'Peer ids of those that hold a share now.'),
      NotTold: field(
        list(string),
        'Names of other members that were away: one may hold an older share, which still fits older ones.'
      )
    }
  }),
  RecoveryShare: method({
    doc: 'The share of the recovery code that this device holds.',
    kind: 'call',
    surfaces: 'socket',
    control: false,
    params: circle,
    result: {
      Share: field(string, '11 groups of 4 characters; with one more share it is the recovery code.'),
      Holders: field(list(string), 'Names of the three devices that hold one.'),
      Finished: field(boolean, 'All three devices got theirs.'),
      AtUSec: field(uint64, 'When it came, by this device’s clock.')
    }
  }),
  UnlockCircle: method({
    doc: 'On a device that was removed as lost and found again: open its keys. It stays removed.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: { ...circle, ...code },
    result: { Circle: field(string, 'Id of the circle.'), Name: field(string, 'Its name.') }
  }),
  Leave: method({
    doc: 'Leave the circle: tell the others, then forget its keys.',
    kind: 'job',
    surfaces: 'all',
    control: true,
    params: circle,
    result: { Told: field(uint32, 'How many peers have it on disk.') }
  }),
  Erase: method({
    doc: 'Leave all circles, and erase the key of this device and all that it keeps. Configuration stays.',
    kind: 'job',
    surfaces: 'socket',
    control: true,
    params: {},
    result: { Told: field(uint32, 'How many peers, of all circles, have it on disk.') }
  }),
  Ping: method({
    doc: 'Measure round trips to a peer: over its session, and by UDP to each address that is known of it.',
    kind: 'job',
    surfaces: 'all',
    control: false,
    params: {
      ...circle,
      Peer: field(string, 'Id, short id or unique name.'),
      Count: optional(uint32, 'How many; 0 means 1.')
    },
    result: {
      Id: field(string, 'Peer id.'),
      Address: field(string, 'Address in use.'),
      LatencyUSec: field(
        list(uint64),
        'Each round trip over the session, a duration; none when only UDP answers.'
      ),
      Paths: field(
        list(PingPath),
        'The session first, then the addresses, best first; by UDP at most 25 to each of 8.'
      )
    }
  }),
  Send: method({
    doc: 'Send a message to other devices: there the handler of its tag runs with it, once. It is on disk here when this returns, and goes to those that are away when they come.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: {
      ...circle,
      Peers: optional(list(string), 'Ids, short ids or unique names.'),
      All: optional(boolean, 'To all other members instead.'),
      Tag: field(string, 'What it is about, such as backup/start.'),
      ...body,
      Ask: optional(boolean, 'What the handler writes to stdout comes back (at most 64 KiB).'),
      ...lifetime
    },
    result: { Messages: field(list(Message), 'One for each receiver.') }
  }),
  WaitMessage: method({
    doc: 'Wait until a message is in a state, or past it; it may end as dead.',
    kind: 'job',
    surfaces: 'all',
    control: false,
    params: {
      ...circle,
      Id: field(string, 'Id of the message.'),
      State: optional(string, 'held, received, started or done; empty means done.'),
      TimeoutUSec: optional(uint64, 'How long to wait, a duration; 0 means for ever.')
    },
    result: { Message: field(Message, 'As it is then.') }
  }),
  Outbox: method({
    doc: 'What this device sends: what waits, what is dead, and with All the latest that is done.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: { ...circle, All: optional(boolean, 'Also the latest 1,000 that are done.') },
    result: {
      Messages: field(list(Message), 'Oldest first.'),
      KeptCopies: field(uint32, 'How many sealed copies this device keeps for others.'),
      KeptBytes: field(uint64, 'And how large they are.')
    }
  }),
  CancelMessage: method({
    doc: 'Take a message back that has not started, or drop a dead one. Where the receiver has it already, the receiver is asked; its answer decides.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: { ...circle, Id: field(string, 'Id of the message.') },
    result: { Message: field(Message, 'As it is now.') }
  }),
  RetryMessage: method({
    doc: 'Send a dead message anew, as another message.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: { ...circle, Id: field(string, 'Id of the dead message.'), ...lifetime },
    result: { Message: field(Message, 'The new one.') }
  }),
  ClearOutbox: method({
    doc: 'Drop all dead letters: those that came to nothing.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: { ...circle },
    result: { Dropped: field(uint32, 'How many there were.') }
  }),
  Handlers: method({
    doc: 'The files in the handler folders, and what each is for.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {},
    result: {
      Folders: field(list(string), 'Where handlers are looked for, in this order.'),
      Units: field(
        boolean,
        "They run as services of the user's systemd; else as plain processes, with the limits that these can have."
      ),
      Handlers: field(list(HandlerFile), 'All files there.'),
      Rules: field(list(AllowRule), 'Who may send what, as configured.'),
      Programs: field(list(Program), 'Programs that serve tags.'),
      ReadyMade: field(
        string,
        'Folder of the handlers that came with the program, which run when they are linked; empty when it is not there.'
      )
    }
  }),
  TryHandler: method({
    doc: 'Say what would run for a message, and why not. Nothing is run.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {
      ...circle,
      Peer: field(string, 'The sender: id, short id or unique name.'),
      Tag: field(string, 'The tag.')
    },
    result: {
      Handler: field(
        string,
        'Absolute path of the file that would run, or `program` and the name of the one that would be asked; empty when none would.'
      ),
      Problem: field(string, 'Why none would; a sentence.'),
      Decision: field(string, 'Whether the sender may send it, and what says so; a sentence.'),
      Others: field(list(string), 'Files for the same message that the one that runs goes before.'),
      Skipped: field(list(string), 'Files for the same message that do not run, each with the reason.')
    }
  }),
  RunHandler: method({
    doc: 'Run the handler of a tag on this device, as if the message had come. No message is made, and nobody is told.',
    kind: 'job',
    surfaces: 'all',
    control: true,
    params: {
      ...circle,
      Peer: field(string, 'Who is said to have sent it: id, short id or unique name.'),
      Tag: field(string, 'The tag.'),
      ...body
    },
    result: {
      Handler: field(string, 'What ran, as in TryHandler.'),
      State: field(string, 'done, later (it asked to be run again) or dead.'),
      Reason: field(string, 'As in Message.'),
      Exit: field(uint32, 'Its exit code.'),
      Output: field(string, 'What it wrote to stdout, where that is text; at most 64 KiB.'),
      OutputBase64: field(string, 'The same where it is no text, in base64.'),
      Complaint: field(string, 'The end of what it wrote to stderr, or why it did not run.')
    }
  }),
  Serve: method({
    doc: 'Serve tags without a handler file: each message is a reply, one at a time, and Answer (on another connection) says how it ended. The first reply, with empty values, says that it has begun. Ends with the connection; a message that is not answered then is a dead letter, or comes again with Retry.',
    kind: 'stream',
    surfaces: 'socket',
    control: true,
    params: {
      Tags: field(list(string), 'Tags; backup/* stands for all below backup/, * for all.'),
      Retry: optional(boolean, 'A message may be handed over again when it is not known how it ended.'),
      Name: optional(string, 'What to call this program where it is listed.')
    },
    result: Served.fields
  }),
  Answer: method({
    doc: 'Say how a message ended that Serve handed over.',
    kind: 'call',
    surfaces: 'socket',
    control: true,
    params: {
      Request: field(string, 'As Serve gave it.'),
      Exit: optional(uint32, '0: done; 75: to be handed over again later; 1 to 255: it failed.'),
      Output: optional(string, 'What goes back to a sender that asked, as text; at most 64 KiB.'),
      OutputBase64: optional(string, 'Instead of Output: the same in base64.')
    },
    result: {}
  }),
  Wake: method({
    doc: 'Wake a device that sleeps: the packet that its card waits for is sent by this device where it is on the same network, else by a member that is. Then it is waited for.',
    kind: 'job',
    surfaces: 'all',
    control: true,
    params: {
      ...circle,
      Peer: field(string, 'Id, short id or unique name.'),
      WaitUSec: optional(
        uint64,
        'How long to wait for it, a duration; 0 means 20 seconds, a minute is the most.'
      )
    },
    result: {
      Id: field(string, 'Peer id.'),
      SentBy: field(
        list(string),
        'Peer ids of those that sent the packet; nobody when it was awake already.'
      ),
      Reachable: field(boolean, 'It can be reached now.')
    }
  }),
  Why: method({
    doc: 'Why a peer is reachable by the path it has, or why it is not: each of its addresses, what came of it, and what would help. One that is not reachable is tried again first, which takes some seconds.',
    kind: 'job',
    surfaces: 'all',
    control: false,
    params: { ...circle, Peer: field(string, 'Id, short id or unique name.') },
    result: {
      Peer: field(string, 'Peer id.'),
      Name: field(string, 'Its name.'),
      State: field(string, 'As in Peer.'),
      Reason: field(string, 'As in Peer.'),
      LatencyUSec: field(uint64, 'As in Peer.'),
      LastSeenUSec: field(uint64, 'As in Peer.'),
      AsleepSinceUSec: field(uint64, 'As in Peer.'),
      Evidence: field(string, 'As in Peer.'),
      EvidenceBy: field(string, 'As in Peer.'),
      EvidenceUSec: field(uint64, 'When that was; 0: never.'),
      Candidates: field(list(WhyCandidate), 'The one in use first, then the best.'),
      Heard: field(list(Sighting), 'Where it is heard, the latest first.'),
      ReachedBy: field(list(string), 'Peer ids of others that say they reach it.'),
      Apart: field(
        list(string),
        'Interfaces on whose network it is, which lets nothing through between the two devices (access-point isolation).'
      ),
      ClockAheadUSec: field(
        uint64,
        'By how much its clock is ahead of this one, at least, a duration; 0: nothing of the kind is seen.'
      ),
      ClockBehindUSec: field(uint64, 'The same when it is behind.'),
      Advice: field(list(string), 'What would help, the likeliest first; commands stand in backticks.')
    }
  }),
  Matrix: method({
    doc: 'Who sees whom: the verdicts of this device and those that its peers told it.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: circle,
    result: { Rows: field(list(Sight), 'Those of this device first.') }
  }),
  Watch: method({
    doc: 'Changes as they happen, in one order, without silent gaps.',
    kind: 'stream',
    surfaces: 'socket',
    control: false,
    params: {
      Since: optional(
        string,
        'Cursor of the last event seen; empty: from now on, after an Added for each object.'
      )
    },
    result: Event.fields
  }),
  Subscribe: method({
    doc: 'Be told of peers only what matters: first all of them as they are, then those that crossed a threshold, that have another name, that came or are gone. A latency that comes back before it is told is not told; a state that does is, as it is then.',
    kind: 'stream',
    surfaces: 'all',
    control: false,
    params: {
      ...circle,
      All: optional(boolean, 'Of all circles; then neither Circle nor Peer is given.'),
      Peer: optional(string, 'Only this one: id, short id or unique name.'),
      States: optional(
        list(string),
        'States that matter; a change between two that do not is not told. Empty: all of them.'
      ),
      LatencyUSec: optional(
        uint64,
        'Tell when the latency is more than this away from the one told last, a duration; 0: not by this.'
      ),
      LatencyPercent: optional(
        uint32,
        'Tell when it is more than this share of the one told last away from it; 0: not by this. When both are 0 a latency alone is never told.'
      ),
      IntervalUSec: optional(
        uint64,
        'The least time from one message to the next, a duration of at most a day; less than 50 ms is taken as 50 ms.'
      )
    },
    result: {
      Peers: field(
        list(Peer),
        'Each as it is now, with all its properties; a change of the others alone is not told.'
      ),
      Gone: field(list(string), 'Ids of those that are members no more.')
    }
  }),
  Config: method({
    doc: 'The configuration in force.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {},
    result: {
      Path: field(string, 'The file it was read from, whether it exists or not.'),
      Values: field(object, 'All keys with their values, defaults included.')
    }
  }),
  Reload: method({
    doc: 'Read the configuration again, without dropping sessions.',
    kind: 'call',
    surfaces: 'all',
    control: true,
    params: {},
    result: {}
  }),
  Doctor: method({
    doc: 'Look for what is wrong on this computer and its network. It asks by multicast, and answers within 5 s.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {},
    result: { Checks: field(list(Check), 'Each thing that was looked at.') }
  }),
  Energy: method({
    doc: 'What the daemon does to the battery: its own counters, of all circles together.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {},
    result: {
      Power: field(string, 'mains or battery: what this computer runs on.'),
      PowerSource: field(string, 'Who says so: UPower, sysfs (the kernel); empty when nobody does.'),
      Metered: field(boolean, 'All networks in use cost by the byte, as NetworkManager says.'),
      KeepaliveUSec: field(
        uint64,
        'How long a link may be silent before it is asked, a duration: 15 s, or 60 s on battery or metered networks.'
      ),
      Links: field(uint32, 'Sessions with other devices now.'),
      SlowLinks: field(
        uint32,
        'Those of them that may be silent for 60 s: one end is on battery or metered networks.'
      ),
      FarLinks: field(
        uint32,
        'Those of them that leave our own subnets: how long these may be silent is learned.'
      ),
      FarKeepaliveUSec: field(uint64, 'The longest that one of those may be silent now, a duration.'),
      UpUSec: field(uint64, 'How long the daemon runs, a duration.'),
      Total: field(Activity, 'In that time.'),
      LatelyUSec: field(
        uint64,
        'How long lately is, a duration: a minute or a little more; longer when the daemon was asleep, shorter after the start.'
      ),
      Lately: field(Activity, 'In that time.')
    }
  }),
  Version: method({
    doc: 'Version of the running daemon.',
    kind: 'call',
    surfaces: 'all',
    control: false,
    params: {},
    result: { Version: field(string, 'Version of the daemon.') }
  })
} as const
export type Methods = typeof methods
export type MethodName = keyof Methods
export type Params<M extends MethodName> = Values<Methods[M]['params']>
export type Result<M extends MethodName> = Values<Methods[M]['result']>

/** What a method gets besides its parameters. */
export interface Call {
  /** Aborted when the caller goes away or cancels. */
  readonly signal: AbortSignal
  /**
   * Details of progress reach the caller: it is on the socket and called with `more`. Nobody else sees them, so
   * they may hold what D-Bus must not.
   */
  readonly detailed?: boolean
  /** A sentence on what a job is doing, shown to everybody; `details` for the caller alone. */
  progress(sentence: string, details?: { readonly [name: string]: unknown }): void
}
export interface StreamCall<R> extends Call {
  /** Sends one reply. Resolves when the reader has room for more; rejects when it is gone. */
  reply(value: R): Promise<void>
}
/** The daemon writes one of these; the compiler refuses a missing or mistyped method. */
export type Implementation = {
  [M in MethodName]: Methods[M]['kind'] extends 'stream'
    ? (params: Params<M>, call: StreamCall<Result<M>>) => Promise<void>
    : (params: Params<M>, call: Call) => Promise<Result<M>>
}

// --- prompt agents -------------------------------------------------------------------------------------

const Agent = field(path, 'Object of the caller that has the interface org.coterie.Coterie1.Agent.')

/**
 * Programs on D-Bus that show a code to a person and ask whether a device may join: a panel, say. The first
 * interface is the daemon's, on the root object; the second is what the program offers at the path it tells.
 * A method that returns means yes or done, an error means no.
 */
export const agents = {
  AgentManager: {
    interface: `${INTERFACE}.AgentManager`,
    doc: 'Prompt agents: programs that can ask the person at this computer. One a caller; it goes with its caller.',
    methods: {
      RegisterAgent: {
        doc: 'Offer to ask. The default agent is the one that requested it last, else the first one registered.',
        params: { Agent }
      },
      UnregisterAgent: { doc: 'Take the offer back.', params: { Agent } },
      RequestDefaultAgent: { doc: 'Be the one that is asked and shows codes.', params: { Agent } }
    }
  },
  Agent: {
    interface: `${INTERFACE}.Agent`,
    doc: 'What a prompt agent offers to the daemon. Its object needs no introspection.',
    methods: {
      RequestConfirmation: {
        doc: 'Ask whether a device may join: return for yes, an error for no. There is no hurry: minutes are fine.',
        params: {
          Circle: field(string, 'Name of the circle.'),
          Id: field(string, 'Peer id of the device.'),
          Name: field(string, 'Name it gives itself; nobody has checked it. Plain text.'),
          Level: field(uint32, 'Level it would get.'),
          GuestForUSec: field(uint64, 'How long it would stay, a duration; 0: for ever.')
        }
      },
      DisplayCode: {
        doc: 'Show the code of an invitation until Cancel, and return at once. Only when it was made over D-Bus.',
        params: {
          Code: field(string, 'To be typed on the other device, such as K7QF-2M9X.'),
          ExpiresUSec: field(uint64, 'When it is good no more, by this device’s clock.')
        }
      },
      Cancel: {
        doc: 'What was asked or shown is settled or of no use any more: take it away.',
        params: {}
      }
    }
  }
} as const

// --- programs that serve tags ------------------------------------------------------------------------------

const Handler = field(path, 'Object of the caller that has the interface org.coterie.Coterie1.Handler.')

/**
 * What Serve and Answer are on the socket, for programs on D-Bus. The first interface is the daemon's, on the root
 * object; the second is what the program offers at the path it tells.
 */
export const serving = {
  HandlerManager: {
    interface: `${INTERFACE}.HandlerManager`,
    doc: 'Programs that serve tags without a handler file. One registration for each object; it goes with its caller.',
    methods: {
      RegisterHandler: {
        doc: 'Serve tags: each message becomes a call of Handle, one at a time.',
        params: { Handler, Tags: methods.Serve.params.Tags, Retry: methods.Serve.params.Retry },
        result: {}
      },
      UnregisterHandler: { doc: 'Serve no more.', params: { Handler }, result: {} }
    }
  },
  Handler: {
    interface: `${INTERFACE}.Handler`,
    doc: 'What a program that serves tags offers to the daemon. Its object needs no introspection.',
    methods: {
      Handle: {
        doc: 'Handle a message, and return when that is done. An error is the same as exit 1.',
        params: { Message: field(Served, 'The message.') },
        result: {
          Exit: field(uint32, '0: done; 75: to be handed over again later; 1 to 255: it failed.'),
          Output: field(string, 'What goes back to a sender that asked, as text; at most 64 KiB.'),
          OutputBase64: field(string, 'Where it is no text: the same in base64, and Output empty.')
        }
      }
    }
  }
} as const

// --- signals and errors --------------------------------------------------------------------------------

/** Signals of the daemon's own interface; all else is told by property changes. */
export const signals = {
  ReceiptChanged: {
    doc: 'It is known what became of a message that this device sent.',
    fields: {
      Circle: field(string, 'Circle id.'),
      Id: field(string, 'Id of the message.'),
      Peer: field(string, 'Peer id of the receiver.'),
      Name: field(string, 'Name of the receiver.'),
      Tag: field(string, 'Its tag.'),
      State: field(string, 'As Message.State.'),
      Reason: field(string, 'As Message.Reason.'),
      Exit: field(uint32, 'Exit code of the handler once it ended.')
    }
  },
  MessageReceived: {
    doc: 'A message came, and is on disk. Its body is for its handler.',
    fields: {
      Circle: field(string, 'Circle id.'),
      Id: field(string, 'Id of the message.'),
      Peer: field(string, 'Peer id of the sender.'),
      Name: field(string, 'Name of the sender.'),
      Tag: field(string, 'Its tag.'),
      Size: field(uint64, 'Bytes of the body.')
    }
  },
  CloneDetected: {
    doc: 'Two devices answer with one identity: a disk was copied. Remove one of them.',
    fields: {
      Circle: field(string, 'Circle id.'),
      Id: field(string, 'Peer id of the device that exists twice.')
    }
  }
} as const

/** Errors by name. On D-Bus `org.coterie.Coterie1.Error.X`, on the socket `org.coterie.Coterie1.X`. */
export const errors = {
  InvalidValue: 'A parameter has the wrong form; the message says which and what is expected.',
  NoCircle: 'This device is in no circle yet; init or join comes first.',
  CircleExists: 'This device is in a circle already, or in one of that name.',
  NoSuchCircle: 'This device is in no circle of that id or name.',
  NoSuchPeer: 'No member has that id or name.',
  AmbiguousPeer: 'Several members have that name; use an id.',
  Unreachable: 'The peer cannot be reached now.',
  NoSuchMessage: 'There is no message of that id in the outbox, or none that waits for that answer.',
  OutboxFull: 'Too much waits to be sent already.',
  InvalidTicket: 'The ticket is mistyped, cut short, or not a ticket.',
  TicketExpired: 'The ticket is too old; ask for a new one.',
  TicketUsed: 'Another device has joined with this ticket; ask for a new one.',
  WrongRecoveryCode: 'It is a recovery code, or shares of one, but not of this circle.',
  WrongCode: 'The code is not the one that was shown; the message says how many tries are left.',
  NoInvitation: 'No device with an open invitation was found.',
  InvitationOpen: 'An invitation is open already; only one can be at a time.',
  CodeEnded: 'The code is good no more: its time or its tries are over, or it was cancelled.',
  Declined: 'The device was not let in by the person who was asked.',
  NoAgent: 'Nobody is there to show the code to or to ask.',
  NoShare: 'This device holds no share of the recovery code.',
  NotAllowed: 'This device’s level does not allow it.',
  Locked: 'The key of this device cannot be read now: its keyring is locked, or its place is missing.',
  Timeout: 'There was no answer in time.',
  Cancelled: 'The call was cancelled.',
  NoSpace: 'The disk is full; nothing was changed.',
  NotStarted: 'The daemon cannot start: what is wrong with its configuration or with what it keeps.',
  Internal: 'A fault of the daemon; its log has the whole story.'
} as const
export type ErrorName = keyof typeof errors

/** A user's mistake or the world's: a name and a sentence that says what to do. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly code: ErrorName
  constructor(code: ErrorName, message: string) {
    super(message)
    this.code = code
  }
}
