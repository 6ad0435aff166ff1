/** The hub among the servers that can be found here: registered while it serves, gone when it has stopped (contracts: streams 3). */
import { createHash } from "node:crypto"
import { Effect, Schedule } from "effect"
import type { HubParts } from "./HubParts.js"

type Parts = Pick<HubParts, "system" | "serverKind" | "journal" | "hub" | "settings">

/** The same for all boots of one journal, so that the next boot takes over what a killed one has left. */
const ownId = (journalId: string): string => createHash("sha256").update(journalId).digest("hex").slice(0, 16)

/** Registers and sends its heartbeat, for ever. */
export const keepRegistered = ({
  system,
  serverKind,
  journal,
  hub,
  settings
}: Parts): Effect.Effect<void> => {
  if (!settings["streams.enabled"]) return Effect.void
  const { url, port, pid, version, bootId } = hub().context
  const metadata = { mound: { version, bootId, workspace: settings.workspace } }
  const command = { type: "RegisterServer", url: url ?? "", port: port ?? 0, pid, metadata } as const
  // Registering again with the same entry is a heartbeat, and makes up for one that could not be written.
  return system
    .send(serverKind, ownId(journal.journalId), command, { by: "hub" })
    .pipe(Effect.ignore, Effect.repeat(Schedule.spaced(settings["servers.ttl"] / 2)), Effect.asVoid)
}

export const unregister = ({ system, serverKind, journal, settings }: Parts): Effect.Effect<void> =>
  settings["streams.enabled"]
    ? Effect.ignore(
        system.send(
          serverKind,
          ownId(journal.journalId),
          { type: "UnregisterServer", reason: "shutdown" },
          { by: "hub" }
        )
      )
    : Effect.void
