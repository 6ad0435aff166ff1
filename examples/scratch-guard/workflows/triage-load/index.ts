import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { END, type Moderator, type Role, type StepFrame } from "mound/workspace"

interface Busy {
  readonly pid: number
  readonly name: string
  /** Clock ticks that it has computed for so far. */
  readonly ticks: number
}

/** The processes that have computed the most, where the system shows them. */
const busiest = (count: number): ReadonlyArray<Busy> => {
  try {
    const pids = readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0)
    return pids
      .flatMap((pid) => read(pid))
      .sort((a, b) => b.ticks - a.ticks)
      .slice(0, count)
  } catch {
    return []
  }
}

const read = (pid: number): ReadonlyArray<Busy> => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const end = stat.lastIndexOf(")")
    const fields = stat.slice(end + 2).split(" ")
    return [
      { pid, name: stat.slice(stat.indexOf("(") + 1, end), ticks: Number(fields[11]) + Number(fields[12]) }
    ]
  } catch {
    // It has ended meanwhile.
    return []
  }
}

const sampler: Role = () => {
  const [one = 0, five = 0, fifteen = 0] = loadavg()
  const processes = busiest(5)
  const lines = processes.map(({ pid, name, ticks }) => `${pid} ${name}: ${ticks} ticks`)
  return {
    content: [`load ${one} ${five} ${fifteen} on ${cpus().length} CPUs`, ...lines].join("\n"),
    meta: { one, five, fifteen, cpus: cpus().length, processes }
  }
}

/** Rules, in order: the first that holds is the finding. */
const diagnoser: Role = ({ steps }) => {
  const { one, fifteen, cpus, processes } = (steps.at(-1) as StepFrame).meta as {
    readonly one: number
    readonly fifteen: number
    readonly cpus: number
    readonly processes: ReadonlyArray<Busy>
  }
  const [first, second] = processes
  const rules: ReadonlyArray<readonly [holds: boolean, finding: string]> = [
    [one < cpus, "the load has fallen below one per CPU by itself"],
    [
      first !== undefined && first.ticks > 4 * (second?.ticks ?? 0),
      `one process computes far more than all others: ${first?.name} (${first?.pid})`
    ],
    [one > 2 * fifteen, "the load is rising: something has started lately"],
    [true, "the load is high and steady: there is more work than CPUs"]
  ]
  return { content: rules.find(([holds]) => holds)?.[1] ?? "nothing" }
}

const reporter: Role = async ({ runId, start, steps, workspace, blobs }) => {
  const [sample, finding] = steps
  const report = `# ${start.content}\n\n${finding?.content}\n\n${sample?.content}\n`
  mkdirSync(join(workspace, "reports"), { recursive: true })
  writeFileSync(join(workspace, "reports", `${runId}.md`), report)
  const { sha256 } = await blobs.write(report)
  return { content: `reports/${runId}.md`, meta: { report: sha256 } }
}

const moderator: Moderator = ({ steps }) => ["sampler", "diagnoser", "reporter"][steps.length] ?? END

export default { name: "triage-load", roles: { sampler, diagnoser, reporter }, moderator }
