/**
 * The files that a user module consists of, found by reading them, and the hash that tells whether any has changed. Nothing is loaded:
 * the hub may ask too (contracts: senses and workflows 2.2, 3.5).
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"

const codeExtensions = [".ts", ".mts", ".js", ".mjs", ".cts", ".cjs"]
/** What counts in a module's own folder. */
const hashed = /\.([cm]?[jt]s|json|sql)$/
/** Folders that are nobody's source. */
const skipped: ReadonlySet<string> = new Set(["node_modules", ".mound", ".git"])
const maxFiles = 2_000

/** The file that a folder is entered by: the first of these names that is there with an extension, in the contract's order. */
export const findEntry = (folder: string, names: ReadonlyArray<string>): string | undefined =>
  names.flatMap((name) => codeExtensions.map((extension) => join(folder, `${name}${extension}`))).find(isFile)

/** The code, JSON and SQL files of a folder, and every file of the workspace that their imports lead to; sorted. */
export const moduleFiles = (workspace: string, folder: string): ReadonlyArray<string> => {
  const found = new Set<string>()
  const visit = (path: string): void => {
    if (found.has(path) || found.size >= maxFiles) return
    found.add(path)
    for (const imported of importsOf(path)) if (isWithin(workspace, imported)) visit(imported)
  }
  for (const path of filesIn(folder)) visit(path)
  return [...found].sort()
}

/** SHA-256 over the paths and bytes of a module's files; the same files at the same places give the same hash. */
export const hashModule = (workspace: string, folder: string): string => {
  const hash = createHash("sha256")
  for (const path of moduleFiles(workspace, folder)) {
    const bytes = readIfThere(path)
    hash.update(`${relative(workspace, path)}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest("hex")
}

const filesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesIn(path)
      return hashed.test(entry.name) ? [path] : []
    })
  } catch {
    return []
  }
}

/** `from "./x"`, `import "./x"`, `import("./x")`, `require("./x")`: one too many costs a reload, one too few would miss one. */
const importPattern = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.{1,2}(?:\/[^"'\n]*)?)["']/g

const importsOf = (path: string): ReadonlyArray<string> => {
  if (!/\.[cm]?[jt]s$/.test(path)) return []
  const text = readIfThere(path).toString("utf8")
  return [...text.matchAll(importPattern)].flatMap(([, specifier]) => {
    const found = resolveImport(resolve(dirname(path), specifier as string))
    return found === undefined ? [] : [found]
  })
}

/** As the loader does: the file itself, `./x.js` that is `x.ts`, a missing extension, or a folder's index. */
const resolveImport = (path: string): string | undefined => {
  const asTypeScript = path.replace(/\.([cm]?)js$/, ".$1ts")
  const candidates = [path, asTypeScript, ...[...codeExtensions, ".json"].map((each) => `${path}${each}`)]
  return candidates.find(isFile) ?? findEntry(path, ["index"])
}

const isWithin = (workspace: string, path: string): boolean =>
  path.startsWith(workspace + sep) && !relative(workspace, path).split(sep).includes("node_modules")

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

const readIfThere = (path: string): Buffer => {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}
