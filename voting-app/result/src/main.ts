import { createLog } from './log.ts'
import { startService } from './service.ts'
import { readSettings, SettingsError } from './settings.ts'

try {
  const settings = readSettings(process.env)
  const log = createLog(settings.logLevel, (line) => process.stdout.write(line))
  // The handler stands before the service says that it has started: whoever reads that may stop it at once.
  const stopAsked = new Promise<void>((resolve) => {
    process.on('SIGTERM', () => resolve())
    process.on('SIGINT', () => resolve())
  })
  const service = await startService(settings, log)
  void stopAsked.then(() => service.stop()).then(() => process.exit(0))
} catch (error) {
  process.stderr.write(`${error instanceof SettingsError ? error.message : String(error)}\n`)
  process.exit(2)
}
