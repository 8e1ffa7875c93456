/** The circles of this device: circle list, use, create. */
import type { Command } from 'commander'
import { tellMade } from './init.ts'
import { json, lookOf, out, printable, table } from './print.ts'
import { withDaemon, withJson } from './run.ts'
import { level } from './words.ts'

export function addCirclesCommand(program: Command): void {
  const circle = program.command('circle').description('the circles this device is in, 16 at most')
  withJson(circle.command('list', { isDefault: true }))
    .description('list them, the default one first')
    .action(list)
  withJson(circle.command('use'))
    .description('make one the default: the one that is meant without --circle')
    .argument('<circle>', 'id or name')
    .action(use)
  withJson(circle.command('create'))
    .description('make another one, with this device as its first')
    .argument('<name>', 'its name')
    .option('--device <name>', 'name of this device in it (default: the host name)')
    .action(create)
}

const list = (options: { json?: boolean }) =>
  withDaemon(async client => {
    const { Circles, Peers, Device } = await client.call('Status', { All: true })
    if (options.json) return void json({ Circles })
    const look = lookOf(process.stdout)
    if (Circles.length === 0) {
      out(`${printable(Device.Name)} is in no circle yet.`)
      out(`${look.bold('coterie init')} makes one, ${look.bold('coterie join')} joins one.`)
      return
    }
    const rows = Circles.map((c, i) => {
      const near = Peers.filter(p => p.Circle === c.Id && p.Reachable).length
      return [
        look.bold(printable(c.Name)),
        c.Level === 0 ? 'removed' : level(c.Level),
        `${near} of ${Math.max(0, c.Members - 1)} reachable`,
        c.Id.slice(0, 8),
        i === 0 ? 'default' : ''
      ]
    })
    for (const line of table(look, ['NAME', 'LEVEL', 'OTHERS', 'ID', ''], rows)) out(line)
  })

const use = (circle: string, options: { json?: boolean }) =>
  withDaemon(async client => {
    const used = await client.call('UseCircle', { Circle: circle })
    if (options.json) json(used)
    else out(`${printable(used.Name)} is the default circle now.`)
  })

const create = (name: string, options: { device?: string; json?: boolean }) =>
  withDaemon(async client => {
    const made = await client.call('Init', {
      Name: name,
      Another: true,
      ...(options.device !== undefined && { Device: options.device })
    })
    tellMade(made, options)
  })
