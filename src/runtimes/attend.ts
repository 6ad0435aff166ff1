/**
 * All of `live`: watches a session's process and output. What the session says becomes commands, its activity is noted, its end is
 * reported (contracts: peers 3.4).
 */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { Launched, Session } from "../actors/presence/PresenceContext.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import type { SessionInput } from "../actors/presence/presenceInputs.js"
import { idOf } from "../events/Event.js"
import { parseControlLine } from "./controlLine.js"
import { identityOf } from "./identityOf.js"
import { refusedLine } from "./messageLine.js"
import { type OutputLine, OutputReader } from "./OutputReader.js"
import type { PeerWorld } from "./PeerWorld.js"
import { endOf, writeLine } from "./ProcessHost.js"
import { reportEnd } from "./reportEnd.js"
import { SessionFolder } from "./SessionFolder.js"
import { watchFolder } from "./watchFolder.js"

/** Control lines handled at a time; they begin in their order. */
const linesAtOnce = 16

export const makeAttend =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { session } = call.invocation.input as SessionInput
      const folder = new SessionFolder(world.sessionsRoot, session.id)
      const memory = world.sessions.of(session.id)
      if (folder.exists) world.sessions.token(folder)
      const known = yield* consult(call, session)
      if (!known) return
      const watch = yield* watchFolder(folder.path)
      memory.onChange(watch.nudge)
      let reader = new OutputReader(folder.file("out"), known.outputOffset)
      const { runtime } = identityOf(call.stream)
      const isActivity = world.runtime(runtime)?.activity !== "transcript"
      const noteActivity = makeActivityNote(world, call, known)
      // Only what has been heard is moved aside. The beginning of a line is kept for its end, unless that is long in coming.
      const isToCut = () => {
        const { size } = folder.output()
        if (size <= world.outputMax) return false
        return size === (size > 2 * world.outputMax ? reader.readTo : reader.offset)
      }
      for (let isFirst = true; ; isFirst = false) {
        // Looked at before its output is read, so that its last words are heard before its end is told.
        const exit = endOf(folder, memory, session.process ?? undefined)
        // What went through its screen is all there once that is gone.
        if (exit && session.host === "tmux") yield* world.tmux.close(idOf(call.stream))
        const wasActive = yield* hear(world, call, session, folder, reader)
        if (wasActive && !isFirst && isActivity) yield* noteActivity("output")
        if (exit) {
          const detectedBy = isFirst && !memory.isOwn ? "reconcile" : "exit"
          return yield* reportEnd(world, call, session, exit, detectedBy, session.process?.pid)
        }
        if (isToCut() && world.isQuiet(idOf(call.stream))) {
          yield* recordCut(call, known)
          yield* hear(world, call, session, folder, reader)
          if (isToCut()) {
            folder.cutOutput()
            reader = new OutputReader(folder.file("out"), 0)
          }
        }
        yield* watch.changed
      }
    }).pipe(Effect.scoped)

/** How the session stands now: how far it was read, and when it last did something. Undefined when it is over. */
const consult = (call: InvocationCall, { id }: Launched): Effect.Effect<Session | undefined> => {
  const look: PresenceCommand = { type: "ConsultSession", sessionId: id }
  return Effect.map(Effect.orDie(call.send(look)), ({ state }) => {
    const { session } = (state as PresenceState).context
    return session?.id === id ? session : undefined
  })
}

/** First the record, then the cut: a hub that is killed in between reads its output again, which is harmless. */
const recordCut = (call: InvocationCall, { id, activeAt }: Session): Effect.Effect<void> => {
  const cut: PresenceCommand = {
    type: "ReportActivity",
    sessionId: id,
    kind: "output-cut",
    activeAt,
    outputOffset: 0
  }
  return Effect.asVoid(Effect.orDie(call.send(cut)))
}

/** Reads what is there and does what it says. True when there was anything. */
const hear = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  folder: SessionFolder,
  reader: OutputReader
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    let wasActive = false
    for (let hasMore = true; hasMore; ) {
      const page = reader.read()
      hasMore = page.hasMore
      wasActive ||= page.lines.length > 0
      yield* Effect.forEach(page.lines, (line) => obey(world, call, session, folder, line), {
        concurrency: linesAtOnce,
        discard: true
      })
      if (hasMore) yield* Effect.yieldNow()
    }
    return wasActive
  })

/** A line that is none of ours, or that asks for what is so already, changes nothing. */
const obey = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  folder: SessionFolder,
  { text, end }: OutputLine
): Effect.Effect<void> => {
  const line = parseControlLine(text)
  switch (line?.mound) {
    case "ack": {
      const { messageId } = line
      const confirm: PresenceCommand = {
        type: "ConfirmDelivery",
        messageId,
        evidence: "ack",
        outputOffset: end
      }
      return Effect.ignore(call.send(confirm))
    }
    case "activity": {
      const activity: PresenceCommand = {
        type: "ReportActivity",
        sessionId: session.id,
        kind: "control",
        activeAt: world.now()
      }
      return Effect.ignore(call.send(activity))
    }
    case "done":
    case "compacted": {
      // Read again, it is about a session that has moved on, and changes nothing; but a memory that was made smaller was so once.
      const { id } = session
      const command: PresenceCommand =
        line.mound === "done"
          ? { type: "SelfDone", sessionId: id, how: "control" }
          : { type: "CompactSession", sessionId: id, evidence: "control" }
      const commandId = `${id}:${end}:${line.mound}`
      return Effect.ignore(world.report(idOf(call.stream), command, commandId))
    }
    case "send": {
      const { messageId } = line
      return Effect.flatMap(world.send(identityOf(call.stream), line), (refused) =>
        // On a screen there is no place for it: such a program sends by the hub's tools, which answer.
        refused === undefined || session.host === "tmux"
          ? Effect.void
          : writeLine(folder, world.sessions.of(session.id), refusedLine(messageId, refused))
      )
    }
    default:
      return Effect.void
  }
}

/** Notes activity at most once per third of the idle time: "still alive" is hardly ever news. */
const makeActivityNote = (world: PeerWorld, call: InvocationCall, { id, idleMs, activeAt }: Session) => {
  let notedAt = activeAt
  return (kind: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const now = world.now()
      if (idleMs === null || now - notedAt < idleMs / 3) return Effect.void
      notedAt = now
      const activity: PresenceCommand = { type: "ReportActivity", sessionId: id, kind, activeAt: now }
      return Effect.ignore(call.send(activity))
    })
}
