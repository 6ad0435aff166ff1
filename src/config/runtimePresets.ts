/** The runtimes that are built in. Each can be changed key by key under `peers.runtimes`, and is shown by `mound peer runtimes`. */
import type { Dialog, RuntimeConfig, RuntimeTable } from "./RuntimeConfig.js"

/** Any program that reads lines; nothing has to be installed for it. */
export const processRuntime: RuntimeConfig = {
  host: "process",
  argv: [],
  resumeArgv: [],
  resumeBy: "session",
  resumeProbe: undefined,
  env: {},
  bootMs: 30_000,
  endGraceMs: 5_000,
  ready: { _tag: "Alive", forMs: 250 },
  dialogs: [],
  deliver: "stdin",
  format: "json",
  submit: ["Enter"],
  settleMs: 300,
  resubmitAfterMs: 2_000,
  confirm: "ack",
  confirmWithinMs: 10_000,
  transcript: undefined,
  activity: "output",
  interrupt: { _tag: "Signal" },
  compact: { _tag: "Control" },
  unattended: false
}

/** Any program with a screen. */
export const tmuxRuntime: RuntimeConfig = {
  ...processRuntime,
  host: "tmux",
  bootMs: 240_000,
  deliver: "paste",
  format: "envelope",
  confirm: "written",
  confirmWithinMs: 4_000,
  interrupt: { _tag: "Keys", keys: ["Escape"] },
  compact: { _tag: "Unsupported" }
}

const answer = (when: RegExp, ...keys: ReadonlyArray<string>): Dialog => ({ when, keys })

/** Goes down to the second choice, sees that it is there, and takes it. */
const takeSecond = (when: RegExp): ReadonlyArray<Dialog> => [
  { when, and: /❯ 2\./, keys: ["Enter"] },
  { when, keys: ["Down"] }
]

const claude: RuntimeConfig = {
  ...tmuxRuntime,
  argv: [
    "claude",
    "[--dangerously-skip-permissions]",
    "--disallowedTools",
    "AskUserQuestion",
    "--mcp-config",
    "{mcp_config}"
  ],
  resumeArgv: [
    "claude",
    "[--dangerously-skip-permissions]",
    "--disallowedTools",
    "AskUserQuestion",
    "--mcp-config",
    "{mcp_config}",
    "--continue"
  ],
  resumeBy: "folder",
  resumeProbe: { glob: "{home}/.claude/projects/{cwd_slug}/*.jsonl" },
  transcript: "{home}/.claude/projects/{cwd_slug}/*.jsonl",
  confirm: "transcript",
  activity: "transcript",
  ready: { _tag: "Pane", pattern: /❯/ },
  dialogs: [
    ...takeSecond(/Resume from summary/),
    ...takeSecond(/Bypass Permissions mode[\s\S]*No, exit/),
    answer(/Do you trust|one you trust/, "Enter"),
    answer(/Allow external CLAUDE\.md/, "Enter"),
    answer(/Choose the text style/, "Enter"),
    answer(/New MCP servers? found/, "Enter")
  ],
  compact: { _tag: "Text", text: "/compact", withinMs: 290_000, match: /"subtype":\s*"compact_boundary"/ }
}

const codexSettings: ReadonlyArray<string> = [
  "--no-alt-screen",
  "-C",
  "{cwd}",
  "[--dangerously-bypass-approvals-and-sandbox]",
  "-c",
  'mcp_servers.mound.url="{url}/mcp"',
  "-c",
  'mcp_servers.mound.bearer_token_env_var="MOUND_SESSION_TOKEN"'
]

const codex: RuntimeConfig = {
  ...tmuxRuntime,
  argv: ["codex", ...codexSettings],
  resumeArgv: ["codex", "resume", "--last", ...codexSettings],
  resumeBy: "folder",
  resumeProbe: { glob: "{home}/.codex/sessions/**/*.jsonl", contains: "{cwd}" },
  // Its own queue of input survives a busy turn; what it writes down comes up to minutes later.
  confirm: "written",
  ready: { _tag: "Pane", pattern: /› / },
  dialogs: [
    answer(/Update available/, "2", "Enter"),
    answer(/Do you trust|You are running Codex in/, "Enter"),
    answer(/[Hh]ooks? (need|needs|to) review/, "2")
  ]
}

export const builtInRuntimes: RuntimeTable = new Map([
  ["process", processRuntime],
  ["tmux", tmuxRuntime],
  ["claude", claude],
  ["codex", codex]
])
