/** What serves the clipboard, and a browser, outlive the handler that began them, under systemd 252 and 257. */
import { scenario } from '../lab/scenario.ts'

/** A program in the place of xclip or xdg-open: it goes on in the background, as xclip does. */
const stays = '#!/bin/sh\ncat > /dev/null\nsleep 1234 &\n'

scenario('handlers in boxes', {}, async (t, lab) => {
  const boxes = [await lab.box('c252', 18, 'bookworm', 'a'), await lab.box('c257', 19, 'trixie', 'a')]
  for (const box of boxes)
    for (const [handler, program, body] of [
      ['clipboard', 'xclip', 'text'],
      ['open-url', 'xdg-open', 'https://example.org']
    ] as const) {
      await box.user('mkdir -p bin')
      await box.user(['sh', '-c', `cat > bin/${program}; chmod 755 bin/${program}`], stays)
      const home = (await box.user('pwd')).trim()
      const environment = ['DISPLAY=:0', `PATH=${home}/bin:/usr/bin:/bin`].map(each => `--setenv=${each}`)
      const unit = `coterie-handler-${handler}`
      const run = ['systemd-run', '--user', '--wait', '--pipe', '--quiet', `--unit=${unit}`, ...environment]
      await box.user([...run, `/host/handlers/${handler}`], body)
      const left = await box.user('pgrep -f sleep.1234')
      t.match(left, /^\d+$/m, `${handler} on ${box.name}: it is still there`)
      const group = await box.user([
        'cat',
        ...left
          .trim()
          .split('\n')
          .map(pid => `/proc/${pid}/cgroup`)
      ])
      t.match(group, handler === 'clipboard' ? /\/run-\S+\.scope$/m : /\/app\.slice\/run-\S+\.service$/m)
      await box.user('pkill -f sleep.1234')
    }
})
