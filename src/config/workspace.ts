/** Which folder a hub belongs to (contracts: hub 3.3). */
import { existsSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { Effect, Schema } from "effect"
import type { Environment } from "./Settings.js"

export class WorkspaceNotFound extends Schema.TaggedError<WorkspaceNotFound>()("WorkspaceNotFound", {
  from: Schema.String,
  isNamed: Schema.Boolean
}) {
  override get message() {
    return this.isNamed
      ? `there is no folder ${this.from}`
      : `no workspace at ${this.from}: neither it nor a folder above it has a mound.yaml or a .mound folder`
  }
  get fix() {
    return this.isNamed
      ? "make it first, or name another: --workspace DIR"
      : "run this in a workspace, or name a folder: --workspace DIR"
  }
}

const marks = [".mound", "mound.yaml", "nerve.yaml"]

/** The named folder, else the nearest one upwards that is marked as a workspace. A named folder need not be marked. */
export const findWorkspace = (
  named: string | undefined,
  environment: Environment,
  from: string
): Effect.Effect<string, WorkspaceNotFound> =>
  Effect.suspend(() => {
    const chosen = named ?? (environment.MOUND_WORKSPACE?.trim() || undefined)
    if (chosen !== undefined) {
      const path = resolve(from, chosen)
      return isFolder(path) ? Effect.succeed(path) : new WorkspaceNotFound({ from: path, isNamed: true })
    }
    for (let folder = resolve(from); ; folder = dirname(folder)) {
      if (marks.some((mark) => existsSync(join(folder, mark)))) return Effect.succeed(folder)
      if (folder === dirname(folder)) return new WorkspaceNotFound({ from, isNamed: false })
    }
  })

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
