import { createLog } from './log.ts'
import { startService } from './service.ts'
import { readSettings, SettingsError } from './settings.ts'

try {
  const settings = readSettings(process.env)
  const log = createLog(settings.logLevel, (line) => process.stdout.write(line))
  const service = await startService(settings, log)
  const stop = () => void service.stop().then(() => process.exit(0))
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
} catch (error) {
  process.stderr.write(`${error instanceof SettingsError ? error.message : String(error)}\n`)
  process.exit(2)
}
