/**
 * The walls around the installed daemon, as a program finds them that it starts: what the kernel refuses inside, and
 * does not refuse outside, on Debian 12 and 13; with the unit as it comes, and with hardening.conf.
 */
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import { scenario } from '../lab/scenario.ts'
import { Agent, fresh, install, joinByCode } from './installed.ts'
import { releases } from './releases.ts'

t.setTimeout(FILE_MS)

/** Numbers of errno(3), or 0 where it was done. */
const [DONE, EPERM, ENOENT, EACCES, ENOSPC, EROFS, EAFNOSUPPORT] = [0, 1, 2, 13, 28, 30, 97]

/** Of this kind of machine (syscalls(2)). */
const CALLS = {
  x64: { ptrace: 101, personality: 135, unshare: 272 },
  arm64: { ptrace: 117, personality: 92, unshare: 97 }
}[process.arch as 'x64' | 'arm64']

/** Debian has Perl in every box. A line each: what, and how it went. */
const PROBE = `#!/usr/bin/perl
use strict; use Socket;
sub told { my ($what, $went) = @_; print "$what ", ($went ? 0 : $! + 0), "\\n" }
sub made { my ($what, $path) = @_; told($what, open(my $file, '>', $path) && unlink $path) }
sub called { my ($what, $call, @words) = @_; told($what, syscall($call, @words) >= 0) }
my $home = (getpwuid $<)[7];
open(my $status, '<', '/proc/self/status'); print grep /^(NoNewPrivs|Seccomp):/, <$status>;
told("unix", socket(my $a, AF_UNIX, SOCK_STREAM, 0));
told("inet", socket(my $b, AF_INET, SOCK_STREAM, 0));
told("inet6", socket(my $c, AF_INET6, SOCK_DGRAM, 0));
told("netlink", socket(my $d, 16, SOCK_RAW, 0));
told("packet", socket(my $e, 17, SOCK_RAW, 0));
made("system", "/usr/probe");
made("home", "$home/probe");
made("own", "$home/.local/share/coterie/probe");
made("runtime", "/run/user/$</coterie/probe");
told("others-tmp", -e "/tmp/of-somebody");
open(my $made, '>', "/tmp/probe"); told("set-uid", chmod 04755, "/tmp/probe"); unlink "/tmp/probe";
called("personality", ${CALLS.personality}, 0x40000);
called("unshare", ${CALLS.unshare}, 0x10000000);
called("ptrace", ${CALLS.ptrace}, 0, 0, 0, 0);
`
type Found = { readonly [what: string]: string | number }
const found = (text: string): Found =>
  Object.fromEntries(
    text
      .split('\n')
      .map(line => line.split(/:?\s+/) as [string, string])
      .map(([k, v]) => [k, Number(v)])
  )

const config = '.config/coterie'
const dropIn = '.config/systemd/user/coterie.service.d'
const HARDENING = '/usr/share/coterie/hardening.conf'

scenario('walls', {}, async (t, lab) => {
  const boxes = await fresh(t, lab, releases(t, { next: false }))
  const [old, recent] = boxes.map(box => new Agent(box)) as [Agent, Agent]
  const other = (agent: Agent) => (agent === old ? recent : old)
  const each = (act: (agent: Agent) => Promise<unknown>) => Promise.all([old, recent].map(act))
  /** As a child of the daemon itself. */
  const inside = async (agent: Agent) => found(await other(agent).coterie(`ask ${agent.box.name} probe`))
  const units = (agent: Agent, units: boolean) =>
    agent.sh(
      `printf '[handlers]\\nunits = ${units}\\n' > ${config}/coterie.toml; systemctl --user restart coterie`
    )
  const doctor = async (agent: Agent, name: string) => {
    const { stdout } = await agent.try('coterie doctor --json')
    return JSON.parse(stdout).Checks.find(({ Name }: { Name: string }) => Name === name)
  }

  const both = () => each(agent => agent.sees(other(agent).box.name))
  const walled = (agent: Agent) =>
    agent.sh(`mkdir -p ${dropIn} && cp ${HARDENING} ${dropIn}/ && systemctl --user daemon-reload`)

  await each(async agent => {
    await install(t, agent.box)
    await agent.sh(`mkdir -p ${config}/handlers/message && cat > ${config}/handlers/message/probe`, PROBE)
    await agent.sh(`chmod 700 ${config}/handlers/message/probe; touch /tmp/of-somebody`)
    await agent.systemctl('enable --now coterie')
    await units(agent, false)
  })
  await old.coterie('init --name home --device b252')
  await joinByCode(old, recent)

  const open = {
    NoNewPrivs: 0,
    Seccomp: 0,
    ...{ unix: DONE, inet: DONE, inet6: DONE, netlink: DONE, packet: EPERM },
    ...{ system: EACCES, home: DONE, own: DONE, runtime: DONE, 'others-tmp': DONE },
    ...{ 'set-uid': DONE, personality: DONE, unshare: DONE, ptrace: DONE }
  }
  const filtered = {
    ...open,
    ...{ NoNewPrivs: 1, Seccomp: 2, packet: EAFNOSUPPORT },
    ...{ 'set-uid': EPERM, personality: EPERM, ptrace: EPERM }
  }
  const behind = {
    ...filtered,
    ...{ system: EROFS, home: EROFS, own: DONE, runtime: DONE, 'others-tmp': ENOENT, unshare: EPERM }
  }

  await t.test('outside of them', t =>
    each(async agent => {
      const { stdout } = await agent.try(`perl ${config}/handlers/message/probe`)
      t.match(found(stdout), open, agent.name)
    })
  )

  await t.test('the unit as it comes', t =>
    each(async agent => {
      // the user manager of 252 ignores ProtectSystem= silently
      const system = agent === old ? EACCES : EROFS
      t.match(await inside(agent), { ...filtered, system }, agent.name)
      const text = agent === old ? /calls; hardening\.conf would/ : /change your files, but not the system/
      t.match(await doctor(agent, 'sandbox'), { State: 'ok', Text: text })
      t.match(await doctor(agent, 'unit'), { State: 'ok', Text: /\/usr\/lib\/systemd\/user\/coterie/ })
    })
  )

  await t.test('with hardening.conf', async t => {
    await each(async agent => {
      await walled(agent)
      await agent.systemctl('restart coterie')
    })
    await both()
    await each(async agent => {
      t.match(await inside(agent), behind, agent.name)
      const text = /of the disk it can change only its own folders/
      t.match(await doctor(agent, 'sandbox'), { State: 'ok', Text: text })
      t.match(await agent.status(), { DBus: 'owned', NetworkSource: 'NetworkManager' })
    })
  })

  await t.test('and its handlers as units of their own, which are outside', async t => {
    await each(agent => units(agent, true))
    await both()
    await each(async agent => {
      t.match(await inside(agent), { home: DONE, runtime: DONE, 'others-tmp': DONE }, agent.name)
      t.match(await doctor(agent, 'handlers'), { State: 'ok', Text: /as units/ })
    })
  })

  await t.test('with hardening.conf before the first start', t =>
    each(async ({ box }) => {
      const other = new Agent(box, await box.account('other', 1001))
      await box.run('systemctl start user@1001.service')
      await walled(other)
      await other.systemctl('enable --now coterie')
      await other.coterie('init --name theirs')
      t.match(await other.status(), { Device: { State: 'ready' } })
      t.equal(
        await other.sh('stat -c %a .config/coterie .local/share/coterie .local/state/coterie'),
        '700\n700\n700'
      )
      await other.systemctl('disable --now coterie.service coterie.socket')
    })
  )

  await t.test('where user namespaces are denied', t =>
    each(async agent => {
      const { box } = agent
      // the manager gets one of its own, in which there may be no other
      const of = '/run/systemd/system/user@1000.service.d'
      await box.run(['sh', '-c', `mkdir -p ${of}; printf '[Service]\nPrivateUsers=yes\n' > ${of}/own.conf`])
      await box.run('systemctl daemon-reload')
      await agent.sh(`mv ${dropIn} .config/set-aside`)
      await box.run('systemctl restart user@1000.service')
      await agent.runs()
      const manager = await box.run('systemctl show -P MainPID user@1000.service')
      const deny = `echo 0 > /mnt/sys/user/max_user_namespaces`
      await box.run(['sh', '-c', `mount -t proc proc /mnt; nsenter -U -t ${manager} sh -c '${deny}'`])
      const refused = 'systemd-run --user --wait -q unshare -U true'
      t.not((await agent.try(refused)).code, 0, 'they are denied')
      await agent.systemctl('restart coterie')
      await units(agent, false)
      await agent.sees(other(agent).box.name)
      t.match(await inside(agent), { ...filtered, unshare: ENOSPC, system: EACCES }, agent.name)
      t.match(await doctor(agent, 'sandbox'), { State: 'ok', Text: /user namespaces, which are denied here/ })
      await agent.sh(`mv .config/set-aside ${dropIn}; systemctl --user daemon-reload`)
      t.not(
        (await agent.try('systemctl --user restart coterie')).code,
        0,
        'with hardening.conf it does not start'
      )
      t.equal(await agent.show('ExecMainStatus'), '217')
    })
  )
})
