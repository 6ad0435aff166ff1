import { describe, expect, it } from "@effect/vitest"
import { type Offset, RecordedEvent, type StreamId, type Version } from "../../src/events/Event.js"
import { encodeEntry, eventEntry, refusalEntry } from "../../src/hub/logEntry.js"

const at = Date.parse("2026-03-01T09:00:00.123Z")
const boot = "0123456789abcdef0123456789abcdef"

const recorded = (fields: {
  stream: string
  type: string
  by: string
  data?: object
  commandId?: string
}): RecordedEvent =>
  new RecordedEvent({
    offset: 41 as Offset,
    stream: fields.stream as StreamId,
    version: 2 as Version,
    type: fields.type,
    schema: 1,
    at,
    state: "",
    by: fields.by,
    commandId: fields.commandId ?? "d1",
    causation: null,
    correlation: null,
    dataJson: JSON.stringify(fields.data ?? {}),
    hash: ""
  })

describe("a line of the hub log", () => {
  it("of a refused command has the vector's bytes", () => {
    const line = encodeEntry(
      refusalEntry(
        {
          at,
          kind: "claim",
          command: "ClaimWork",
          stream: "claim/w1",
          by: "codex-bob",
          commandId: "d2",
          reason: { _tag: "AlreadyClaimed" } as never,
          tookMs: 1
        },
        boot
      )
    )
    expect(line).toBe(
      '{"ts":"2026-03-01T09:00:00.123Z","level":"INFO","event":"rpc","rpc":"claim.ClaimWork","agent":"codex-bob","task":"w1","took_ms":1,"err":"AlreadyClaimed",' +
        '"stream":"claim/w1","boot":"0123456789abcdef0123456789abcdef","command_id":"d2"}'
    )
  })

  it("of an accepted command names the command, the caller and the event", () => {
    const event = recorded({
      stream: "claim/w1",
      type: "ClaimGranted",
      by: "codex-ada",
      data: { secret: "s" }
    })
    const entry = eventEntry(event, boot, { command: "ClaimWork", tookMs: 3 })
    expect(entry).toMatchObject({
      level: "INFO",
      event: "rpc",
      rpc: "claim.ClaimWork",
      agent: "codex-ada",
      task: "w1",
      offset: 41,
      type: "ClaimGranted"
    })
    expect(encodeEntry(entry)).not.toContain("secret")
  })

  it("of a boot before this one does not guess at the command", () => {
    expect(
      eventEntry(recorded({ stream: "claim/w1", type: "ClaimGranted", by: "ada" }), boot, undefined).rpc
    ).toBeUndefined()
  })

  it("is as grave as what happened", () => {
    const gravity = (type: string, data?: object) => {
      const { level, event } = eventEntry(
        recorded({ stream: "hub", type, by: "hub", ...(data && { data }) }),
        boot,
        undefined
      )
      return `${level} ${event}`
    }
    expect(gravity("HubReady")).toBe("INFO lifecycle")
    expect(gravity("HubLossDetected")).toBe("WARN lifecycle")
    expect(gravity("RoleLost")).toBe("WARN lifecycle")
    expect(gravity("HubStartFailed")).toBe("ERROR lifecycle")
    expect(gravity("DefectRecorded")).toBe("ERROR error")
    expect(gravity("ComponentDegraded", { status: "degraded" })).toBe("WARN lifecycle")
    expect(gravity("ComponentDegraded", { status: "failing" })).toBe("ERROR error")
  })

  it("of one entry of an imported ledger is for those who look closely", () => {
    const level = (type: string, stream: string, commandId: string) =>
      eventEntry(recorded({ stream, type, by: "hub", commandId }), boot, undefined).level
    expect(level("ClaimGranted", "claim/w1", "import:0a:7")).toBe("DEBUG")
    expect(level("LedgerImported", "hub", "import:0a")).toBe("INFO")
  })

  it("breaks no line and no terminal, and is not longer than it may be", () => {
    const message = `a\nb\u001b[2J${"c".repeat(5_000)}`
    const line = encodeEntry(
      eventEntry(
        recorded({ stream: "hub", type: "DefectRecorded", by: "hub", data: { message } }),
        boot,
        undefined
      )
    )
    expect(line).not.toMatch(/[\n\u001b]/)
    expect((JSON.parse(line) as { msg: string }).msg).toHaveLength(2_048)
  })
})
