import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    poolOptions: { forks: { maxForks: 2, minForks: 1 } },
    // A verb takes a third of a second, most of it starting; on a machine that is busy with other things several seconds.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/countReporter.ts"]
  }
})
