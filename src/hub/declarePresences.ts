/**
 * Lets presences follow their peers: a registration declares them, a runtime that is dropped retires its own. At start it compares
 * what is with what should be, so that nothing needs to be remembered of how far an earlier hub had come.
 */
import { Effect, Schedule } from "effect"
import { formatIdentity, parseIdentity } from "../actors/peer/Identity.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { ListedPresence } from "../actors/presence/PresenceIndex.js"
import { idOf, type Offset, type RecordedEvent } from "../events/Event.js"
import { forEachPage } from "../events/Journal.js"
import type { HubParts } from "./HubParts.js"

/** When a command that met a passing refusal comes again. */
const againMs = 1_000
const passing: ReadonlySet<string> = new Set([
  "SlowDown",
  "Recovering",
  "Draining",
  "ReadOnly",
  "OutcomeUnknown"
])

type Services = Pick<HubParts, "system" | "journal" | "peerKind" | "presenceKind">

/** For ever, from how things stand now. */
export const declarePresences = (services: Services, from: Offset): Effect.Effect<void> =>
  Effect.zipRight(
    catchUp(services),
    forEachPage(services.journal, from, (page) =>
      Effect.forEach(page.filter(isOfPeer), ({ stream }) => followPeer(services, idOf(stream)), {
        discard: true
      })
    )
  ).pipe(Effect.orDie)

const send = ({ system, presenceKind }: Services, identity: string, command: PresenceCommand) =>
  system
    .send(presenceKind, identity, command, { by: "hub" })
    .pipe(
      Effect.retry({ while: ({ reason }) => passing.has(reason._tag), schedule: Schedule.spaced(againMs) }),
      Effect.ignore
    )

const isOfPeer = ({ type }: RecordedEvent): boolean => type === "PeerRegistered" || type === "PeerAmended"

/** Where the peer that a changed registration is of stands now; it may have moved on since. */
const followPeer = (services: Services, personality: string): Effect.Effect<void> => {
  const runtimes = services.peerKind.index.get(personality)?.runtimes ?? []
  const dropped = [...services.presenceKind.index.all()].filter(({ identity }) => {
    const own = parseIdentity(identity)
    return own?.personality === personality && !runtimes.includes(own.runtime)
  })
  return Effect.all(
    [
      ...runtimes.map((runtime) =>
        send(services, formatIdentity({ runtime, personality }), { type: "DeclarePresence" })
      ),
      ...dropped.map(({ identity }) => send(services, identity, { type: "RetirePresence" }))
    ],
    { discard: true }
  )
}

/** What an earlier hub did not come to, and what is owed and asleep. */
const catchUp = (services: Services): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { peerKind, presenceKind } = services
    for (const { personality, runtimes, incarnation, restart, resume, wake } of [...peerKind.index.all()]) {
      for (const runtime of runtimes) {
        const identity = formatIdentity({ runtime, personality })
        const presence = presenceKind.index.get(identity)
        const isCurrent =
          presence?.incarnation === incarnation &&
          presence.restart === restart &&
          presence.resume === resume &&
          presence.wake === wake
        if (!isCurrent) yield* send(services, identity, { type: "DeclarePresence" })
      }
    }
    for (const presence of [...presenceKind.index.all()]) {
      const own = parseIdentity(presence.identity)
      const isWanted = own && peerKind.index.get(own.personality)?.runtimes.includes(own.runtime)
      if (!isWanted) yield* send(services, presence.identity, { type: "RetirePresence" })
      else if (isLeftAsleep(presence)) {
        yield* send(services, presence.identity, { type: "WakePresence", trigger: "always-on" })
      }
    }
  })

const isLeftAsleep = ({ state, isOwed }: ListedPresence): boolean => isOwed && state.startsWith("asleep.")
