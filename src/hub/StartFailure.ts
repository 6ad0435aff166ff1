/** Why a hub does not start (contracts: hub 3.2). Each says what was wrong, where, and what to do. */
import { Schema } from "effect"
import { Offset } from "../events/Event.js"

/** Another hub holds this workspace. */
export class Locked extends Schema.TaggedError<Locked>()("Locked", {
  stateDir: Schema.String,
  pid: Schema.NullOr(Schema.Int),
  bootId: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const who =
      this.pid === null ? "a hub that is just starting" : `the hub with pid ${this.pid} at ${this.url}`
    return `the workspace of ${this.stateDir} is in use by ${who}`
  }
  get fix() {
    return this.pid === null ? "wait a moment and try again" : "use that one, or end it first: mound stop"
  }
}

/** Something outside the hub is not as it must be; nothing was written. */
export class StartPrecondition extends Schema.TaggedError<StartPrecondition>()("StartPrecondition", {
  code: Schema.String,
  problem: Schema.String,
  fix: Schema.String
}) {
  override get message() {
    return this.problem
  }
}

/** The journal's newest events do not continue its hash chain. */
export class JournalCorrupt extends Schema.TaggedError<JournalCorrupt>()("JournalCorrupt", {
  path: Schema.String,
  offset: Offset,
  problem: Schema.String
}) {
  override get message() {
    return `${this.path}: the journal is damaged or was tampered with at offset ${this.offset}: ${this.problem}`
  }
  get fix() {
    return `restore a backup, or keep what is sound: mound journal export --to ${this.offset - 1}, then import`
  }
}

/** The port that was asked for is taken. */
export class PortInUse extends Schema.TaggedError<PortInUse>()("PortInUse", {
  host: Schema.String,
  port: Schema.Int,
  code: Schema.String,
  by: Schema.NullOr(Schema.String)
}) {
  override get message() {
    const who = this.by === null ? "" : ` by ${this.by}`
    return this.code === "EADDRINUSE"
      ? `port ${this.port} on ${this.host} is in use${who}`
      : `port ${this.port} on ${this.host} cannot be bound (${this.code})`
  }
  get fix() {
    return "choose another with --port, or leave it out for a free one"
  }
}

/** Recovery failed; the journal says at what. */
export class RecoveryFailed extends Schema.TaggedError<RecoveryFailed>()("RecoveryFailed", {
  problem: Schema.String
}) {
  override get message() {
    return `the hub could not take up its state again: ${this.problem}`
  }
  get fix() {
    return "mound journal replay shows where the history does not fold"
  }
}
