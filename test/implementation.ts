/**
 * A daemon that exists only in memory: the API with fixed answers, for tests of the surfaces and the
 * command line. `facts` are what it answers with; a test changes them and looks.
 */
import type { Call, Implementation, MessageRecord, Result, StreamCall } from '../src/api/api.ts'
import { ApiError, VERSION } from '../src/api/api.ts'
import { randomBytes } from '../src/crypto/provider.ts'
import type { Agents } from '../src/daemon/joining/agents.ts'
import { invite, type Prompts } from '../src/daemon/joining/invite-call.ts'
import { Questions } from '../src/daemon/joining/questions.ts'

export const ids = {
  circle: 'c7'.padEnd(52, 'a'),
  self: `co1thinkpad${'a'.repeat(46)}`,
  desktop: `co1desktopp${'b'.repeat(46)}`,
  nas: `co1nasnasna${'c'.repeat(46)}`,
  phone: `co1phonepho${'d'.repeat(46)}`
} as const
export const TICKET = 'coterie1:fixedticketfortests'
export const CODE = 'K7QF-2M9X'
export const joiner = { id: `co1tabletta${'e'.repeat(42)}2a9x`, name: 'tablet' }

const peer = (id: string, name: string) => ({
  Id: id,
  Name: name,
  Circle: ids.circle as string,
  State: 'unreachable',
  Reason: 'never-seen',
  Reachable: false,
  Addresses: [] as string[],
  LatencyUSec: 0,
  Path: '',
  LastSeenUSec: 0,
  AsleepSinceUSec: 0,
  Evidence: '',
  EvidenceBy: '',
  EvidenceUSec: 0
})

const circle = () => ({ Id: ids.circle as string, Name: 'home', Level: 1, Members: 4 })

export function readyStatus(nowMs: number = Date.now()): Result<'Status'> {
  return {
    Device: { Id: ids.self, Name: 'thinkpad', State: 'ready' },
    Circle: circle(),
    Circles: [circle()],
    NetworkSource: 'NetworkManager',
    DBus: 'owned',
    Listeners: [
      { Interface: 'eth0', Address: '192.168.1.5', Port: 24747, Policy: 'announce' },
      { Interface: 'eth0', Address: 'fe80::5%eth0', Port: 24747, Policy: 'announce' }
    ],
    Notes: [],
    Peers: [
      {
        ...peer(ids.desktop, 'desktop'),
        State: 'reachable',
        Reason: '',
        Reachable: true,
        Addresses: ['tcp://192.168.1.20:24747', 'tcp://[fe80::20%25eth0]:24747'],
        LatencyUSec: 1234,
        Path: 'direct',
        Evidence: 'direct'
      },
      { ...peer(ids.nas, 'nas'), Reason: 'timeout', LastSeenUSec: (nowMs - 125_000) * 1000 },
      peer(ids.phone, 'phone')
    ],
    Version: VERSION,
    Summary: 'home: 1 of 3 reachable'
  }
}

/** Before init or join. */
export function newStatus(): Result<'Status'> {
  return {
    Device: { Id: '', Name: 'thinkpad', State: 'new' },
    Circle: { Id: '', Name: '', Level: 0, Members: 0 },
    Circles: [],
    NetworkSource: 'NetworkManager',
    DBus: 'absent',
    Listeners: [],
    Notes: ['There is no session bus here: panels see nothing; start the daemon inside a desktop session.'],
    Peers: [],
    Version: VERSION,
    Summary: 'in no circle yet; `coterie init` or `coterie join` comes next'
  }
}

export interface Facts {
  status: Result<'Status'>
  devices: Result<'Devices'>
  checks: Result<'Doctor'>['Checks']
  energy: Result<'Energy'>
  why: Result<'Why'>
  matrix: Result<'Matrix'>
  /** What Watch sends before it waits for the caller to go away. */
  events: Result<'Watch'>[]
  /** What Serve hands over before it waits for the caller to go away. */
  served: Result<'Serve'>[]
  /** After the last event: wait (false) or end the stream (true). */
  watchEnds: boolean
  /** Thrown by every method, when set. */
  fault: Error | undefined
  /** Methods called, with their parameters, in order. */
  calls: { method: string; params: unknown }[]
  /** Calls whose caller went away before they were done. */
  aborted: string[]
  /** What becomes of an invitation by code. */
  begin: Parameters<typeof invite>[3]
  /** Who else than the caller of Invite can be asked. */
  prompts: Omit<Prompts, 'questions'>
  /** What the last Join was told about its caller. */
  detailed: boolean | undefined
  /** Jobs wait for this before they end; the caller going away ends them too. */
  gate: Promise<void>
  /** Called at each abort. */
  onAborted: (method: string) => void
}

export function fakeFacts(): Facts {
  const nowUSec = Date.now() * 1000
  const day = 86_400_000_000
  const member = (Id: string, Name: string, Level: number, AddedBy: string, Self = false) => ({
    Id,
    Name,
    Level,
    AddedBy,
    Self,
    Guest: false,
    ExpiresUSec: 0,
    Expired: false,
    Reachable: Self,
    LastSeenUSec: 0,
    KeyChangedUSec: nowUSec - 12 * day,
    Stale: false,
    Cloned: false
  })
  const event = (n: number, Type: string, path: string, Kind: string, Properties: object) => ({
    Cursor: `boot-${n}`,
    Type,
    Object: path,
    Kind,
    Properties: Properties as { [name: string]: unknown }
  })
  const path = `/circle/${ids.circle}/peer/${ids.desktop}`
  return {
    status: readyStatus(),
    devices: {
      Devices: [
        member(ids.self, 'thinkpad', 1, '', true),
        { ...member(ids.desktop, 'desktop', 10, ids.self), Reachable: true },
        { ...member(ids.nas, 'nas', 10, ids.self), LastSeenUSec: nowUSec - 34 * day, Stale: true },
        {
          ...member(ids.phone, 'phone', 10, ids.desktop),
          Guest: true,
          ExpiresUSec: Date.UTC(2099, 10, 30) * 1000,
          KeyChangedUSec: nowUSec
        }
      ]
    },
    checks: [
      { Name: 'key-store', State: 'ok', Text: 'The key is in the keyring.', Mend: '' },
      { Name: 'swap', State: 'warning', Text: 'Memory may be swapped to a disk.', Mend: 'use zram' }
    ],
    energy: fakeEnergy(),
    why: fakeWhy(nowUSec),
    matrix: { Rows: fakeMatrix() },
    events: [
      event(1, 'Added', path, 'Peer', readyStatus().Peers[0]!),
      event(2, 'Changed', path, 'Peer', { State: 'unreachable', Reason: 'closed', Reachable: false }),
      event(3, 'Gap', '', '', {})
    ],
    served: [],
    watchEnds: true,
    fault: undefined,
    calls: [],
    aborted: [],
    begin: invitation,
    prompts: { agents: nobody, askers: [] },
    detailed: undefined,
    gate: Promise.resolve(),
    onAborted: () => {}
  }
}

/** Of a peer that is heard and not reached. */
export function fakeWhy(nowUSec: number): Result<'Why'> {
  const candidate = (Address: string, Result: string, By: string, agoS: number) => ({
    Address,
    Named: [{ By, AtUSec: nowUSec - agoS * 1_000_000 }],
    TriedUSec: Result === '' ? 0 : nowUSec - 6_000_000,
    Result,
    ProbedUSec: 0,
    ProbeResult: '',
    RoundTripUSec: 0,
    Link: 'wired',
    Metered: false,
    Near: true,
    InUse: false,
    Why: Result === '' ? 'untried' : 'failed'
  })
  return {
    Peer: ids.nas,
    Name: 'nas',
    State: 'unreachable',
    Reason: 'timeout',
    LatencyUSec: 0,
    LastSeenUSec: nowUSec - 125_000_000,
    AsleepSinceUSec: 0,
    Evidence: 'direct',
    EvidenceBy: '',
    EvidenceUSec: nowUSec - 125_000_000,
    Candidates: [
      candidate('tcp://192.168.1.30:24747', 'timeout', 'announcement', 8),
      candidate('tcp://10.8.0.3:24747', 'no-route', 'gossip', 7200),
      candidate('tcp://192.0.2.7:24747', '', 'static', 9000)
    ],
    Heard: [{ Interface: 'eth0', Address: '192.168.1.30', HeardUSec: nowUSec - 8_000_000, Followed: true }],
    ReachedBy: [],
    Apart: [],
    ClockAheadUSec: 0,
    ClockBehindUSec: 0,
    Advice: [
      'nas is heard from 192.168.1.30, and its port does not answer: a firewall there lets nobody in. On nas: `sudo ufw allow 24747:24756/tcp`, or what `coterie doctor` says there.'
    ]
  }
}

export function fakeMatrix(): Result<'Matrix'>['Rows'] {
  const names = { [ids.self]: 'thinkpad', [ids.desktop]: 'desktop', [ids.nas]: 'nas', [ids.phone]: 'phone' }
  const sight = (Observer: string, Peer: string, LatencyUSec: number, State = 'reachable', Reason = '') => ({
    Observer,
    ObserverName: names[Observer]!,
    Peer,
    PeerName: names[Peer]!,
    State,
    Reason,
    LatencyUSec,
    AgeUSec: 125_000_000
  })
  return [
    sight(ids.self, ids.desktop, 1234),
    sight(ids.self, ids.nas, 0, 'unreachable', 'timeout'),
    sight(ids.self, ids.phone, 0, 'unreachable', 'never-seen'),
    sight(ids.desktop, ids.nas, 800),
    sight(ids.desktop, ids.phone, 0, 'asleep', 'asleep'),
    sight(ids.desktop, ids.self, 1300)
  ]
}

/** A laptop on battery, two and a half hours after the start. */
export function fakeEnergy(): Result<'Energy'> {
  const activity = (WakeUps: number, packets: number, multicast: number, Signals: number) => ({
    WakeUps,
    TimerFires: packets,
    LinkWrites: packets,
    LinkReads: packets + 1,
    LinkBytesSent: packets * 82,
    LinkBytesReceived: packets * 82 + 64,
    DatagramsSent: packets,
    DatagramsReceived: packets + 2,
    DatagramBytesSent: packets * 49,
    DatagramBytesReceived: (packets + 2) * 49,
    MulticastSent: multicast,
    MulticastHeard: multicast * 3,
    MulticastBytesSent: multicast * 250,
    MulticastBytesHeard: multicast * 900,
    Signals
  })
  return {
    Power: 'battery',
    PowerSource: 'UPower',
    Metered: false,
    KeepaliveUSec: 60_000_000,
    Links: 2,
    SlowLinks: 2,
    FarLinks: 0,
    FarKeepaliveUSec: 0,
    UpUSec: 9_000_000_000,
    Total: activity(1800, 400, 150, 12),
    LatelyUSec: 75_000_000,
    Lately: activity(10, 3, 1, 0)
  }
}

/** One wrong code, then a device that has the right one. */
const invitation: Facts['begin'] = async ({ level, guestForMs, onEvent, confirm }, signal) => {
  onEvent({ type: 'open', code: CODE, expiresUSec: (Date.now() + 600_000) * 1000 })
  onEvent({ type: 'run' })
  onEvent({ type: 'wrong', triesLeft: 2 })
  if (!(await confirm({ ...joiner, circle: 'home', level, guestForMs }, signal))) {
    signal.throwIfAborted()
    throw new ApiError('Declined', 'tablet was not let in; its code is good no more')
  }
  return joiner
}

/** No prompt agent is there. */
const nobody = {
  name: 'agent',
  there: async () => false,
  ask: async () => undefined,
  display: async () => {}
} as unknown as Agents

const fakeMessage: MessageRecord = {
  Id: 'jxl3hhlg7srnozee',
  Circle: ids.circle,
  Peer: ids.desktop,
  Name: 'desktop',
  Tag: 'backup/start',
  State: 'queued',
  Reason: '',
  HeldBy: [],
  Exit: 0,
  Size: 0,
  SentUSec: 1_795_219_200_000_000,
  ExpiresUSec: 1_795_824_000_000_000,
  ChangedUSec: 1_795_219_200_000_000,
  Output: '',
  OutputBase64: ''
}

export function fakeImplementation(facts: Facts = fakeFacts()): Implementation {
  const called = (method: string, params: unknown) => {
    facts.calls.push({ method, params })
    if (facts.fault) throw facts.fault
  }
  const gate = (method: string, call: Call) =>
    new Promise<void>((resolve, reject) => {
      call.signal.addEventListener('abort', () => {
        facts.aborted.push(method)
        facts.onAborted(method)
        reject(call.signal.reason)
      })
      facts.gate.then(resolve)
    })
  const find = (name: string) => {
    const found = facts.status.Peers.find(p => p.Id === name || p.Name === name)
    if (!found) throw new ApiError('NoSuchPeer', `no member is called ${JSON.stringify(name)}`)
    return found
  }
  const questions = new Questions(randomBytes)
  return {
    async Status(params) {
      called('Status', params)
      return facts.status
    },
    async Peers(params) {
      called('Peers', params)
      return { Peers: facts.status.Peers }
    },
    async VerifyRecovery(params) {
      called('VerifyRecovery', params)
      return { Circle: ids.circle, Name: 'home' }
    },
    async SplitRecovery(params) {
      called('SplitRecovery', params)
      return { Devices: [ids.desktop, ids.nas, ids.phone], NotTold: ['tablet'] }
    },
    async RecoveryShare(params) {
      called('RecoveryShare', params)
      return {
        Share: '05DV-C4BC-S8W5-NV3J-R2S2-STKR-V8PA-5M02-SJN3-HPMC-E4E9',
        Holders: ['desktop', 'nas', 'phone'],
        Finished: true,
        AtUSec: 1_795_219_200_000_000
      }
    },
    async UnlockCircle(params) {
      called('UnlockCircle', params)
      return { Circle: ids.circle, Name: 'home' }
    },
    async UseRecovery(params) {
      called('UseRecovery', params)
      const change = (Id: string, Name: string, Change: string, WasLevel: number, Level: number) => ({
        Id,
        Name,
        Change,
        WasLevel,
        Level
      })
      return {
        Changes: [
          change(ids.desktop, 'desktop', 'removed', 1, 0),
          change(ids.phone, 'phone', 'dropped', 10, 0),
          change(ids.nas, 'nas', 'returns', 0, 10),
          change(ids.self, 'thinkpad', 'level', 10, 1)
        ]
      }
    },
    async Send(params) {
      called('Send', params)
      return { Messages: [fakeMessage], KeptCopies: 2, KeptBytes: 2_500 }
    },
    async WaitMessage(params, call) {
      called('WaitMessage', params)
      await gate('WaitMessage', call)
      return { Message: { ...fakeMessage, State: 'done' } }
    },
    async Outbox(params) {
      called('Outbox', params)
      return { Messages: [fakeMessage], KeptCopies: 2, KeptBytes: 2_500 }
    },
    async CancelMessage(params) {
      called('CancelMessage', params)
      return { Message: { ...fakeMessage, State: 'dead', Reason: 'cancelled' } }
    },
    async RetryMessage(params) {
      called('RetryMessage', params)
      return { Message: fakeMessage }
    },
    async ClearOutbox(params) {
      called('ClearOutbox', params)
      return { Dropped: 2 }
    },
    async Handlers(params) {
      called('Handlers', params)
      return {
        Folders: ['/handlers'],
        Units: true,
        Handlers: [
          {
            Path: '/handlers/message/backup/start.sh',
            Family: 'message',
            Tag: 'backup/start',
            Peers: [],
            Events: [],
            Retry: false,
            Problem: ''
          }
        ],
        Rules: [{ From: 'phone', Tags: ['clipboard/*'], Line: 3, Problem: '' }],
        Programs: [],
        ReadyMade: ''
      }
    },
    async Serve(params, call) {
      called('Serve', params)
      for (const message of facts.served) await call.reply(message)
      await gate('Serve', call)
    },
    async Answer(params) {
      called('Answer', params)
      return {}
    },
    async TryHandler(params) {
      called('TryHandler', params)
      return {
        Handler: '/handlers/message/backup/start.sh',
        Problem: '',
        Decision: 'laptop is a member',
        Others: [],
        Skipped: []
      }
    },
    async RunHandler(params) {
      called('RunHandler', params)
      return {
        Handler: '/handlers/message/backup/start.sh',
        State: 'done',
        Reason: '',
        Exit: 0,
        Output: 'saved\n',
        OutputBase64: '',
        Complaint: ''
      }
    },
    async Why(params) {
      called('Why', params)
      find(params.Peer)
      return facts.why
    },
    async Matrix(params) {
      called('Matrix', params)
      return facts.matrix
    },
    async Devices(params) {
      called('Devices', params)
      return facts.devices
    },
    async Doctor(params) {
      called('Doctor', params)
      return { Checks: facts.checks }
    },
    async UseCircle(params) {
      called('UseCircle', params)
      return { Circle: ids.circle, Name: params.Circle }
    },
    async Init(params) {
      called('Init', params)
      return {
        Circle: ids.circle,
        Name: params.Name || 'home',
        Id: ids.self,
        Device: params.Device || 'thinkpad',
        RecoveryCode: '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ-0000'
      }
    },
    async Invite(params, call) {
      called('Invite', params)
      call.signal.addEventListener('abort', () => {
        facts.aborted.push('Invite')
        facts.onAborted('Invite')
      })
      return invite(params, call, { ...facts.prompts, questions }, facts.begin)
    },
    async Confirm(params) {
      called('Confirm', params)
      questions.answer(params.Request, params.Accept)
      return {}
    },
    async MakeTicket(params) {
      called('MakeTicket', params)
      return { Ticket: TICKET, ExpiresUSec: (Date.now() + 86_400_000) * 1000 }
    },
    async Join(params, call) {
      called('Join', params)
      facts.detailed = call.detailed
      call.progress('looking for the device that invited', { Address: 'tcp://192.168.1.20:24747' })
      await gate('Join', call)
      if (params.Code !== '' && !/^k7qf[- ]?2m9x$/i.test(params.Code)) {
        throw new ApiError('WrongCode', 'the code is not the one that is shown there; 2 tries are left')
      }
      if (params.Code === '' && params.Ticket !== TICKET) {
        throw new ApiError('InvalidTicket', 'the ticket is mistyped: ask for a new one')
      }
      return { Circle: ids.circle, Name: 'home', Id: ids.self, Device: params.Device || 'thinkpad' }
    },
    async Rename(params) {
      called('Rename', params)
      return { Id: ids.self, Name: params.Name }
    },
    async Rekey(params) {
      called('Rekey', params)
      return { Id: ids.self }
    },
    async Remove(params) {
      called('Remove', params)
      return { Id: find(params.Device).Id }
    },
    async Leave(params, call) {
      called('Leave', params)
      await gate('Leave', call)
      return { Told: 2 }
    },
    async Erase(params, call) {
      called('Erase', params)
      await gate('Erase', call)
      return { Told: 2 }
    },
    async Ping(params, call) {
      called('Ping', params)
      const found = find(params.Peer)
      if (!found.Reachable) throw new ApiError('Unreachable', `${found.Name} cannot be reached now`)
      await gate('Ping', call)
      const count = params.Count || 1
      const Address = found.Addresses[0]!
      const LatencyUSec = Array.from({ length: count }, (_, i) => 1200 + i)
      return {
        Id: found.Id,
        Address,
        LatencyUSec,
        Paths: [
          { Via: 'session', Address, LatencyUSec, Lost: 0, Reason: '' },
          { Via: 'probe', Address, LatencyUSec: [700, 900], Lost: 1, Reason: 'timeout' },
          {
            Via: 'probe',
            Address: 'tcp://[fe80::1%25eth0]:24747',
            LatencyUSec: [],
            Lost: 3,
            Reason: 'timeout'
          }
        ]
      }
    },
    async Wake(params, call) {
      called('Wake', params)
      const found = find(params.Peer)
      await gate('Wake', call)
      return { Id: found.Id, SentBy: found.Reachable ? [] : [ids.self], Reachable: found.Reachable }
    },
    async Watch(params, call: StreamCall<Result<'Watch'>>) {
      called('Watch', params)
      for (const event of facts.events) await call.reply(event)
      if (!facts.watchEnds) {
        await new Promise<void>((_, reject) => {
          call.signal.addEventListener('abort', () => {
            facts.aborted.push('Watch')
            facts.onAborted('Watch')
            reject(call.signal.reason)
          })
        })
      }
    },
    async Subscribe(params, call: StreamCall<Result<'Subscribe'>>) {
      called('Subscribe', params)
      await call.reply({ Peers: facts.status.Peers, Gone: [] })
    },
    async Config(params) {
      called('Config', params)
      return {
        Path: '/home/me/.config/coterie/coterie.toml',
        Values: { network: { port: 24747, only: [] as string[] }, dbus: { control: true } }
      }
    },
    async Reload(params) {
      called('Reload', params)
      return {}
    },
    async Energy(params) {
      called('Energy', params)
      return facts.energy
    },
    async Version(params) {
      called('Version', params)
      return { Version: VERSION }
    }
  }
}
