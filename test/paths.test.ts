import { existsSync, statSync } from 'node:fs'
import t from 'tap'
import { PathError, paths } from '../src/paths.ts'

const NOBODY = 4_000_000_001 // a uid without /run/user

t.test('XDG variables', async t => {
  t.same(
    paths({
      HOME: '/home/me',
      XDG_CONFIG_HOME: '/c',
      XDG_DATA_HOME: '/d',
      XDG_STATE_HOME: '/s',
      XDG_RUNTIME_DIR: '/r'
    }),
    {
      config: '/c/coterie',
      configFile: '/c/coterie/coterie.toml',
      data: '/d/coterie',
      state: '/s/coterie',
      runtime: '/r/coterie',
      socket: '/r/coterie/coterie.sock'
    }
  )
  const expected = {
    config: '/home/me/.config/coterie',
    configFile: '/home/me/.config/coterie/coterie.toml',
    data: '/home/me/.local/share/coterie',
    state: '/home/me/.local/state/coterie',
    runtime: '/home/me/.local/state/coterie/run',
    socket: '/home/me/.local/state/coterie/run/coterie.sock'
  }
  t.same(paths({ HOME: '/home/me' }, NOBODY), expected, 'without any')
  const relative = { XDG_CONFIG_HOME: 'c', XDG_DATA_HOME: './d', XDG_STATE_HOME: '', XDG_RUNTIME_DIR: 'run' }
  t.same(paths({ HOME: '/home/me', ...relative }, NOBODY), expected, 'relative ones are ignored')
})

t.test('the directory logind made is found without XDG_RUNTIME_DIR', async t => {
  const uid = process.getuid?.() ?? 0
  const usual = `/run/user/${uid}`
  const ours = existsSync(usual) && statSync(usual).uid === uid
  t.equal(
    paths({ HOME: '/home/me' }, uid).socket,
    ours ? `${usual}/coterie/coterie.sock` : '/home/me/.local/state/coterie/run/coterie.sock'
  )
})

t.test('a path too long for a socket', async t => {
  const fits = `/${'x'.repeat(107 - 1 - '/coterie/coterie.sock'.length)}`
  t.equal(paths({ HOME: '/', XDG_RUNTIME_DIR: fits }).socket.length, 107)
  t.throws(() => paths({ HOME: '/', XDG_RUNTIME_DIR: `${fits}x` }), PathError)
  t.throws(() => paths({ HOME: '/', XDG_RUNTIME_DIR: `${fits}x` }), /108 bytes long.*shorter directory/)
})
