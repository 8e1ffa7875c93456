import t from 'tap'
import { ConfigError, nearest, parseConfig } from '../../src/daemon/config.ts'

const parse = (toml: string) => parseConfig(toml, 'laptop.example.org')

t.test('an empty file is the default configuration', async t => {
  t.same(parse(''), {
    device: { name: 'laptop', wake: true },
    network: { only: [], port: 24747, rules: [] },
    peers: [],
    dbus: { control: true },
    handlers: { folders: [], timeout: 3600, memory: 1024, tasks: 256, units: true },
    notifications: { joined: false, failed: false, lost: false },
    allow: [],
    log: { level: 'info' }
  })
})

t.test('every key', async t => {
  const c = parse(`
    [device]
    name = "desk"
    wake = false
    [network]
    only = ["eth0", "lo"]
    port = 0
    [[network.rule]]
    name = "wlan*"
    policy = "listen"
    [[network.rule]]
    zone = "public"
    policy = "off"
    [[peer]]
    id = "nas"
    address = "tcp://192.0.2.7:24747"
    [[peer]]
    id = "co1abc"
    address = ["tcp://[2001:db8::1]:24747", "tcp://[fe80::1%25eth0]:1"]
    [dbus]
    control = false
    [handlers]
    folders = ["/srv/handlers"]
    timeout = 60
    memory = 64
    tasks = 8
    units = false
    [notifications]
    joined = true
    lost = true
    [[allow]]
    from = "phone"
    tags = ["clipboard/*", "notify"]
    [log]
    level = "debug"
    [[allow]]
    from = "*"
    tags = []
  `)
  t.same(c, {
    device: { name: 'desk', wake: false },
    network: {
      only: ['eth0', 'lo'],
      port: 0,
      rules: [
        { match: 'name', value: 'wlan*', policy: 'listen' },
        { match: 'zone', value: 'public', policy: 'off' }
      ]
    },
    peers: [
      { id: 'nas', addresses: ['tcp://192.0.2.7:24747'] },
      { id: 'co1abc', addresses: ['tcp://[2001:db8::1]:24747', 'tcp://[fe80::1%25eth0]:1'] }
    ],
    dbus: { control: false },
    handlers: { folders: ['/srv/handlers'], timeout: 60, memory: 64, tasks: 8, units: false },
    notifications: { joined: true, failed: false, lost: true },
    allow: [
      { from: 'phone', tags: ['clipboard/*', 'notify'], line: 31 },
      { from: '*', tags: [], line: 36 }
    ],
    log: { level: 'debug' }
  })
})

t.test('what is wrong is told with its place and what to write instead', async t => {
  const cases: [string, RegExp][] = [
    ['[netwrk]\nport = 1', /^line 1: unknown key netwrk; did you mean network\?$/],
    ['[network]\nprot = 1', /^line 2: unknown key network\.prot; did you mean port\?$/],
    ['[network]\nport = "x"', /^line 2: network\.port must be a port, 0 to 65535$/],
    ['[network]\nport = 65536', /^line 2: network\.port must be a port/],
    ['[network]\nonly = "eth0"', /^line 2: network\.only must be a list$/],
    ['[network]\nonly = [1]', /^line 2: network\.only\[0\] must be a text$/],
    ['[[network.rule]]\npolicy = "off"', /^line 1: network\.rule\[0\] must be exactly one of name, type/],
    [
      '[[network.rule]]\nname = "x"\nzone = "y"\npolicy = "off"',
      /^line 1: network\.rule\[0\] must be exactly one/
    ],
    [
      '[[network.rule]]\nname = "x"\npolicy = "maybe"',
      /^line 3: network\.rule\[0\]\.policy must be one of "announce"/
    ],
    ['[[peer]]\nid = "x"', /^line 1: peer\[0\] must be an id/],
    ['[[peer]]\nid = "x"\naddress = "192.0.2.1"', /^line 3: peer\[0\]\.address must be an address like/],
    ['[dbus]\ncontrol = 1', /^line 2: dbus\.control must be true or false$/],
    ['device = 3', /^line 1: device must be a table$/],
    [`[device]\nname = "${'x'.repeat(65)}"`, /^line 2: device\.name must be a name of at most 64 bytes/],
    ['[handlers]\nmemory = 8', /^line 2: handlers\.memory must be MiB, 16 to 1048576/],
    ['[handlers]\ntimeout = 0', /^line 2: handlers\.timeout must be seconds, 1 to/],
    ['[handlers]\nfolders = ["handlers"]', /^line 2: handlers\.folders\[0\] must be an absolute path$/],
    ['\n[[allow]]\nfrom = "phone"', /^line 2: allow\[0\] must be a device \(from\) and the tags/],
    ['[[allow]]\nfrom = 3\ntags = []', /^line 2: allow\[0\]\.from must be a text$/],
    ['[[allow]]\nfrom = "x"\ntags = "notify"', /^line 3: allow\[0\]\.tags must be a list$/],
    [
      '[[allow]]\nfrom = "x"\ntags = ["*"]\n\n[[allow]]\nfrom = "y"\ntags = [\n  "a",\n  "A/*"\n]',
      /^line 7: allow\[1\]\.tags\[1\] must be a tag such as "backup\/start", "backup\/\*" or "\*"$/
    ],
    ['[[allow]]\nfrom = "x"\ntags = ["a*"]', /^line 3: allow\[0\]\.tags\[0\] must be a tag/],
    ['[[allow]]\nfrom = "x"\ntags = ["*/a"]', /^line 3: allow\[0\]\.tags\[0\] must be a tag/],
    ['[[allow]]\nfrom = "x"\ntag = ["a"]', /^line 3: unknown key allow\[0\]\.tag; did you mean tags\?$/],
    ['[allow]\nfrom = "x"', /^line 1: allow must be a list$/],
    ['[network\nport = 1', /^line \d+, column \d+: /],
    ['["__proto__"]', /^(unknown key __proto__|line 1)/]
  ]
  for (const [toml, message] of cases) t.throws(() => parse(toml), { name: 'ConfigError', message }, toml)
  t.throws(() => parse('[a'), ConfigError)
})

t.test('nearest', async t => {
  t.equal(nearest('contrl', ['level', 'control', 'only']), 'control')
})
