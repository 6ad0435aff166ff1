/** The runtimes `claude` and `codex`: by what they run, and on a program that has a screen like theirs (contracts: peers 4). */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { RuntimeConfig } from "../../src/config/RuntimeConfig.js"
import { runtimeTable } from "../../src/config/runtimes.js"
import { commandsOf, type Templates } from "../../src/runtimes/launch.js"
import { awaitPresence, awaitState, hubIn, notesOf, tell, workspace, write } from "../support/peerHubs.js"
import { registration } from "../support/presences.js"
import { screenAgent, screenNotes } from "../support/screens.js"

const templates: Templates = {
  personality: "b",
  runtime: "claude",
  identity: "claude-b",
  cwd: "/work/b",
  cwd_slug: "-work-b",
  home: "/home/x",
  session_id: "01S",
  session_dir: "/s/01S",
  resume_ref: "01R",
  url: "http://127.0.0.1:1",
  mcp_config: "/s/01S/mcp.json"
}

const commands = (name: string, changes: object = {}) => {
  const table = runtimeTable({ [name]: changes })
  if ("problem" in table) throw new Error(table.problem)
  const launch = { [name]: { args: ["--model", "{personality}"], env: {} } }
  const { freshArgv, resumeArgv } = commandsOf(
    table.value.get(name) as RuntimeConfig,
    registration("b", { launch }),
    name,
    templates
  )
  return { fresh: freshArgv.join(" "), resume: resumeArgv.join(" ") }
}

describe("a preset", () => {
  it("runs claude with the hub's tools, and goes on with its last session", () => {
    const common = "--disallowedTools AskUserQuestion --mcp-config /s/01S/mcp.json"
    expect(commands("claude")).toEqual({
      fresh: `claude ${common} --model b`,
      resume: `claude ${common} --continue --model b`
    })
    expect(commands("claude", { unattended: true })).toEqual({
      fresh: `claude --dangerously-skip-permissions ${common} --model b`,
      resume: `claude --dangerously-skip-permissions ${common} --continue --model b`
    })
  })

  it("runs codex with the hub's tools, and goes on with its last session", () => {
    const tools =
      '-c mcp_servers.mound.url="http://127.0.0.1:1/mcp" -c mcp_servers.mound.bearer_token_env_var="MOUND_SESSION_TOKEN"'
    expect(commands("codex")).toEqual({
      fresh: `codex --no-alt-screen -C /work/b ${tools} --model b`,
      resume: `codex resume --last --no-alt-screen -C /work/b ${tools} --model b`
    })
    expect(commands("codex", { unattended: true }).fresh).toContain(
      " -C /work/b --dangerously-bypass-approvals-and-sandbox -c "
    )
  })

  it.scopedLive(
    "answers the program's questions, sees its prompt, and takes its transcript for evidence",
    () =>
      Effect.gen(function* () {
        const folder = yield* workspace({
          runtimes: {
            claude: { settle: "50ms", confirm_within: "20s" }
          }
        })
        // Of this folder's own, whoever runs the test.
        const home = join(folder, "home")
        const bin = join(folder, "bin")
        const cwd = join(folder, "b")
        const transcripts = join(home, ".claude/projects", cwd.replace(/[^A-Za-z0-9]/g, "-"))
        for (const path of [bin, cwd, transcripts]) mkdirSync(path, { recursive: true })
        writeFileSync(join(bin, "claude"), `#!/bin/sh\nexec ${process.execPath} ${screenAgent} "$@"\n`)
        chmodSync(join(bin, "claude"), 0o755)
        const args = ["trust", "bypass", `transcript=${join(transcripts, "s.jsonl")}`]
        const env = { HOME: home, PATH: `${bin}:${process.env.PATH}` }
        const hub = yield* hubIn(folder)
        const { system, peerKind } = hub.parts
        const launch = { claude: { args, env } }
        yield* system.send(
          peerKind,
          "b",
          { type: "RegisterPeer", cwd, runtimes: ["claude"], launch },
          { by: "test" }
        )
        const b = "claude-b"
        yield* write(hub, "b", "m-1", "hello", { topic: "t" })
        yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m-1", evidence: "transcript" })
        expect((yield* awaitPresence(hub, b, "SessionReady")).data.evidence).toBe("pane")
        expect(screenNotes(folder, "b", "claude").flatMap(({ answered }) => answered ?? [])).toEqual([
          "Yes",
          "Yes, I accept"
        ])
        const spawned = yield* awaitPresence(hub, b, "SessionSpawned")
        const config = join(hub.parts.sessionsRoot, String(spawned.data.sessionId), "mcp.json")
        expect(JSON.parse(readFileSync(config, "utf8"))).toEqual({
          mcpServers: {
            mound: {
              type: "http",
              url: `${hub.url}/mcp`,
              headers: { Authorization: `Bearer \${MOUND_SESSION_TOKEN}` }
            }
          }
        })
        yield* tell(hub, b, { type: "StopPresence" })
        const stopped = yield* awaitState(hub, b, "stopped")
        yield* tell(hub, b, { type: "StartPresence" })
        yield* write(hub, "b", "m-2", "again", { topic: "t" })
        yield* awaitPresence(hub, b, "DeliveryConfirmed", { messageId: "m-2" })
        const chosen = yield* awaitPresence(hub, b, "WakeModeChosen", {}, stopped.offset)
        expect(chosen.data).toMatchObject({ mode: "resume", cause: "idle-reaped-resume" })
        const starts = notesOf(folder, "b", "claude").flatMap(({ argv }) => (argv ? [argv] : []))
        expect(starts.map((argv) => argv.includes("--continue"))).toEqual([false, true])
      }),
    60_000
  )
})
