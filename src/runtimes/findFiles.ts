/** Files by a pattern of absolute paths: `*` stands for anything within a name, `**` for any folders. Links are not followed. */
import { type Dirent, readdirSync } from "node:fs"
import { join } from "node:path"

/** A pattern that finds more than this is meant for something else. */
const maxFiles = 10_000

export const findFiles = (pattern: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  const walk = (folder: string, [first = "", ...rest]: ReadonlyArray<string>): void => {
    const isLast = rest.length === 0
    if (first === "**") walk(folder, rest)
    for (const entry of entriesOf(folder)) {
      if (found.length >= maxFiles) return
      const path = join(folder, entry.name)
      if (first === "**") {
        if (entry.isDirectory()) walk(path, [first, ...rest])
      } else if (matches(entry.name, first)) {
        if (isLast && entry.isFile()) found.push(path)
        if (!isLast && entry.isDirectory()) walk(path, rest)
      }
    }
  }
  walk(
    "/",
    pattern.split("/").filter((part) => part !== "")
  )
  return found
}

const entriesOf = (folder: string): ReadonlyArray<Dirent> => {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

const matches = (name: string, part: string): boolean => {
  if (!part.includes("*")) return name === part
  const escaped = part.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
  return new RegExp(`^${escaped.join(".*")}$`, "s").test(name)
}
