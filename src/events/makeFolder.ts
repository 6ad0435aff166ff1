/** Folders for what is written beside the journal, made when they are first needed. */
import { existsSync, mkdirSync } from "node:fs"

/** That one alone: where the state folder around it was removed, nobody wants it back. Throws what the file system says. */
export const makeFolder = (folder: string): void => {
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
}
