/** The protocol as OpenAPI and as a page that a person can read, both printed from `api.ts`. */
import { OpenApi } from "@effect/platform"
import { api } from "./api.js"

let specification: OpenApi.OpenAPISpec | undefined

export const openApiJson = (): OpenApi.OpenAPISpec => {
  specification ??= OpenApi.fromApi(api)
  return specification
}

let page: string | undefined

export const docsPage = (): string => {
  page ??= render(openApiJson())
  return page
}

const escapes: { readonly [character: string]: string } = { "&": "&amp;", "<": "&lt;", ">": "&gt;" }
const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => escapes[character] ?? character)

const render = ({ paths, components }: OpenApi.OpenAPISpec): string => {
  const sections = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { description = "", requestBody, responses } = operation
      // The failures are the same everywhere, and stand once under the schemas.
      const answers = Object.entries(responses ?? {})
        .filter(([status]) => status.startsWith("2"))
        .map(([status, response]) => block(`answer ${status}`, response))
      return `<section><h2><code>${method.toUpperCase()} ${escaped(path)}</code></h2>
<p>${escaped(description)}</p>${requestBody ? block("body", requestBody) : ""}${answers.join("")}</section>`
    })
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mound: HTTP protocol</title>
<style>body{font:16px/1.5 system-ui;max-width:60em;margin:2em auto;padding:0 1em}
h2{font-size:1em;border-top:1px solid #ccc;padding-top:1em}pre{background:#f5f5f5;padding:.5em;overflow:auto;font-size:13px}
summary{cursor:pointer}</style></head><body><h1>Mound: HTTP protocol</h1>
<p>Generated from the running hub; the same as <a href="/openapi.json">OpenAPI</a>. Any endpoint may answer with a
<code>Failure</code>; statuses and the old ledger's routes are in <code>docs/protocol.md</code>.</p>
${sections.join("\n")}${block("schemas", components.schemas)}</body></html>`
}

const block = (title: string, value: unknown): string =>
  `<details><summary>${title}</summary><pre>${escaped(JSON.stringify(value, null, 2))}</pre></details>`
