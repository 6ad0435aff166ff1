/** What refuses an older token: the shell's fence for files, and the pattern for HTTP that docs/fencing.md tells of. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "../support/stores.js"

const root = resolve(import.meta.dirname, "../..")

const start = (folder: string, token: string | undefined, ...words: ReadonlyArray<string>): ChildProcess =>
  spawn(join(root, "examples/fencing/fence"), words, {
    cwd: folder,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...(token !== undefined && { MOUND_FENCING_TOKEN: token }) }
  })

const ended = async (child: ChildProcess) => {
  let stderr = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  const [code] = await once(child, "close")
  return { code, stderr }
}

const inFolder = (name: string, body: (folder: string) => Promise<void>) =>
  it.scopedLive(name, () => Effect.flatMap(temporaryFolder, (folder) => Effect.promise(() => body(folder))))

describe("the shell's fence", () => {
  const write = async (folder: string, token: string | undefined, text: string) =>
    ended(start(folder, token, "report", "sh", "-c", `printf %s ${text} >report`))
  const report = (folder: string) => readFileSync(join(folder, "report"), "utf8")

  inFolder("lets the newest holder write, again and again, and refuses those before it", async (folder) => {
    expect(await write(folder, "7", "seven")).toEqual({ code: 0, stderr: "" })
    expect((await write(folder, "7", "again")).code).toBe(0)
    expect((await write(folder, "12", "twelve")).code).toBe(0)
    const refused = await write(folder, "9", "nine")
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("token 12, and 9 is older")])
    expect(report(folder)).toBe("twelve")
    expect((await write(folder, "9007199254740991", "last")).code).toBe(0)
    expect((await write(folder, "9007199254740990", "late")).code).toBe(1)
    expect(report(folder)).toBe("last")
  })

  inFolder("ends as its command ends, and remembers the token also of one that failed", async (folder) => {
    expect((await ended(start(folder, "7", "report", "sh", "-c", "exit 9"))).code).toBe(9)
    expect((await write(folder, "6", "six")).code).toBe(1)
  })

  inFolder("is not fooled by a line that was cut short", async (folder) => {
    await write(folder, "120", "first")
    appendFileSync(join(folder, "report.fence"), "13")
    expect((await write(folder, "119", "old")).code).toBe(1)
    expect((await write(folder, "130", "new")).code).toBe(0)
    expect((await write(folder, "131", "newer")).code).toBe(0)
    expect(report(folder)).toBe("newer")
  })

  inFolder("keeps a successor waiting until the writer before it has ended", async (folder) => {
    const slow = start(folder, "7", "report", "sh", "-c", "echo begun; read line; printf old >report")
    await once(slow.stdout as NonNullable<typeof slow.stdout>, "data")
    const next = start(folder, "8", "report", "sh", "-c", "cat report; printf new >report")
    let seen = ""
    next.stdout?.on("data", (text) => {
      seen += text
    })
    slow.stdin?.write("\n")
    expect((await Promise.all([ended(slow), ended(next)])).map(({ code }) => code)).toEqual([0, 0])
    expect([seen, report(folder)]).toEqual(["old", "new"])
  })

  inFolder("runs nothing without a token, or with none that is one", async (folder) => {
    for (const token of [undefined, "", "x", "-1", "1.5", "7 8"]) {
      const { code, stderr } = await write(folder, token, "text")
      expect([token, code, stderr]).toEqual([token, 2, expect.stringContaining("mound claim exec")])
    }
    expect((await ended(start(folder, "7", "report"))).code).toBe(2)
    expect(existsSync(join(folder, "report"))).toBe(false)
  })
})

describe("the fence of docs/fencing.md for HTTP", () => {
  inFolder("lets the largest token through, and answers others as its table says", async (folder) => {
    const page = readFileSync(join(root, "docs/fencing.md"), "utf8")
    const path = join(folder, "fence.mjs")
    writeFileSync(path, /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? "")
    const { makeFence } = await import(pathToFileURL(path).href)
    const fence = makeFence(5)
    const ask = (token: unknown) => fence({ "mound-fencing-token": token })
    const stale = (largest: string) => ({ status: 412, headers: { "Mound-Fencing-Token": largest } })
    expect([ask("4"), ask("5"), ask("9"), ask("9"), ask("8")]).toEqual([
      stale("5"),
      undefined,
      undefined,
      undefined,
      stale("9")
    ])
    for (const token of [undefined, "", "x", "0", "-1", "1.5", "1e999"]) {
      expect([token, ask(token).status]).toEqual([token, 428])
    }
  })
})
