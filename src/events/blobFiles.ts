/** All blobs of a folder at once: which are damaged, and which nobody names any more. Looks at files alone; a hub may run meanwhile. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"

export interface DamagedBlob {
  readonly sha256: string
  /** The digest of the bytes that are there. */
  readonly actual: string
}

/** Every blob whose bytes are not the ones that its name promises. */
export const damagedBlobs = (folder: string): ReadonlyArray<DamagedBlob> =>
  blobsIn(folder).flatMap(({ sha256, path }) => {
    const actual = createHash("sha256").update(readFileSync(path)).digest("hex")
    return actual === sha256 ? [] : [{ sha256, actual }]
  })

/** Removes the blobs that were written before an instant and that nothing names; their digests. */
export const removeUnnamed = (
  folder: string,
  { isNamed, before }: { readonly isNamed: (sha256: string) => boolean; readonly before: number }
): ReadonlyArray<string> =>
  blobsIn(folder).flatMap(({ sha256, path }) => {
    if (isNamed(sha256) || statSync(path).mtimeMs >= before) return []
    rmSync(path, { force: true })
    return [sha256]
  })

/** Every word in a text that could name a blob. */
export const blobWords = (text: string): ReadonlyArray<string> => text.match(/\b[0-9a-f]{64}\b/gi) ?? []

const blobsIn = (folder: string): ReadonlyArray<{ readonly sha256: string; readonly path: string }> =>
  namesIn(folder, /^[0-9a-f]{2}$/).flatMap((start) =>
    namesIn(join(folder, start), /^[0-9a-f]{62}$/).map((rest) => ({
      sha256: start + rest,
      path: join(folder, start, rest)
    }))
  )

const namesIn = (folder: string, shape: RegExp): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
      .filter((name) => shape.test(name))
      .sort()
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") return []
    throw error
  }
}
