/** `coterie tray`: an icon in panels that take them (KDE, XFCE, waybar), with a menu of the devices. */
import type { Command } from 'commander'
import { paths } from '../paths.ts'

export function addTrayCommand(program: Command): void {
  program
    .command('tray')
    .description('an icon in the panel with a menu of the devices; ends where another panel shows Coterie')
    .action(async () => {
      // what it is made of concerns no other command
      const { tray } = await import('./tray/panel.ts')
      await tray(paths().socket)
      // dialogs may be open
      process.exit(0)
    })
}
