import { readdirSync, rmSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { END, type Moderator, type Role, type RoleContext, type StepFrame } from "mound/workspace"

/** What the scratch folder may hold, and how full it may be when all is done. */
const limit = 64 * 1024 * 1024
const target = 50
/** A file takes so long to delete, so that there is time to watch, and to pull the plug. */
const stepMs = Number(process.env.STEP_MS ?? 1500)

interface File {
  readonly name: string
  readonly bytes: number
}

/** Nothing outside of this folder is ever touched. */
const scratch = ({ workspace }: RoleContext) => join(workspace, "scratch")

const filesIn = (folder: string): ReadonlyArray<File> =>
  readdirSync(folder)
    .map((name) => ({ name, bytes: statSync(join(folder, name)).size }))
    .sort((a, b) => b.bytes - a.bytes || a.name.localeCompare(b.name))

const percentOf = (files: ReadonlyArray<File>) =>
  Math.round((100 * files.reduce((sum, { bytes }) => sum + bytes, 0)) / limit)

const lastOf = (steps: ReadonlyArray<StepFrame>, role: string) => steps.findLast((step) => step.role === role)

/** Lists the files, the largest first. */
const scout: Role = (context) => {
  const files = filesIn(scratch(context))
  const lines = files.map(({ name, bytes }) => `${name}  ${bytes}`)
  return {
    content: [`${files.length} files, ${percentOf(files)} %`, ...lines].join("\n"),
    meta: { files: files.length, percent: percentOf(files) }
  }
}

/** Chooses the largest files until what is left is under the target. The plan is a blob: its digest says what was agreed. */
const planner: Role = async (context) => {
  const files = filesIn(scratch(context))
  const left = [...files]
  const chosen: Array<string> = []
  while (left.length > 0 && percentOf(left) >= target) chosen.push((left.shift() as File).name)
  const { sha256 } = await context.blobs.write(JSON.stringify(chosen))
  return {
    content: `delete ${chosen.length} files: ${chosen.join(", ")}`,
    meta: { plan: sha256, files: chosen.length }
  }
}

/** Deletes what was planned. It may be called again after a crash: a file that is gone is one that is done. */
const cleaner: Role = async (context) => {
  const plan = lastOf(context.steps, "planner")?.meta.plan as string
  const names: ReadonlyArray<string> = JSON.parse(
    Buffer.from((await context.blobs.read(plan)) ?? "[]").toString()
  )
  let gone = 0
  let deleted = 0
  for (const name of names) {
    if (context.abort.aborted) throw new Error("told to stop")
    const isThere = readdirSync(scratch(context)).includes(basename(name))
    if (isThere) {
      rmSync(join(scratch(context), basename(name)))
      await new Promise((resolve) => setTimeout(resolve, stepMs))
      deleted += 1
    } else gone += 1
    context.log(`${name}: ${isThere ? "deleted" : "gone already"}`)
  }
  return { content: `${gone} gone already, ${deleted} deleted`, meta: { gone, deleted } }
}

const verifier: Role = (context) => {
  const percent = percentOf(filesIn(scratch(context)))
  const ok = percent < target
  return {
    content: `${percent} % of 64 MiB: ${ok ? "enough room" : "not enough room yet"}`,
    meta: { ok, percent }
  }
}

const moderator: Moderator = ({ steps }) => {
  const last = steps.at(-1)
  switch (last?.role) {
    case undefined:
      return "scout"
    case "scout":
      return "planner"
    case "planner":
      return "cleaner"
    case "cleaner":
      return "verifier"
    default:
      return last?.meta.ok ? END : "planner"
  }
}

export default { name: "free-scratch", roles: { scout, planner, cleaner, verifier }, moderator }
