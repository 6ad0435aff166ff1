// Fills scratch/ with files of 7 MiB: `node fill.mjs 56MiB` makes eight.
import { mkdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const mebibyte = 1024 * 1024
const fileSize = 7 * mebibyte

const amount = /^(\d+)MiB$/.exec(process.argv[2] ?? "56MiB")?.[1]
if (amount === undefined) {
  console.error("usage: node fill.mjs 56MiB")
  process.exit(2)
}
const folder = fileURLToPath(new URL("./scratch/", import.meta.url))
mkdirSync(folder, { recursive: true })
const count = Math.floor((Number(amount) * mebibyte) / fileSize)
for (let n = 1; n <= count; n++) {
  writeFileSync(`${folder}file-${String(n).padStart(2, "0")}.bin`, Buffer.alloc(fileSize, n))
}
console.log(`${count} files of 7 MiB in ${folder}`)
